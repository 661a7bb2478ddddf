"""LLaMA-Factory's acceptance rules, as release 0.9.5 has them.

Read from `data/converter.py`, `data/processor/supervised.py`, `data/template.py`, `data/formatter.py` and
`data/mm_plugin.py`. What happens to a record there:

- The converter turns it into prompt turns and one answer. It empties records whose roles do not alternate (user or tool
  answer, then assistant or tool call) or whose number of turns is odd. The processor then drops every record without
  exactly one answer. An Alpaca `output` that is not text gives no answer; an empty text is an answer, and is learnt.
- The template takes text only: a turn without text, a tool call or a tool list that is not JSON, and images that do not
  match their marks end the whole run with an error.
- Every answer is trained on, earlier ones too; loss weights are not read.
- What exceeds `cutoff_len` is cut, question and answer in proportion, later turns entirely.
"""

from __future__ import annotations

import json
from typing import Any

from curation.exporters.check.report import Reading, Segment, dropped, stops, used

VERSION = "LLaMA-Factory 0.9.5"
LIMIT_NAME = "cutoff_len"
DEFAULT_LIMIT = 2048

IMAGE_MARKS = {"images": "<image>", "videos": "<video>", "audios": "<audio>"}
THOUGHT = ("<think>", "</think>")

EMPTY_ANSWER = "an empty answer: the model learns to say nothing"
LOSS_WEIGHTS = "loss weights are not read: every answer is trained on"
HISTORY_UNREAD = "earlier turns in a CSV cell are not read"
TEXT_BESIDE_CALL = "text beside a tool call is not read"
LOOSE_TOOLS = "a tool without name or parameters.properties: the default tool format ends the run on it"
THINKING_OFF = "'detailed thinking off' is added to the system prompt by formatting: openai"

_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "observation": "tool",
    "tool": "tool",
    "function_call": "call",
    "system": "system",
}
_ASKING, _ANSWERING = ("user", "tool"), ("assistant", "call")

Turn = tuple[str, Any]  # role of ours ("call" for a tool call), content as the record has it


def read_alpaca(record: dict[str, Any]) -> Reading:
    """What becomes of a record in Alpaca form (instruction, input, output, history, system, tools)."""
    turns: list[Turn] = []
    history = record.get("history")
    notes = [HISTORY_UNREAD] if history and not isinstance(history, list) else []
    if isinstance(history, list):
        for pair in history:
            if not isinstance(pair, list) or len(pair) != 2:
                return stops("history that is not pairs")
            turns += [("user", pair[0]), ("assistant", pair[1])]
    query = [record[name] for name in ("instruction", "input") if record.get(name)]
    if not all(isinstance(text, str) for text in query):
        return stops("instruction or input is not text")
    turns.append(("user", "\n".join(query)))
    if not isinstance(record.get("output"), str):
        return dropped("empty output")
    turns.append(("assistant", record["output"]))
    return _render(record, record.get("system"), turns, notes=notes)


def read_prompt_completion(record: dict[str, Any]) -> Reading:
    """What becomes of a record with two texts, read in Alpaca form with its columns renamed."""
    if isinstance(record.get("prompt"), list):
        return stops("prompt is a list of messages")
    return read_alpaca({"instruction": record.get("prompt"), "output": record.get("completion")})


def read_sharegpt(record: dict[str, Any]) -> Reading:
    """What becomes of a record in ShareGPT form ({"from", "value"} turns)."""
    return _read_turns(record, record.get("conversations"), "from", "value", ("human", "observation"))


def read_messages(record: dict[str, Any]) -> Reading:
    """What becomes of a messages record under `formatting: sharegpt` with the tags role, content, user, ..., tool."""
    return _read_turns(record, record.get("messages"), "role", "content", ("user", "tool"))


def _read_turns(record: dict[str, Any], turns: Any, role_key: str, text_key: str, asking: tuple[str, str]) -> Reading:
    answering = ("gpt", "function_call") if role_key == "from" else ("assistant", "function_call")
    if not isinstance(turns, list) or any(not isinstance(t, dict) or role_key not in t for t in turns):
        return stops("turns without roles")
    system: Any = record.get("system")
    if turns and turns[0][role_key] == "system":
        system, turns = turns[0].get(text_key), turns[1:]
    aligned: list[Turn] = []
    for i, turn in enumerate(turns):
        if turn[role_key] not in (asking, answering)[i % 2]:
            return dropped("role order" if turn[role_key] in _ROLES else "unknown role")
        aligned.append((_ROLES[turn[role_key]], turn.get(text_key)))
    if not aligned:
        return dropped("no turns")
    if len(aligned) % 2:
        return dropped("no answer at the end")
    return _render(record, system, aligned, turns)


def read_openai(record: dict[str, Any]) -> Reading:
    """What becomes of a messages record under `formatting: openai`, which reads `tool_calls`."""
    turns = record.get("messages")
    if not isinstance(turns, list) or any(not isinstance(t, dict) or "role" not in t for t in turns):
        return stops("turns without roles")
    system: Any = record.get("system")
    if turns and turns[0]["role"] == "system":
        system, turns = turns[0].get("content"), turns[1:]
    if system and not isinstance(system, str):
        return stops("a system message that is not text")
    if isinstance(record.get("tools"), (list, dict)):
        record = {**record, "tools": json.dumps(record["tools"])}
    notes = [] if record.get("tools") or "detailed thinking o" in str(system or "") else [THINKING_OFF]
    if any(turn["role"] not in ("user", "assistant", "tool", "system") for turn in turns):
        return stops("unknown role")
    if any(turn.get("tool_calls") and turn.get("content") for turn in turns):
        notes.append(TEXT_BESIDE_CALL)
    aligned = _join_results([_openai_turn(turn) for turn in turns])
    if aligned is None:
        return stops("a turn without text")
    if any(role not in (_ASKING, _ANSWERING)[i % 2] for i, (role, _) in enumerate(aligned)):
        return dropped("role order")
    if not aligned:
        return dropped("no turns")
    if len(aligned) % 2:
        return dropped("no answer at the end")
    return _render(record, system, aligned, turns, notes)


def _join_results(turns: list[Turn]) -> list[Turn] | None:
    """Tool results in a row become one turn; those at the end are never read. None when one of them is no text."""
    aligned: list[Turn] = []
    results: list[Any] = []
    for role, content in turns:
        if role == "tool":
            results.append(content)
            continue
        if results:
            if not all(isinstance(text, str) for text in results):
                return None
            aligned.append(("tool", "\n".join(results)))
            results = []
        aligned.append((role, content))
    return aligned


def _openai_turn(turn: dict[str, Any]) -> Turn:
    if turn["role"] == "assistant" and turn.get("tool_calls"):
        return "call", json.dumps([call.get("function") for call in turn["tool_calls"]])
    return str(turn["role"]), turn.get("content")


def _render(
    record: dict[str, Any],
    system: Any,
    turns: list[Turn],
    raw: list[dict[str, Any]] | None = None,
    notes: list[str] | None = None,
) -> Reading:
    """What the template does with turns in good order."""
    problem = _media_problem(record, turns) or _turn_problem(turns) or _tools_problem(record.get("tools"), system)
    if problem:
        return stops(problem)
    found = list(notes or [])
    if turns[-1][1] == "":
        found.append(EMPTY_ANSWER)
    if record.get("tools") and not all(map(_is_described, json.loads(record["tools"]))):
        found.append(LOOSE_TOOLS)
    if any(t.get("weight") == 0 for t in raw or [] if t.get("role", t.get("from")) in ("assistant", "gpt")):
        found.append(LOSS_WEIGHTS)
    segments = [Segment(f"{system}{record.get('tools') or ''}", False, "system")] if system else []
    segments += [Segment(text, role in _ANSWERING, {"call": "assistant"}.get(role, role)) for role, text in turns]
    return used(segments, found)


def _turn_problem(turns: list[Turn]) -> str:
    for role, text in turns:
        if not isinstance(text, str):
            return "a turn without text"
        if role == "call" and not _is_call(text):
            return "a tool call that is not JSON"
    return ""


def _is_call(text: str) -> bool:
    start, end = text.find(THOUGHT[0]), text.find(THOUGHT[1])
    if 0 <= start < end:
        text = text[:start] + text[end + len(THOUGHT[1]) :]
    try:
        calls = json.loads(text)
    except json.JSONDecodeError:
        return False
    calls = calls if isinstance(calls, list) else [calls]
    return all(isinstance(c, dict) and {"name", "arguments"} <= c.keys() for c in calls)


def _tools_problem(tools: Any, system: Any) -> str:
    if system is not None and not isinstance(system, str):
        return "a system message that is not text"
    if not tools:
        return ""
    if not isinstance(tools, str):
        return "tools are not JSON text"
    try:
        found = json.loads(tools)
    except json.JSONDecodeError:
        return "tools are not JSON text"
    if not isinstance(found, list) or not all(isinstance(t, dict) for t in found):
        return "tools are not a list"
    return ""


def _is_described(tool: dict[str, Any]) -> bool:
    inner = tool.get("function", "") if tool.get("type") == "function" else tool
    parameters = inner.get("parameters") if isinstance(inner, dict) and "name" in inner else None
    return isinstance(parameters, dict) and isinstance(parameters.get("properties"), dict)


def _media_problem(record: dict[str, Any], turns: list[Turn]) -> str:
    for column, mark in IMAGE_MARKS.items():
        files = record.get(column) or []
        marks = sum(text.count(mark) for _, text in turns if isinstance(text, str))
        if files and len(files) != marks:
            return f"{column} that do not match their {mark} marks"
    return ""


def keep_lengths(source: int, target: int, room: int) -> tuple[int, int]:
    """Tokens of a question and its answer that fit into `room`: the shorter first, both in proportion otherwise."""
    if target * 2 < room:
        most = room
    elif source * 2 < room:
        most = room - source
    else:
        most = int(room * (target / (source + target)))
    kept = min(most, target)
    return min(max(room - kept, 0), source), kept


def loses_answer(pairs: list[tuple[int, int]], limit: int) -> bool:
    """True when cutting (question, answer) token counts at `limit` takes a part of an answer."""
    total = 0
    for source, target in pairs:
        if total >= limit:
            return True
        kept_source, kept = keep_lengths(source, target, limit - total)
        if kept < target:
            return True
        total += kept_source + kept
    return False
