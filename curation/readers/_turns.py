"""Lists of turns, as ShareGPT (from, value) and OpenAI (role, content) write them, become messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from curation.core.dataset import Message
from curation.readers._json import flaw, unpacked
from curation.readers._record import MISSING, Reject, Sample, getter, kind_of, text_of
from curation.readers.mapping import Mapping, TurnRole

ROLES: dict[str, TurnRole] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "chatbot", "model", "ai", "bard", "bing"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "tool_response", "ipython"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
}
"""Usual names of speakers. "call" is the assistant calling a tool, its content being the call as JSON."""

ROLE_KEYS = ("from", "role", "speaker")
CONTENT_KEYS = ("value", "content", "text")
WEIGHT_KEYS = ("loss_weight", "weight", "train")
LISTS = ("conversations", "messages", "conversation", "dialog", "dialogue", "turns", "chat")
"""Usual names of the list of turns."""
TEXT_PARTS = ("text", "input_text", "output_text")


def guess_turns(turns: list[Any]) -> dict[str, str] | None:
    """Names of the keys inside turns, from some turns: role, content, weight. None if they are no turns."""
    keys: dict[str, None] = {}
    for turn in turns:
        if isinstance(turn, dict):
            keys.update(dict.fromkeys(turn))
    role = next((k for k in ROLE_KEYS if k in keys), None)
    content = next((k for k in CONTENT_KEYS if k in keys), None)
    if role is None or content is None:
        return None
    return {"role": role, "content": content, "weight": next((k for k in WEIGHT_KEYS if k in keys), "weight")}


def turns_in(sample: Sample, *names: str | None) -> list[Any]:
    """All turns in these fields of a sample; a field may hold one turn or a list of them, also as JSON text."""
    found: list[Any] = []
    for name in names:
        for value in map(unpacked, sample.values(name)):
            found += [turn for turn in (value if isinstance(value, list) else [value]) if isinstance(turn, dict)]
    return found


class TurnsReader:
    """Turns → messages for the keys and role names of a mapping.

    It refuses (Reject) a list without turns, a turn that is no object, an unknown speaker, a content that is neither a
    text nor a list of parts, and a tool call that is not JSON.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._role, self._content = mapping.role or "role", mapping.content or "content"
        self._weight = mapping.weight
        self._roles = {**ROLES, **mapping.roles}

    def __call__(self, turns: Any, where: str) -> list[Message]:
        """Messages of a list of turns, or of JSON text of one; `where` is the field they come from."""
        turns = unpacked(turns)
        if not isinstance(turns, list):
            raise Reject(where, "is missing" if turns is MISSING else f"is {kind_of(turns)}, a list of turns is needed")
        if not turns:
            raise Reject(where, "holds no turn")
        return [self._message(turn, f"{where}[{i}]") for i, turn in enumerate(turns)]

    def turns_or_text(self, value: Any) -> Any:
        """JSON text of turns as these turns; every other value, JSON text of something else included, as it is."""
        found = unpacked(value)
        turns = found if isinstance(found, list) else [found]
        keys = (self._role, self._content)
        return found if turns and all(isinstance(t, dict) and all(k in t for k in keys) for t in turns) else value

    def _message(self, turn: Any, where: str) -> Message:
        if not isinstance(turn, dict):
            raise Reject(where, f"is {kind_of(turn)}, a turn with '{self._role}' and '{self._content}' is needed")
        role = self._role_of(turn, where)
        content, at = turn.get(self._content, MISSING), f"{where}.{self._content}"
        if role == "call":
            message: Message = {"role": "assistant", "content": "", "tool_calls": _calls(content, at)}
        else:
            message = {"role": role, "content": ""}
            calls = _called(turn, where)
            if isinstance(content, list):
                message["content"], message["parts"] = _parts(content, at)
            elif content is not MISSING or not calls:
                message["content"] = text_of(content, at)
            if calls:
                message["tool_calls"] = calls
        self._add_weight(message, turn, where)
        if isinstance(turn.get("name"), str):
            message["name"] = turn["name"]
        return message

    def _role_of(self, turn: dict[str, Any], where: str) -> TurnRole:
        name = turn.get(self._role, MISSING)
        if type(name) is not str:
            raise Reject(f"{where}.{self._role}", "is missing" if name is MISSING else f"is {kind_of(name)}")
        role = self._roles.get(name) or self._roles.get(name.lower())
        if role is None:
            raise Reject(f"{where}.{self._role}", f"'{name[:60]}' is no known speaker")
        return role

    def _add_weight(self, message: Message, turn: dict[str, Any], where: str) -> None:
        weight = turn.get(self._weight) if self._weight else None
        if weight is None:
            return
        if not isinstance(weight, int | float):
            raise Reject(f"{where}.{self._weight}", f"is {kind_of(weight)}, a number is needed")
        message["weight"] = float(weight)


def tools_reader(name: str | None) -> Callable[[Any], Any]:
    """A function that takes the tools from a record: a list or object, JSON text of one, or None for no tools.

    It refuses (Reject) text that is not JSON.
    """
    get = getter(name)

    def read(record: Any) -> Any:
        value = get(record)
        if isinstance(value, str):
            value = _loads(value, name or "") if value.strip() else None
        return None if value is MISSING or value in (None, [], {}) else value

    return read


def _loads(text: str, where: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Reject(where, "is not JSON") from None
    problem = flaw(value, text)
    if problem:
        raise Reject(where, problem[1])
    return value


def _parts(content: list[Any], where: str) -> tuple[str, list[dict[str, Any]]]:
    texts, parts = [], []
    for i, part in enumerate(content):
        if isinstance(part, str):
            part = {"type": "text", "text": part}
        if not isinstance(part, dict):
            raise Reject(f"{where}[{i}]", f"is {kind_of(part)}, a part with a type is needed")
        if part.get("type", "text") in TEXT_PARTS:
            text = part.get("text")
            texts.append(text_of(part.get("value", MISSING) if text is None else text, f"{where}[{i}].text"))
        parts.append(part)
    return "\n".join(texts), parts


def _calls(content: Any, where: str) -> list[dict[str, Any]]:
    """The calls of a ShareGPT function_call turn: JSON text (or the object itself) with name and arguments."""
    value = _loads(content, where) if isinstance(content, str) else content
    calls = value if isinstance(value, list) else [value]
    for call in calls:
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            raise Reject(where, "is no tool call: JSON with 'name' and 'arguments' is needed")
    return [{**call, "arguments": _arguments(call.get("arguments"))} for call in calls]


def _called(turn: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """The calls of an OpenAI turn: `tool_calls`, or the older `function_call`."""
    value = turn.get("tool_calls")
    if value is None and turn.get("function_call") is not None:
        value = [turn["function_call"]]
    if isinstance(value, str):
        value = _loads(value, f"{where}.tool_calls") if value.strip() else None
    if value is None:
        return []
    if not isinstance(value, list):
        raise Reject(f"{where}.tool_calls", f"is {kind_of(value)}, a list is needed")
    calls = []
    for i, call in enumerate(value):
        inner = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            raise Reject(f"{where}.tool_calls[{i}]", "is no tool call: a function with a name is needed")
        made = {"name": inner["name"], "arguments": _arguments(inner.get("arguments"))}
        if isinstance(call.get("id"), str):
            made["id"] = call["id"]
        calls.append(made)
    return calls


def _arguments(value: Any) -> Any:
    """Arguments as an object where they are JSON text of one; a model may have written something else: that stays."""
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            return _loads(value, "")
        except Reject:
            return value
    return value
