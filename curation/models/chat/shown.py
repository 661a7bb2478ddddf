"""What a judge is shown of a row: the last answer, what it answers, and the conversation before."""

from __future__ import annotations

import json
from typing import Any

from curation.core.dataset import Dataset
from curation.core.row import Message, prompt_of, response_of
from curation.models._graders import unreadable

NO_RESPONSE = "no response to judge"
RESPONSE, INSTRUCTION, INPUT = "response", "instruction", "input"

Parts = list[tuple[str, str]]
"""(label, text), in the order of the conversation."""


def parts_of(pool: Dataset, row: int) -> Parts | str:
    """The parts of one row, or why it cannot be judged.

    The last answer is "response", the user's turn before it "instruction", with "input" apart from it where the record
    has it apart. What came earlier is "system text", "turn 1, user", "turn 2, assistant" and so on; tools that were
    offered come first.

    Args:
        pool: The rows.
        row: Its index.
    """
    messages = pool.messages(row)
    reason = unreadable(messages)
    if reason:
        return NO_RESPONSE if reason == "no response" else reason
    last = max(i for i, m in enumerate(messages) if m["role"] == "assistant")
    asked = max((i for i, m in enumerate(messages[:last]) if m["role"] == "user"), default=-1)
    parts: Parts = []
    tools = pool.tools(row)
    if tools:
        parts.append(("tools that were offered", json.dumps(tools, ensure_ascii=False, indent=1)))
    for i, message in enumerate(messages[:last]):
        if i == asked:
            parts += _question(message["content"], pool.record(row))
        elif message["role"] == "system":
            parts.append(("system text", message["content"]))
        else:
            parts.append((f"turn {i + 1}, {message['role']}", _text(message)))
    return [*parts, (RESPONSE, response_of([messages[last]]))]


def turned(parts: Parts) -> Parts:
    """The same with the response first."""
    return [parts[-1], *parts[:-1]]


def _text(message: Message) -> str:
    return response_of([message]) if message["role"] == "assistant" else prompt_of([message])


def _question(text: str, record: Any) -> Parts:
    """Instruction and input as the record holds them, where together they are the user's turn."""
    if isinstance(record, dict) and isinstance(record.get("instruction"), str):
        instruction = record["instruction"]
        for name in ("input", "context"):
            given = record.get(name)
            if isinstance(given, str) and given and text in (f"{instruction}\n{given}", f"{instruction}\n\n{given}"):
                return [(INSTRUCTION, instruction), (INPUT, given)]
    return [(INSTRUCTION, text)]
