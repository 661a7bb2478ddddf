"""Axolotl's acceptance rules, as release 0.19.0 has them.

Read from `prompt_strategies/chat_template.py`, `prompt_strategies/user_defined.py`, `prompt_tokenizers.py`,
`utils/data/utils.py` and `utils/trainer.py`. What happens to a record there:

- Longer than `sequence_len`: dropped (`excess_length_strategy: drop`, the default), not cut. Under 2 tokens: dropped.
- Without one trained token: dropped (with `sample_packing: true`, which the config written here sets).
- `chat_template` trains the roles in `roles_to_train`, here the assistant, unless a turn's own flag (`weight` here)
  says otherwise; an assistant turn without text trains nothing. An empty list of messages, tool arguments or tools
  that are not JSON end the run with an error. A null anywhere is taken away before.
- `alpaca` reads instruction, input and output only: system prompt and history are not read.
"""

from __future__ import annotations

import json
from typing import Any

from curation.exporters.check.report import Reading, Segment, dropped, stops, used

VERSION = "Axolotl 0.19.0"
LIMIT_NAME = "sequence_len"
DEFAULT_LIMIT = 2048  # its own default is 512; the config written here names the limit
MIN_TOKENS = 2

NO_ANSWER = "nothing to train on"
HISTORY_UNREAD = "earlier turns are not read by type: alpaca; export messages instead"
SYSTEM_UNREAD = "the system prompt is not read by type: alpaca; export messages instead"
IMAGES_UNREAD = "images are not read without a processor for the model"
LAST_UNTRAINED = "the last turn is not trained on"

ROLES = {
    "human": "user",
    "user": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "system": "system",
    "tool": "tool",
}
SHAREGPT_ROLES = {**ROLES, "observation": "tool", "function_call": "assistant"}
"""What `roles` in the config written for ShareGPT files adds."""


def read_alpaca(record: dict[str, Any]) -> Reading:
    """What becomes of an Alpaca record under `type: alpaca`."""
    if "instruction" not in record or "output" not in record:
        return stops("no instruction or output")
    notes = [HISTORY_UNREAD] if record.get("history") else []
    if record.get("system"):
        notes.append(SYSTEM_UNREAD)
    if record["output"] is not None and not isinstance(record["output"], str):
        return stops("output is not text")
    if not record["output"]:
        return dropped("empty output")
    prompt = "\n".join(str(record[k]) for k in ("instruction", "input") if record.get(k))
    return used([Segment(prompt, False, "user"), Segment(record["output"], True, "assistant")], notes)


def read_prompt_completion(record: dict[str, Any]) -> Reading:
    """What becomes of two texts under a `type` with field_instruction: prompt and field_output: completion."""
    if isinstance(record.get("prompt"), list):
        return stops("prompt is a list of messages")
    return read_alpaca({"instruction": record.get("prompt"), "output": record.get("completion")})


def read_sharegpt(record: dict[str, Any]) -> Reading:
    """What becomes of a ShareGPT record under `type: chat_template` with from and value mapped."""
    turns = record.get("conversations")
    if isinstance(turns, list):
        turns = [{**t, "role": t.get("from"), "content": t.get("value")} if isinstance(t, dict) else t for t in turns]
    return _read(record, turns, SHAREGPT_ROLES)


def read_messages(record: dict[str, Any]) -> Reading:
    """What becomes of a messages record under `type: chat_template`."""
    return _read(record, record.get("messages"), ROLES)


def _read(record: dict[str, Any], turns: Any, roles: dict[str, str]) -> Reading:
    problem = _turns_problem(turns) or _json_problem(record.get("tools"), "tools")
    if problem:
        return stops(problem)
    if isinstance(turns, str):
        turns = json.loads(turns)
    segments = []
    for turn in turns:
        role = roles.get(turn["role"], turn["role"])
        if role not in ("system", "user", "assistant", "tool"):
            return stops("unknown role")  # nearly every chat template raises on it
        text = _text(turn.get("content"))
        for call in turn.get("tool_calls") or []:
            problem = _json_problem((call.get("function") or {}).get("arguments"), "tool arguments")
            if problem:
                return stops(problem)
            text += json.dumps(call.get("function"), ensure_ascii=False)
        weight = turn.get("weight")
        trained = bool(weight) if weight is not None else role == "assistant"
        segments.append(Segment(text, trained and bool(text), role))
    if not any(s.trained for s in segments):
        return dropped(NO_ANSWER)
    notes = [] if segments[-1].trained else [LAST_UNTRAINED]
    if record.get("images") or any(_has_image(turn.get("content")) for turn in turns):
        notes.append(IMAGES_UNREAD)
    return used(segments, notes)


def _has_image(content: Any) -> bool:
    return isinstance(content, list) and any(
        isinstance(p, dict) and p.get("type", "text") not in ("text", "input_text", "output_text") for p in content
    )


def _turns_problem(turns: Any) -> str:
    if isinstance(turns, str):
        try:
            turns = json.loads(turns)
        except json.JSONDecodeError:
            return "messages are not JSON"
    if not isinstance(turns, list):
        return "no messages"
    if not turns:
        return "no turns"
    return "" if all(isinstance(t, dict) and t.get("role") for t in turns) else "turns without roles"


def _json_problem(value: Any, what: str) -> str:
    if not isinstance(value, str):
        return ""
    try:
        json.loads(value)
    except json.JSONDecodeError:
        return f"{what} that are not JSON"
    return ""


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(
            str(p.get("text") or p.get("content") or p.get("value") or "") for p in content if isinstance(p, dict)
        )
    return "" if content is None else str(content)
