"""Who answers: functions from what is asked to what is said.

A judge of a test's own is named "module:function" in the script; the function takes an `Asked` and returns text or
`Said`, and its module must be importable from the root of the repository without heavy packages.
"""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.loopback.script import drawn


@dataclass(frozen=True)
class Asked:
    """One request.

    Args:
        messages: (role, text).
        text: Of all messages, one under the other: what faults and counts go by.
        seen: How often this text came before.
        schema: The JSON schema that the reply shall follow, {} = any object, None = free text.
        logprobs: Alternatives wanted for each token.
        body: The request as it came.
        authorization: The header, with the secret in it.
    """

    messages: list[tuple[str, str]]
    text: str
    seen: int = 0
    schema: dict[str, Any] | None = None
    logprobs: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    authorization: str = ""

    @property
    def last(self) -> str:
        """Text of the last message."""
        return self.messages[-1][1] if self.messages else ""


@dataclass(frozen=True)
class Said:
    """A reply.

    Args:
        text: Its content.
        first: Probabilities of the first token's alternatives, {} = the first token of the text takes nearly all.
    """

    text: str
    first: dict[str, float] = field(default_factory=dict)


Judge = Callable[[Asked], Said | str]


def scored(asked: Asked, value: float, why: str, low: int = 0, high: int = 6) -> Said:
    """A score in the form that was asked for: JSON by a schema, or the number on the first line and why below.

    The alternatives of the first token are the whole numbers around the value, whose expectation is the value.
    """
    if asked.schema is not None:
        return Said(json.dumps(filled(asked.schema, value, why)))
    floor = min(max(math.floor(value), low), high)
    share = value - floor
    first = {str(floor): 1 - share} | ({str(floor + 1): share} if share > 0 else {})
    return Said(f"{value:g}\n{why}", first)


_PLAIN = {"score": {"type": "number"}, "explanation": {"type": "string"}}
"""What an object has where no schema says it."""


def filled(schema: dict[str, Any], value: float, words: str) -> Any:
    """Something that follows a JSON schema: numbers are the value within their limits, texts are the words."""
    if "enum" in schema:
        return schema["enum"][int(drawn(words) * len(schema["enum"]))]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "object")
    kind = next(k for k in kind if k != "null") if isinstance(kind, list) else kind
    if kind == "object":
        return {name: filled(part, value, words) for name, part in schema.get("properties", _PLAIN).items()}
    if kind == "array":
        count = schema.get("minItems", 1)
        return [filled(schema.get("items", {"type": "string"}), value, words) for _ in range(count)]
    if kind in ("integer", "number"):
        bounded = min(max(value, schema.get("minimum", -math.inf)), schema.get("maximum", math.inf))
        return round(bounded) if kind == "integer" else bounded
    return {"string": words, "boolean": value >= 1, "null": None}[kind]


def length(asked: Asked) -> Said:
    """0 to 5 by the length of the last message, in steps of a half: one for every 200 characters."""
    value = min(len(asked.last) // 200, 10) / 2
    return scored(asked, value, f"The request has {len(asked.last)} characters.")


def hashed(asked: Asked) -> Said:
    """0 to 5 in steps of a half, by a hash of the text."""
    return scored(asked, int(drawn(asked.text) * 11) / 2, "By its hash.")


def digit(asked: Asked) -> Said:
    """One digit from 1 to 6 by a hash of the text, with probabilities around it."""
    mean = 1 + 5 * drawn(asked.text)
    weights = {str(k): math.exp(-((k - mean) ** 2)) for k in range(1, 7)}
    total = sum(weights.values())
    return Said(max(weights, key=lambda k: weights[k]), {k: w / total for k, w in weights.items()})


def by_schema(asked: Asked) -> str:
    """JSON that follows the schema, a number by a hash of the text."""
    return json.dumps(filled(asked.schema or {}, 1 + 5 * drawn(asked.text), asked.last[-80:]))


def evolve(asked: Asked) -> str:
    """The last block of the last message, with one more wish: a rewriting that is longer and always the same."""
    blocks = [block.strip() for block in asked.last.split("\n\n") if block.strip()]
    wishes = ("name an example", "give reasons for every step", "say it in two sentences", "compare two ways")
    wish = wishes[int(drawn(asked.text, asked.seen) * len(wishes))]
    return f"{blocks[-1] if blocks else 'Say something.'} Also {wish}."


def echo(asked: Asked) -> str:
    """The last message."""
    return asked.last


_HEAD = 12


def planted(path: str) -> Judge:
    """A judge that knows the truth.

    Args:
        path: A JSON file: text that stands in a request → a number (said as a score), a text or an object (said as
            they are). The longest text that stands in the request counts; none: `no idea`, which is no score.
            Texts of fewer than 12 characters are not found.
    """
    known: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    heads: dict[str, list[str]] = {}
    for text in sorted(known, key=len, reverse=True):
        heads.setdefault(text[:_HEAD], []).append(text)

    def judge(asked: Asked) -> Said | str:
        text = asked.text
        best = ""
        for at in range(len(text) - _HEAD + 1):
            for needle in heads.get(text[at : at + _HEAD], ()):
                if len(needle) <= len(best):
                    break
                if text.startswith(needle, at):
                    best = needle
                    break
        if not best:
            return "no idea"
        value = known[best]
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value if isinstance(value, str) else json.dumps(value)
        return scored(asked, value, "It is known.")

    return judge


JUDGES: dict[str, Judge] = {
    "length": length, "hashed": hashed, "digit": digit, "schema": by_schema, "evolve": evolve, "echo": echo,
}  # fmt: skip


def judge_of(name: str, planted_file: str = "") -> Judge:
    """The judge that a script names; "planted" needs the script's file."""
    if name == "planted":
        return planted(planted_file)
    if name in JUDGES:
        return JUDGES[name]
    module, colon, function = name.partition(":")
    if not colon:
        raise ValueError(f"there is no judge '{name}'; there are planted, {', '.join(JUDGES)} and module:function")
    found: Judge = getattr(importlib.import_module(module), function)
    return found


TOKEN = re.compile(r"\s*[^\W\d_]+|\s*\d|\s*[^\w\s]|\s+|_")
"""Makes tokens of a reply where their probabilities are asked for: words, single digits, single signs."""
