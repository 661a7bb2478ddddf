"""What all record forms share: reading a conversation, refusing what a form cannot say, and extra columns.

A form is a pure function from a conversation to a dictionary. It either says everything the conversation holds or
raises `InexpressibleError`: then the row is left out of the file, counted, named in the card and kept as it came in
`not_in_file.jsonl`. Nothing is flattened in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from curation.exporters._rows import dumps, loads

MEDIA = {"image": "images", "video": "videos", "audio": "audios"}
"""Kind of a typed part → the column that lists its files. The text holds `<image>` where the file belongs."""

TEXT_PARTS = ("text", "input_text", "output_text")

KNOWN_KEYS = frozenset({"role", "content", "parts", "weight", "tool_calls", "name"})
"""Keys of a Message."""

TURN_KEYS = KNOWN_KEYS | {"from", "speaker", "value", "text", "loss_weight", "train", "function_call"}
"""Keys of original turns that became a Message."""


class InexpressibleError(Exception):
    """A form has no way to say something that a row holds.

    Args:
        reason: What, in a few words; rows are counted by it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Convert = Callable[[list[dict[str, Any]], Any, Any], dict[str, Any]]


@dataclass(frozen=True)
class Form:
    """A way to write one conversation as one dictionary.

    Args:
        name: "alpaca", "sharegpt", "messages" or "prompt_completion".
        convert: (messages, tools, record) → the columns of the form; optional columns only where there is something.
        columns: Columns that every record has.
        empty: Optional columns in their order, and what stands in them where a record has nothing.
        style: Which variant, where a form has several ("text" or "messages" for prompt_completion).
    """

    name: str
    convert: Convert
    columns: tuple[str, ...]
    empty: dict[str, Any] = field(default_factory=dict)
    style: str = ""


# ---------------------------------------------------------------------- reading a conversation


def media_of(part: dict[str, Any]) -> tuple[str, Any] | None:
    """Kind and reference of a typed part that is not text: `("image", "cat.png")`; None for text.

    Raises:
        InexpressibleError: if the part is of a kind without a column.
    """
    kind = str(part.get("type", "text"))
    if kind in TEXT_PARTS:
        return None
    base = kind.removeprefix("input_").removesuffix("_url")
    if base not in MEDIA:
        raise InexpressibleError(f"part of type {kind}")
    reference = next((part[k] for k in (kind, base, "path", "url", "value", "file") if part.get(k) is not None), None)
    if isinstance(reference, dict):
        reference = reference.get("url") or reference.get("path")
    return base, reference


def has_media(message: dict[str, Any]) -> bool:
    """True when a turn holds a part that is not text."""
    return any(part.get("type", "text") not in TEXT_PARTS for part in message.get("parts") or [])


def part_text(part: dict[str, Any]) -> str:
    """The text of a text part, whatever its key."""
    return str(next((part[k] for k in ("text", "value", "content") if part.get(k) is not None), ""))


def flat_text(message: dict[str, Any], media: dict[str, list[str]]) -> str:
    """The turn as one text with `<image>` where files belong; the files are appended to `media`.

    Args:
        message: One turn.
        media: Column → files, in the order of their places; added to.

    Raises:
        InexpressibleError: if a file has no path, or the text itself contains the mark.
    """
    if not has_media(message):
        return str(message["content"])
    pieces = []
    for part in message["parts"]:
        found = media_of(part)
        if found is None:
            text = part_text(part)
            if any(f"<{kind}>" in text for kind in MEDIA):
                raise InexpressibleError("an image mark inside the text")
            pieces.append(text)
            continue
        kind, reference = found
        if not isinstance(reference, str):
            raise InexpressibleError(f"{kind} without a path")
        media.setdefault(MEDIA[kind], []).append(reference)
        pieces.append(f"<{kind}>")
    return "".join(pieces)


def split_system(messages: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The leading system text ("" if none) and the turns after it."""
    if messages and messages[0]["role"] == "system":
        return str(messages[0]["content"]), messages[1:]
    return "", messages


def pairs(turns: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Turns as (user, assistant) pairs; the last assistant is None when the last question has no answer.

    One answer alone (plain text to complete) is a pair with an empty question.

    Raises:
        InexpressibleError: for any other order of roles.
    """
    if any(m["role"] == "tool" or m.get("tool_calls") for m in turns):
        raise InexpressibleError("tool calls")
    if any(m["role"] == "system" for m in turns):
        raise InexpressibleError("a system message after the start")
    if len(turns) == 1 and turns[0]["role"] == "assistant":
        turns = [{"role": "user", "content": ""}, *turns]
    wanted = [("user", "assistant")[i % 2] for i in range(len(turns))]
    if not turns or [m["role"] for m in turns] != wanted:
        raise InexpressibleError("role order")
    answers = [*turns[1::2], *([None] if len(turns) % 2 else [])]
    return list(zip(turns[::2], answers, strict=True))


def usual_weights(messages: list[dict[str, Any]]) -> None:
    """Refuse loss weights other than the usual (answers 1, the rest 0), for forms without a place for them.

    Raises:
        InexpressibleError: if there is one.
    """
    for message in messages:
        weight = message.get("weight")
        if weight is not None and float(weight) != float(message["role"] == "assistant"):
            raise InexpressibleError("loss weights")


def more_of(message: dict[str, Any]) -> dict[str, Any]:
    """What a turn holds beyond what every form can say: the speaker's name and keys of its publisher."""
    return {k: v for k, v in message.items() if (k == "name" or k not in KNOWN_KEYS) and v is not None}


def turn_fields(messages: list[dict[str, Any]]) -> str | None:
    """`more_of` of all turns as JSON text, for forms without turns; None when there is nothing."""
    found = [more_of(message) for message in messages]
    return dumps(found) if any(found) else None


def carry_turn_fields(messages: list[dict[str, Any]], record: Any) -> list[dict[str, Any]]:
    """Add the keys of the original turns that are not part of a conversation, such as a time or a source.

    Args:
        messages: The conversation.
        record: The original record; its list of turns is found by its length.
    """
    if not isinstance(record, dict):
        return messages
    for turns in record.values():
        if not isinstance(turns, list) or not turns or not all(isinstance(t, dict) for t in turns):
            continue
        if not any(key in turns[0] for key in ("from", "role", "speaker")):
            continue
        offset = len(messages) - len(turns)
        if offset not in (0, 1) or (offset and messages[0]["role"] != "system"):
            continue
        more = [{k: v for k, v in t.items() if k not in TURN_KEYS and v is not None} for t in turns]
        if any(more):
            joined = [{**e, **m} for m, e in zip(messages[offset:], more, strict=True)]
            return [*messages[:offset], *joined]
    return messages


def arguments_of(call: dict[str, Any], *, as_text: bool) -> Any:
    """The arguments of a tool call, as JSON text or as an object; text that is no JSON stays text."""
    arguments = call.get("arguments")
    if as_text:
        return arguments if isinstance(arguments, str) else dumps(arguments if arguments is not None else {})
    if not isinstance(arguments, str):
        return arguments if arguments is not None else {}
    try:
        return loads(arguments)
    except ValueError:
        return arguments


def tools_text(tools: Any) -> str:
    """Tools as JSON text, the one way that all three trainers read."""
    return tools if isinstance(tools, str) else dumps(tools)


def put_media(record: dict[str, Any], media: dict[str, list[str]]) -> dict[str, Any]:
    """Add the media columns that have files."""
    record.update({column: files for column, files in media.items() if files})
    return record


# ---------------------------------------------------------------------- extra columns

USED_FIELDS: dict[str, tuple[str, ...]] = {
    "alpaca": ("instruction", "input", "output", "response", "system", "history"),
    "dolly": ("instruction", "context", "response"),
    "prompt-completion": ("prompt", "completion", "response", "system"),
    "sharegpt": ("conversations", "system", "tools"),
    "messages": ("messages", "system", "tools"),
    "preference": ("conversations", "messages", "prompt", "chosen", "system", "tools"),
    "text-label": ("text", "label", "category"),
    "slots": ("intent",),
}
"""Record fields that became the conversation, for sources whose reader noted no mapping."""

USED_ROLES = (
    *("prompt", "input", "response", "system", "history", "conversations", "chosen", "text", "label", "intent"),
    *("tools", "images"),
)
"""Roles of a reader's mapping whose field is said by the conversation. Tokens are not: tags count on them."""

MEDIA_COLUMNS = frozenset(MEDIA.values())


def used_fields(facts: dict[str, Any]) -> dict[str, frozenset[str]]:
    """For each source, the record fields that became the conversation; the others are extra columns.

    Args:
        facts: `Dataset.facts`; every entry of `sources` may have a `mapping` (role → field name).
    """
    used = {}
    for source in facts.get("sources", []):
        mapping = source.get("mapping") or {}
        if not mapping:
            continue
        roles = [role for role in USED_ROLES if not (role == "label" and mapping.get("label_names"))]
        used[source.get("name", "")] = frozenset(name for role in roles if isinstance(name := mapping.get(role), str))
    return used


def extra_fields(record: Any, form: str, used: frozenset[str] | None) -> dict[str, Any]:
    """Fields of a record that did not become the conversation.

    Args:
        record: The original record.
        form: The form it was read as.
        used: Fields that did, or None when the reader noted nothing about its source.
    """
    if not isinstance(record, dict):
        return {}
    known = used if used is not None else frozenset(USED_FIELDS.get(form, ()))
    return {key: value for key, value in record.items() if key not in known}
