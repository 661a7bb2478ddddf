"""Texts for benchmarks: the real files, repeated with changes where more rows are needed than there are."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FILES = ("alpaca_9k.json", "dolly_3k.json", "gsm8k_7k.json", "t0_tasks.jsonl")


def parser(description: str) -> argparse.ArgumentParser:
    """Arguments that all benchmarks over texts share."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("data", nargs="?", type=Path, default=DATA, help="folder with the instruction files")
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return made


def texts(folder: Path, count: int) -> tuple[list[str], str]:
    """`count` texts (prompt and response) and a note that says where they are from.

    Up to the number of real rows they are real: whole files in order. More are made by leaving out the beginning of a
    random row, so that they are like real ones without being copies.
    """
    found: list[str] = []
    for name in FILES:
        path = folder / name
        if path.is_file():
            content = path.read_text("utf-8")
            lines = (json.loads(line) for line in content.split("\n") if line)
            records = json.loads(content) if name.endswith(".json") else lines
            found.extend(map(_text, records))
    if not found:
        raise SystemExit(f"no benchmark data in {folder}: it should hold {', '.join(FILES)}")
    real = min(count, len(found))
    note = f"{real:,} real rows"
    if count > real:
        note += f" and {count - real:,} made from them by leaving out the beginning"
        rng = random.Random(0)
        while len(found) < count:
            words = rng.choice(found[:real]).split(" ")
            found.append(" ".join(words[rng.randrange(max(1, len(words) // 3)) :]))
    return found[:count], note


def _text(record: dict[str, str]) -> str:
    if "instruction" in record:
        parts = (record["instruction"], record.get("input"), record.get("output"))
    else:
        parts = (record["prompt"], record["completion"])
    return "\n\n".join(str(part) for part in parts if part)
