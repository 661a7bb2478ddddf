"""Images that a record names beside its text: where in the conversation they are shown.

LLaMA-Factory and TRL keep a list of images next to the turns. A turn shows them with `<image>` marks in its text or
with parts of type "image" that hold nothing yet. Images that no turn asks for are shown before the first user text.
"""

from __future__ import annotations

from typing import Any

from curation.core.dataset import Message
from curation.readers._json import unpacked
from curation.readers._record import MISSING, Reject, kind_of

MARK = "<image>"


def with_images(messages: list[Message], value: Any, name: str | None) -> list[Message]:
    """Put images into the parts of the messages that show them; the texts stay as they are.

    Args:
        messages: The conversation.
        value: One image or a list of them; an image is a path, a URL, or an object (path, bytes). Null and missing
            mean none.
        name: The field they come from, for refusals.

    Raises:
        Reject: if `value` is anything else.
    """
    if value is None or value is MISSING or value == "":
        return messages
    value = unpacked(value)
    images = value if isinstance(value, list) else [value]
    for position, image in enumerate(images):
        if not isinstance(image, str | dict):
            raise Reject(f"{name}[{position}]", f"is {kind_of(image)}, a path or an object is needed")
    waiting = list(images)
    shown = [_shown(message, waiting) for message in messages]
    if waiting:
        at = next((i for i, m in enumerate(shown) if m["role"] == "user"), 0)
        before: list[dict[str, Any]] = [{"type": "image", "image": image} for image in waiting]
        shown[at] = {**shown[at], "parts": before + shown[at].get("parts", _text_part(shown[at]["content"]))}
    return shown


def _text_part(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}] if text else []


def _shown(message: Message, waiting: list[Any]) -> Message:
    if not waiting:
        return message
    if "parts" in message:
        parts = []
        for part in message["parts"]:
            empty = part.get("type") == "image" and not any(v is not None for k, v in part.items() if k != "type")
            parts.append({**part, "image": waiting.pop(0)} if empty and waiting else part)
        return {**message, "parts": parts}
    pieces = message["content"].split(MARK)
    if len(pieces) == 1:
        return message
    parts = _text_part(pieces[0])
    for piece in pieces[1:]:
        if waiting:
            parts.append({"type": "image", "image": waiting.pop(0)})
        parts += _text_part(piece)
    return {**message, "parts": parts}
