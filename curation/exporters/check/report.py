"""What a trainer check says, and the small pieces it is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

Trainer = Literal["none", "llama-factory", "axolotl", "trl"]


class Segment(NamedTuple):
    """A stretch of what the model reads in training.

    Args:
        text: Its text, without what the chat template adds.
        trained: True when the loss counts it.
        role: "system", "user", "assistant" or "tool".
    """

    text: str
    trained: bool
    role: str = "user"


@dataclass(frozen=True)
class Reading:
    """What a trainer makes of one record.

    Args:
        verdict: "used", "dropped" (left out in silence or with a log line) or "stops" (the run ends with an error).
        reason: Why, in a few words; "" when used.
        segments: What is read and trained on, in order; empty unless used.
        notes: Things that happen to the record though it is used; rows are counted by them.
    """

    verdict: Literal["used", "dropped", "stops"]
    reason: str = ""
    segments: tuple[Segment, ...] = ()
    notes: tuple[str, ...] = ()


def used(segments: list[Segment], notes: list[str] | None = None) -> Reading:
    """A record that is trained on."""
    return Reading("used", "", tuple(segments), tuple(notes or ()))


def dropped(reason: str) -> Reading:
    """A record that the trainer leaves out."""
    return Reading("dropped", reason)


def stops(reason: str) -> Reading:
    """A record on which the trainer ends with an error."""
    return Reading("stops", reason)


@dataclass(frozen=True)
class CheckReport:
    """What a trainer will do with the exported records. Rows are row indices of the Dataset.

    Args:
        trainer: Its name.
        version: The release whose acceptance code was read.
        total: Records in the file.
        dropped: Reason → rows it leaves out.
        stops: Reason → rows on which it ends with an error.
        cut: Rows longer than the limit, cut there.
        answer_cut: Those of them that lose a part of an answer.
        notes: Note → rows it is about.
        limit_name: What the trainer calls its length limit.
        limit: The limit in tokens.
        tokenizer: What the tokens were counted with.
        approximate: True when that is not the tokenizer and template of the model to be trained.
        warnings: Sentences about the whole file.
    """

    trainer: str
    version: str
    total: int
    dropped: dict[str, np.ndarray] = field(default_factory=dict)
    stops: dict[str, np.ndarray] = field(default_factory=dict)
    cut: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    answer_cut: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    notes: dict[str, np.ndarray] = field(default_factory=dict)
    limit_name: str = "cutoff_len"
    limit: int = 0
    tokenizer: str = ""
    approximate: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def used(self) -> int:
        """Records that are trained on."""
        return self.total - sum(map(len, self.dropped.values())) - sum(map(len, self.stops.values()))

    @property
    def unusable(self) -> np.ndarray:
        """int64, sorted: rows that are dropped or stop the run."""
        found = [*self.dropped.values(), *self.stops.values()]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def sentence(self) -> str:
        """One line: how many will be used, dropped and cut, and why."""
        parts = [f"{self.used:,} of {self.total:,} will be used"]
        for word, found in (("dropped", self.dropped), ("stopping the run", self.stops)):
            if found:
                listed = ", ".join(f"{len(rows):,} {reason}" for reason, rows in _by_size(found))
                parts.append(f"{sum(map(len, found.values())):,} {word}: {listed}")
        if len(self.cut):
            parts.append(f"{len(self.cut):,} cut at {self.limit_name}")
        return "; ".join(parts)

    def lines(self) -> list[str]:
        """The sentence, then every note and warning as a line of its own."""
        out = [self.sentence()]
        if len(self.answer_cut):
            out.append(f"{len(self.answer_cut):,} of the cut rows lose a part of an answer")
        out += [f"{len(rows):,} rows: {note}" for note, rows in _by_size(self.notes)]
        return [*out, *self.warnings]

    def info(self) -> dict[str, Any]:
        """Plain facts for `Export.info`: counts and sentences, no rows."""
        return {
            "trainer": self.trainer,
            "version": self.version,
            "total": self.total,
            "used": self.used,
            "dropped": {k: len(v) for k, v in self.dropped.items()},
            "stops": {k: len(v) for k, v in self.stops.items()},
            "cut": len(self.cut),
            "answer_cut": len(self.answer_cut),
            "notes": {k: len(v) for k, v in self.notes.items()},
            "limit_name": self.limit_name,
            "limit": self.limit,
            "tokenizer": self.tokenizer,
            "approximate": self.approximate,
            "warnings": list(self.warnings),
            "sentence": self.sentence(),
        }

    def verdicts(self, n: int) -> np.ndarray:
        """One sentence (or None for rows not exported or simply used) per row of the Dataset, dtype object `[n]`."""
        out = np.full(n, None, dtype=object)
        out[self.cut] = f"cut at {self.limit_name}"
        for word, found in (("dropped", self.dropped), ("stops the run", self.stops)):
            for reason, rows in found.items():
                out[rows] = f"{word}: {reason}"
        return out


def _by_size(found: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return sorted(found.items(), key=lambda item: -len(item[1]))
