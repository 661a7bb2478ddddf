"""What is asked for an answer, and the row that an answer makes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from curation.core.dataset import Dataset
from curation.core.row import Message, Row
from curation.generators._lift import task_of
from curation.models.chat.turns import NOT_TEXT

NO_PROMPT = "no prompt"
EMPTY = "the answer is empty"

IfEmpty = Literal["missing", "keep"]


def asked_in(messages: Sequence[Message]) -> list[Message] | str:
    """A conversation up to its last answer, or why nothing can be answered.

    Earlier answers stay, for the last question may rest on them; a conversation that ends with a question stays whole.

    Args:
        messages: Of one row.

    Returns:
        At least one message of the user, all of them text; or a reason that counts well.
    """
    if any(part.get("type") != "text" for m in messages for part in m.get("parts", [])):
        return NOT_TEXT
    ends = bool(messages) and messages[-1]["role"] == "assistant"
    asked = list(messages[:-1] if ends else messages)
    if not any(m["role"] == "user" and m["content"].strip() for m in asked):
        return NO_PROMPT
    return asked


def answered_row(pool: Dataset, row: int, asked: Sequence[Message], answer: str, **fields: Any) -> Row:
    """The row with its new answer: the same messages before it, character for character.

    Its record is in Alpaca form where the row is one question that this form can hold as it is, else a list of
    messages; further fields stand in it, and `answer_parent`, the id of the row.

    Args:
        pool: The rows.
        row: Which of them.
        asked: What `asked_in` found in it.
        answer: New.
        **fields: Of the record.
    """
    messages: list[Message] = [*asked, {"role": "assistant", "content": answer}]
    tools = pool.tools(row)
    # a dataset is known by its records: equal answers to equal prompts of different rows are different rows
    fields["answer_parent"] = pool.row_id(row)
    task = task_of(asked, pool.record(row), tools)
    whole = "" if isinstance(task, str) else "\n\n".join(text for text in (task.system, task.asked) if text)
    if isinstance(task, str) or whole != "\n\n".join(m["content"] for m in asked):
        record: dict[str, Any] = {"messages": messages, **({} if tools is None else {"tools": tools}), **fields}
        return Row(messages, json.dumps(record, ensure_ascii=False), "", 0, "messages", tools)
    record = {"instruction": task.instruction, "input": task.input, "output": answer}
    record |= {"system": task.system} if task.system else {}
    return Row(messages, json.dumps({**record, **fields}, ensure_ascii=False), "", 0, "alpaca")
