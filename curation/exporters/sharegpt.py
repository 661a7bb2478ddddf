"""ShareGPT: a list of turns, each {"from": ..., "value": ...}."""

from __future__ import annotations

from typing import Any, ClassVar

from curation.exporters._base import JsonExporter
from curation.exporters._forms import (
    Form,
    InexpressibleError,
    arguments_of,
    flat_text,
    more_of,
    put_media,
    tools_text,
)
from curation.exporters._rows import dumps, loads

SPEAKER = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def to_sharegpt(messages: list[dict[str, Any]], tools: Any = None, record: Any = None) -> dict[str, Any]:
    """One conversation as a ShareGPT record.

    A system message is a turn of its own. A tool call is a turn `function_call` whose value is JSON: one object
    {"name", "arguments"}, or a list of them; a tool's answer is an `observation`. Loss weights and names stay on their
    turn as `weight` and `name`.

    Args:
        messages: The conversation.
        tools: The tools offered, or None.
        record: Not used; every form has the same signature.

    Returns:
        `conversations`, and of `tools` (JSON text), `images`, `videos`, `audios` those needed.

    Raises:
        InexpressibleError: for text beside a tool call in one turn.
    """
    media: dict[str, list[str]] = {}
    turns = []
    for message in messages:
        turn: dict[str, Any] = {"from": SPEAKER[message["role"]], "value": None}
        if message.get("tool_calls"):
            turn["from"] = "function_call"
            turn["value"] = call_text(message)
        else:
            turn["value"] = flat_text(message, media)
        if message.get("weight") is not None:
            turn["weight"] = message["weight"]
        turn.update({k: v for k, v in more_of(message).items() if k not in turn})
        turns.append(turn)
    out: dict[str, Any] = {"conversations": turns}
    if tools:
        out["tools"] = tools_text(tools)
    return put_media(out, media)


def call_text(message: dict[str, Any]) -> str:
    """The value of a `function_call` turn; as the record had it where that says the same.

    Raises:
        InexpressibleError: if the turn also holds other text.
    """
    calls = [{**c, "arguments": arguments_of(c, as_text=False)} for c in message["tool_calls"]]
    said = calls[0] if len(calls) == 1 else calls
    content = message.get("content") or ""
    if not content.strip():
        return dumps(said)
    try:
        given = loads(content)
    except ValueError:
        raise InexpressibleError("text beside a tool call") from None
    given_calls = [given] if isinstance(given, dict) else given
    same = isinstance(given_calls, list) and all(isinstance(c, dict) for c in given_calls)
    if same and [{**c, "arguments": arguments_of(c, as_text=False)} for c in given_calls] == calls:
        return str(content)
    raise InexpressibleError("text beside a tool call")


SHAREGPT = Form(
    "sharegpt", to_sharegpt, ("conversations",), {"tools": None, "images": None, "videos": None, "audios": None}
)


class Sharegpt(JsonExporter):
    """ShareGPT conversations ({"from", "value"} turns) as a JSON list or JSON lines."""

    title: ClassVar[str] = "ShareGPT (JSON)"
    weakness: ClassVar[str] = "Cannot say text and a tool call in one turn; such rows are left out and listed."
    source: ClassVar[str] = "https://github.com/lm-sys/FastChat"
    suffix: ClassVar[str] = ".json"

    def form(self) -> Form:
        """The record form."""
        return SHAREGPT
