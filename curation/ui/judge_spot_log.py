"""Spot checks: rows drawn at random from below a threshold, and what a person says of each.

An append-only log per dataset, `spot-checks/<fingerprint>.jsonl` in the workspace, one event per line. Each event is on
the disk before the call returns; a lock keeps processes apart; undo is an event as well. A last line that a kill cut
off counts for nothing.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from curation.core.errors import CurationError, machine_problem
from curation.core.saving import to_json
from curation.workspace import Workspace

Said = Literal["right", "wrong", "skip"]
"""Rightly dropped, wrongly dropped, or no answer."""


@dataclass
class Check:
    """One spot check.

    Args:
        id: Of the check.
        score: Key of the stored score.
        side: "above" or "below": the side of the threshold that is kept.
        cut: The threshold.
        dropped: Rows that it drops, those without a score apart.
        seed: Of the draw.
        started: Seconds since 1970.
        rows: Drawn rows, in the order in which they are read.
        answers: Row → what was said, in the order in which it was said.
    """

    id: str
    score: str
    side: str
    cut: float
    dropped: int
    seed: int
    started: float
    rows: list[int] = field(default_factory=list)
    answers: dict[int, Said] = field(default_factory=dict)

    def count(self, said: Said) -> int:
        """Rows of which this was said."""
        return sum(a == said for a in self.answers.values())

    @property
    def read(self) -> int:
        """Rows that were judged; skipped ones say nothing."""
        return self.count("right") + self.count("wrong")

    @property
    def wrong(self) -> list[int]:
        """Rows that were called wrongly dropped."""
        return [row for row, said in self.answers.items() if said == "wrong"]

    @property
    def next(self) -> int | None:
        """The row to read now, None when all were."""
        return next((row for row in self.rows if row not in self.answers), None)

    @property
    def last(self) -> int | None:
        """The row that was answered last."""
        return next(reversed(self.answers), None)


class SpotChecks:
    """The log of one dataset.

    Args:
        workspace: Where it is kept.
        fingerprint: Of the dataset.
        rows: How many the dataset has: an event that names another row is damaged.
    """

    def __init__(self, workspace: Workspace, fingerprint: str, rows: int) -> None:
        self.workspace, self.fingerprint, self.size = workspace, fingerprint, rows
        self.path: Path = workspace.root / "spot-checks" / f"{fingerprint}.jsonl"

    def all(self) -> list[Check]:
        """Every check, oldest first.

        Raises:
            CurationError: if a line is damaged, with file and line.
        """
        try:
            text = self.path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return []
        found: dict[str, Check] = {}
        whole = text[: text.rfind("\n") + 1]  # what follows the last line break was cut off, or is being written
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                self._take(json.loads(line), found)
            except (ValueError, KeyError, TypeError) as error:
                raise CurationError(
                    f"{self.path}, line {number}, is damaged: {error}", "put the file back from a copy, or remove it"
                ) from None
        return list(found.values())

    def of(self, score: str, side: str, cut: float) -> Check | None:
        """The newest check of a threshold, None when there is none."""
        same = [c for c in self.all() if (c.score, c.side, c.cut) == (score, side, float(cut))]
        return same[-1] if same else None

    def begin(self, score: str, side: str, cut: float, dropped: int, rows: Sequence[int], seed: int) -> str:
        """Start a check on drawn rows; returns its id."""
        check = uuid.uuid4().hex[:12]
        about = {"score": score, "side": side, "cut": float(cut), "dropped": int(dropped), "seed": int(seed)}
        self._append({"action": "begin", "check": check, "rows": [int(r) for r in rows], **about})
        return check

    def more(self, check: str, rows: Sequence[int]) -> None:
        """Add further rows of the same draw to a check."""
        self._append({"action": "more", "check": check, "rows": [int(r) for r in rows]})

    def answer(self, check: str, row: int, said: Said) -> None:
        """Write down what was said of a row."""
        self._append({"action": "answer", "check": check, "row": int(row), "said": said})

    def undo(self, check: str) -> None:
        """Take the last answer of a check back."""
        self._append({"action": "undo", "check": check})

    # ------------------------------------------------------------------ events

    def _take(self, event: dict[str, Any], found: dict[str, Check]) -> None:
        action, name = event["action"], str(event["check"])
        if action == "begin":
            found[name] = Check(
                name, str(event["score"]), str(event["side"]), float(event["cut"]), int(event["dropped"]),
                int(event["seed"]), float(event["time"]), self._rows(event["rows"]),
            )  # fmt: skip
            return
        check = found[name]
        if action == "more":
            check.rows += [r for r in self._rows(event["rows"]) if r not in check.rows]
        elif action == "answer" and event["said"] in get_args(Said):
            row = self._rows([event["row"]])[0]
            check.answers.pop(row, None)
            check.answers[row] = cast(Said, event["said"])
        elif action == "undo":
            if check.answers:
                check.answers.popitem()
        else:
            raise ValueError(f"'{action}' is no event")

    def _rows(self, rows: Any) -> list[int]:
        found = [int(r) for r in rows]
        if any(not 0 <= r < self.size for r in found):
            raise ValueError("it names a row that the dataset does not have")
        return found

    def _append(self, event: dict[str, Any]) -> None:
        line = to_json({"time": round(time.time(), 3), **event}).replace("\n", " ").encode() + b"\n"
        with self.workspace.lock(f"spot-checks-{self.fingerprint}"):
            try:
                self.path.parent.mkdir(exist_ok=True)
                with self.path.open("ab+") as file:
                    end = file.seek(0, os.SEEK_END)
                    file.seek(0)
                    whole = file.read().rfind(b"\n") + 1
                    if whole < end:
                        file.truncate(whole)
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise machine_problem(error) or error from None
