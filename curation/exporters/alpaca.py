"""Alpaca: one dictionary of instruction, input and output, earlier turns in `history`."""

from __future__ import annotations

from typing import Any, ClassVar

from curation.exporters._base import JsonExporter
from curation.exporters._forms import (
    Form,
    flat_text,
    pairs,
    put_media,
    split_system,
    tools_text,
    turn_fields,
    usual_weights,
)

INPUT_FIELDS = ("input", "context")


def to_alpaca(messages: list[dict[str, Any]], tools: Any = None, record: Any = None) -> dict[str, Any]:
    """One conversation as an Alpaca record.

    Earlier question-answer pairs go into `history`; a leading system message into `system`; tools that are offered but
    never called into `tools` (JSON text); images into `images` with `<image>` in the text; names of speakers and a
    publisher's own keys of turns into `turn_fields` (JSON text). A question without an answer has `output` None.

    Args:
        messages: The conversation.
        tools: The tools offered, or None.
        record: The original record: where it splits the last question into instruction and input, so do we.

    Returns:
        `instruction`, `input`, `output`, and of `system`, `history`, `tools`, `images`, `videos`, `audios`,
        `turn_fields` those needed.

    Raises:
        InexpressibleError: for tool calls, roles that do not alternate, and unusual loss weights.
    """
    usual_weights(messages)
    system, turns = split_system(messages)
    media: dict[str, list[str]] = {}
    texts = [
        (flat_text(user, media), None if answer is None else flat_text(answer, media)) for user, answer in pairs(turns)
    ]
    question, answer = texts[-1]
    if not answer and isinstance(record, dict) and record.get("output", "") is None:
        answer = None  # missing is missing: trainers treat no answer and an empty one differently
    instruction, extra = split_question(question, record)
    out: dict[str, Any] = {"instruction": instruction, "input": extra, "output": answer}
    if system:
        out["system"] = system
    if len(texts) > 1:
        out["history"] = [[user, reply] for user, reply in texts[:-1]]
    if tools:
        out["tools"] = tools_text(tools)
    more = turn_fields(messages)
    if more:
        out["turn_fields"] = more
    return put_media(out, media)


def split_question(question: str, record: Any) -> tuple[str, str]:
    """Instruction and input of a question, as the original record splits it; all of it is instruction otherwise."""
    if not isinstance(record, dict) or not isinstance(record.get("instruction"), str):
        return question, ""
    instruction = record["instruction"]
    for name in INPUT_FIELDS:
        given = record.get(name)
        if isinstance(given, str) and given and question in (f"{instruction}\n{given}", f"{instruction}\n\n{given}"):
            return instruction, given
    return question, ""


ALPACA = Form(
    "alpaca",
    to_alpaca,
    ("instruction", "input", "output"),
    {"system": "", "history": [], "tools": None, "images": None, "videos": None, "audios": None, "turn_fields": None},
)


class Alpaca(JsonExporter):
    """Alpaca records (instruction, input, output) as a JSON list or JSON lines."""

    title: ClassVar[str] = "Alpaca (JSON)"
    weakness: ClassVar[str] = "Cannot say tool calls or loss weights; such rows are left out and listed."
    source: ClassVar[str] = "https://github.com/tatsu-lab/stanford_alpaca"
    suffix: ClassVar[str] = ".json"

    def form(self) -> Form:
        """The record form."""
        return ALPACA
