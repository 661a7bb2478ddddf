"""OpenAI messages: a list of turns, each {"role": ..., "content": ...}; one record a line."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from curation.exporters._base import JsonExporter
from curation.exporters._forms import (
    Form,
    arguments_of,
    flat_text,
    has_media,
    media_of,
    more_of,
    part_text,
    put_media,
    tools_text,
)

Images = Literal["parts", "slots", "marks"]


def to_messages(
    messages: list[dict[str, Any]],
    tools: Any = None,
    record: Any = None,
    *,
    arguments: Literal["text", "object"] = "text",
    tools_as_text: bool = False,
    images: Images = "parts",
) -> dict[str, Any]:
    """One conversation as an OpenAI chat record. This form says everything a conversation can hold.

    Args:
        messages: The conversation.
        tools: The tools offered, or None.
        record: Not used; every form has the same signature.
        arguments: Arguments of tool calls as JSON text (OpenAI's own way) or as objects (what chat templates expect).
        tools_as_text: The tools column as JSON text rather than as a list.
        images: How a turn shows images: as typed parts as the record had them ("parts"), as empty typed parts with the
            files in an `images` column ("slots", TRL's way), or as `<image>` in the text with that column ("marks").

    Returns:
        `messages`, and of `tools`, `images`, `videos`, `audios` those needed.

    Raises:
        InexpressibleError: if an image has no path, unless they stay as parts.
    """
    media: dict[str, list[str]] = {}
    out: dict[str, Any] = {"messages": [_turn(m, arguments, images, media) for m in messages]}
    if tools:
        out["tools"] = tools_text(tools) if tools_as_text else tools
    return put_media(out, media)


def _turn(message: dict[str, Any], arguments: str, images: Images, media: dict[str, list[str]]) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message["role"]}
    if images == "parts" and has_media(message):
        turn["content"] = [_part(part) for part in message["parts"]]
    elif images == "slots" and has_media(message):
        flat_text(message, media)  # collects the files
        kinds = [(part, media_of(part)) for part in message["parts"]]
        turn["content"] = [{"type": found[0]} if found else _part(part) for part, found in kinds]
    else:
        turn["content"] = flat_text(message, media)
    if message.get("tool_calls"):
        turn["tool_calls"] = [_call(call, as_text=arguments == "text") for call in message["tool_calls"]]
    if message.get("weight") is not None:
        turn["weight"] = message["weight"]
    turn.update({k: v for k, v in more_of(message).items() if k not in turn})
    return turn


def _call(call: dict[str, Any], *, as_text: bool) -> dict[str, Any]:
    function = {k: v for k, v in call.items() if k not in ("id", "type")}
    function["arguments"] = arguments_of(call, as_text=as_text)
    return {**({"id": call["id"]} if call.get("id") else {}), "type": "function", "function": function}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    # images stay as the record had them; only the key of a text part differs between publishers
    if media_of(part) is not None or set(part) - {"type", "text", "value"}:
        return part
    return {"type": "text", "text": part_text(part)}


def messages_form(
    *, arguments: Literal["text", "object"] = "text", tools_as_text: bool = False, images: Images = "parts"
) -> Form:
    """The messages form with its options set."""
    convert = partial(to_messages, arguments=arguments, tools_as_text=tools_as_text, images=images)
    return Form(
        "messages", convert, ("messages",), {"tools": None, "images": None, "videos": None, "audios": None}, arguments
    )


class Messages(JsonExporter):
    """OpenAI chat messages ({"role", "content"} turns), one JSON object a line."""

    title: ClassVar[str] = "Messages (JSONL)"
    weakness: ClassVar[str] = "Trainers read loss weights and tool calls in it differently; the trainer check says how."
    source: ClassVar[str] = "https://platform.openai.com/docs/guides/supervised-fine-tuning"
    suffix: ClassVar[str] = ".jsonl"

    arguments: Literal["auto", "text", "object"] = Field(
        "auto",
        description="Arguments of tool calls as JSON text or as objects; auto: objects for TRL, text otherwise.",
    )

    def form(self) -> Form:
        """The record form for the chosen trainer."""
        wanted = self.arguments if self.arguments != "auto" else "object" if self.trainer == "trl" else "text"
        shown: dict[str, Images] = {"llama-factory": "marks", "axolotl": "parts", "trl": "slots"}
        trained = self.trainer != "none"
        return messages_form(arguments=wanted, tools_as_text=trained, images=shown.get(self.trainer, "parts"))
