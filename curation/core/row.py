"""One row before it is stored: a conversation, and what makes two conversations equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
encode_sorted = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False).encode


class Message(TypedDict):
    """One turn. `content` is its whole text; the other keys are present only where the record had them."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    parts: NotRequired[
        list[dict[str, Any]]
    ]  # typed parts as the record had them: {"type": "text" | "image" | ..., ...}
    weight: NotRequired[float]  # loss weight; absent = the trainer's default
    tool_calls: NotRequired[list[dict[str, Any]]]  # [{"name": ..., "arguments": ...}]
    name: NotRequired[str]


class Row(NamedTuple):
    """One record after reading, before it is written into a Dataset."""

    messages: list[Message]
    record: str
    source: str
    line: int
    form: str
    tools: Any = None
    parent: str | None = None


def prompt_of(messages: Sequence[Message]) -> str:
    """Everything the model reads: texts of all turns but the assistant's, joined by a blank line."""
    return "\n\n".join(m["content"] for m in messages if m["role"] != "assistant" and m["content"])


def response_of(messages: Sequence[Message]) -> str:
    """Everything the model should say: the assistant's texts and tool calls (as JSON), joined by a blank line."""
    said = []
    for message in messages:
        if message["role"] == "assistant":
            if message["content"]:
                said.append(message["content"])
            if "tool_calls" in message:
                said += [json.dumps(call, ensure_ascii=False) for call in message["tool_calls"]]
    return "\n\n".join(said)


def content_hash(messages: Sequence[Message], tools: Any = None) -> bytes:
    """16 bytes that are equal exactly for equal conversations."""
    return hash_texts(encode_sorted(messages), encode_sorted(tools))


def hash_texts(messages: str, tools: str) -> bytes:
    """`content_hash` of what is JSON text already."""
    text = f"[{messages},{tools}]"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
