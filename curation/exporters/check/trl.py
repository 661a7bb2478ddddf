"""TRL's acceptance rules for SFT, as release 1.16.0 has them.

Read from `trainer/sft_trainer.py` and `data_utils.py`. What happens to a record there:

- `messages` is trained on as a whole, questions included, unless `assistant_only_loss=True` (which the script written
  here sets); then a record without an assistant turn ends the run with an error. `prompt` with `completion` is trained
  on the completion.
- Whether the file is text or conversation is decided by its first record; one kind must hold for all.
- What exceeds `max_length` (1,024 unless set) is cut at the end; a record left without one trained token is dropped.
- Loss weights are not read. ShareGPT's keys are renamed, but its role names are not.
- A column named prompt, completion, images, text or input_ids changes how the file is read; the exporter renames such
  extra columns.
"""

from __future__ import annotations

import json
from typing import Any

from curation.exporters.check.report import Reading, Segment, stops, used

VERSION = "TRL 1.16.0"
LIMIT_NAME = "max_length"
DEFAULT_LIMIT = 2048  # its own default is 1,024; the script written here names the limit

ROLES = ("system", "user", "assistant", "tool")
NO_ANSWER = "no assistant turn under assistant_only_loss"
EMPTY_ANSWER = "an empty answer: the model learns to say nothing"
LOSS_WEIGHTS = "loss weights are not read: every answer is trained on"
TEXT_ARGUMENTS = "tool arguments are JSON text; many chat templates expect objects"


def read_alpaca(record: dict[str, Any]) -> Reading:
    """TRL has no reader for Alpaca columns."""
    return stops("no column that TRL reads")


def read_sharegpt(record: dict[str, Any]) -> Reading:
    """What becomes of a ShareGPT record: its roles (human, gpt) reach the chat template as they are."""
    turns = record.get("conversations")
    if not isinstance(turns, list) or not turns:
        return stops("no turns")
    if any(turn.get("from") not in ROLES for turn in turns):
        return stops("unknown role")
    return read_messages({**record, "messages": [{**t, "role": t["from"], "content": t.get("value")} for t in turns]})


def read_messages(record: dict[str, Any]) -> Reading:
    """What becomes of a messages record with `assistant_only_loss=True`."""
    turns = record.get("messages")
    problem = _problem(record, turns)
    if problem or not isinstance(turns, list):
        return stops(problem)
    if not any(turn["role"] == "assistant" for turn in turns):
        return stops(NO_ANSWER)
    return _used(turns, [turn["role"] == "assistant" for turn in turns])


def read_prompt_completion(record: dict[str, Any]) -> Reading:
    """What becomes of a prompt and a completion, both texts or both lists of messages."""
    prompt, completion = record.get("prompt"), record.get("completion")
    if isinstance(prompt, str) and isinstance(completion, str):
        notes = [EMPTY_ANSWER] if not completion else []
        return used([Segment(prompt, False, "user"), Segment(completion, True, "assistant")], notes)
    if not isinstance(prompt, list) or not isinstance(completion, list):
        return stops("empty completion" if completion is None else "prompt and completion of different kinds")
    turns = [*prompt, *completion]
    problem = _problem(record, turns)
    if problem:
        return stops(problem)
    return _used(turns, [False] * len(prompt) + [True] * len(completion))


def _problem(record: dict[str, Any], turns: Any) -> str:
    if not isinstance(turns, list) or not turns:
        return "no turns"
    if any(not isinstance(t, dict) or t.get("role") not in ROLES for t in turns):
        return "unknown role"
    if any(t.get("content") is None and not t.get("tool_calls") for t in turns):
        return "a turn without text"
    tools = record.get("tools")
    if isinstance(tools, str):
        try:
            json.loads(tools)
        except json.JSONDecodeError:
            return "tools that are not JSON"
    return ""


def _used(turns: list[dict[str, Any]], trained: list[bool]) -> Reading:
    notes = []
    segments = []
    for turn, learnt in zip(turns, trained, strict=True):
        content = turn.get("content")
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False) if content else ""
        for call in turn.get("tool_calls") or []:
            if isinstance((call.get("function") or {}).get("arguments"), str):
                notes.append(TEXT_ARGUMENTS)
            text += json.dumps(call.get("function"), ensure_ascii=False)
        segments.append(Segment(text, learnt, turn["role"]))
        if learnt and turn.get("weight") == 0:
            notes.append(LOSS_WEIGHTS)
    if segments[-1].trained and not segments[-1].text:
        notes.append(EMPTY_ANSWER)
    return used(segments, sorted(set(notes)))
