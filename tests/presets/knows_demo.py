"""A judge for the loopback server that knows the demo dataset: it finds the row in the blocks it is shown."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo.json"
BAD = {"wrong": 1.0, "off-topic": 0.5, "boilerplate": 4.4999}
BLOCK = re.compile(r"^\[([0-9a-f]{8}) ([^\]\n]+)\]\n(.*?)\n\[\1 end of \2\]$", re.MULTILINE | re.DOTALL)


def value(record: dict[str, str]) -> float:
    """The right score of a record."""
    return BAD.get(record["planted"], 4.5 if len(record["output"]) % 2 else 5.0)


@lru_cache(1)
def truth() -> dict[tuple[str, str, str], float]:
    """(instruction, input, output) → the right score."""
    records = json.loads(DEMO.read_text("utf-8"))
    return {(r["instruction"], r["input"], r["output"]): value(r) for r in records}


def judge(asked) -> str:
    """The score of the row that is shown."""
    blocks = {label: text for _, label, text in BLOCK.findall(asked.text)}
    found = truth()[blocks["instruction"], blocks.get("input", ""), blocks["response"]]
    return f"{found:g}\nThe row is known."
