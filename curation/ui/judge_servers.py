"""Kinds of servers that people run, as starting points of a connection: address, key variable and how to start it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["openai", "local", "stand-in"]


@dataclass(frozen=True)
class Server:
    """A starting point.

    Args:
        title: For people.
        kind: Of the connection.
        name: Proposed name of the connection.
        address: As such servers have it when nobody changed it.
        model: What a model's name looks like there.
        key: Variable that usually holds the key, "" = none is needed.
        start: Command that starts it, "" = none.
        about: What to know.
    """

    title: str
    kind: Kind
    name: str
    address: str = ""
    model: str = ""
    key: str = ""
    start: str = ""
    about: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """Fields of the form."""
        return {"kind": self.kind, "address": self.address, "key": self.key}


SERVERS: dict[str, Server] = {
    "vllm": Server(
        "vLLM", "openai", "vllm", "http://127.0.0.1:8000/v1", "Qwen/Qwen3-8B",
        start="vllm serve Qwen/Qwen3-8B", about="On a GPU of yours. It gives log-probabilities and structured replies.",
    ),
    "ollama": Server(
        "Ollama", "openai", "ollama", "http://127.0.0.1:11434/v1", "qwen3:8b",
        start="ollama pull qwen3:8b && ollama serve", about="The model's name is the one that `ollama list` shows.",
    ),
    "lm-studio": Server(
        "LM Studio", "openai", "lm-studio", "http://127.0.0.1:1234/v1", "qwen3-8b",
        about="Load a model, then switch the server on under Developer.",
    ),
    "llama-cpp": Server(
        "llama.cpp", "openai", "llama-cpp", "http://127.0.0.1:8080/v1", "default",
        start="llama-server -m MODEL.gguf --port 8080", about="It serves the one model that it was started with.",
    ),
    "hosted": Server(
        "Hosted, OpenAI-compatible", "openai", "hosted", "https://api.openai.com/v1", "gpt-4.1-mini", "OPENAI_API_KEY",
        about="Any service that speaks OpenAI's protocol: write its address. Your rows are sent there, and it costs "
        "money: enter the prices so that this page can work with them.",
    ),
    "local": Server(
        "Hugging Face model in this program", "local", "local-model", model="Qwen/Qwen3-0.6B",
        about="A name or a folder. No server is needed; slow without a GPU.",
    ),
    "pretend": Server(
        "Stand-in: asks nobody", "stand-in", "pretend",
        about="Replies are made up at once, to see a recipe run. The scores mean nothing.",
    ),
}  # fmt: skip
