"""What the fine-tuning of an encoder recorded, and how that is kept on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from curation.models._encoder_scores import RowScores

_ARRAYS, _FACTS = "tuning.safetensors", "tuning.json"
_PLAIN = ("epochs", "loss", "processed", "scored", "passes", "re_entered", "training_seconds", "scoring_seconds")


@dataclass
class Tuning:
    """What a fine-tuning recorded.

    Args:
        measures: Name → float32 `[times, n]`: those of `score_rows`, `score` (χ̂, smoothed; NaN before the first cycle)
            and `kept` (1 where the row was trained on in the epoch before).
        epochs: float64 `[times]`: passes at which they were made.
        smoothed: float64 `[n]`: χ̂ at the end.
        loss: Mean training loss of every epoch.
        processed: Examples that went through training.
        scored: Examples that went through scoring.
        passes: Passes of scoring over all rows.
        re_entered: Rows that came back, at each choice of rows.
        returned: Boolean `[n]`: rows that came back at least once.
        training_seconds: Of the steps, all attempts together.
        scoring_seconds: Of each pass of scoring.
    """

    measures: dict[str, np.ndarray] = field(default_factory=dict)
    epochs: list[float] = field(default_factory=list)
    smoothed: np.ndarray = field(default_factory=lambda: np.empty(0))
    loss: list[float] = field(default_factory=list)
    processed: int = 0
    scored: int = 0
    passes: int = 0
    re_entered: list[int] = field(default_factory=list)
    returned: np.ndarray = field(default_factory=lambda: np.empty(0, bool))
    training_seconds: float = 0.0
    scoring_seconds: list[float] = field(default_factory=list)

    def add(self, epoch: int, scores: RowScores, smoothed: np.ndarray, kept: np.ndarray) -> None:
        """Append one measurement."""
        for name, values in {**scores.measures, "score": smoothed, "kept": kept}.items():
            new = np.asarray(values, np.float32)[None]
            self.measures[name] = np.concatenate([self.measures[name], new]) if name in self.measures else new
        self.epochs.append(float(epoch))

    def plain(self) -> dict[str, Any]:
        """What is no array, as data that JSON holds exactly, and the order of the measures, which a file loses."""
        return {**{name: getattr(self, name) for name in _PLAIN}, "measures": list(self.measures)}

    def restore(self, plain: dict[str, Any]) -> None:
        """Take over a `plain()`; the measures are there already."""
        for name in _PLAIN:
            setattr(self, name, plain[name])
        self.measures = {name: self.measures[name] for name in plain["measures"]}


def write_tuning(done: Tuning, folder: Path) -> None:
    """Write a finished tuning; once `read_tuning` finds it, it is whole."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"measure.{name}": values for name, values in done.measures.items()}
    arrays |= {"smoothed": done.smoothed, "returned": done.returned.astype(np.uint8)}
    save_file(arrays, folder / _ARRAYS)
    part = folder / f"{_FACTS}.part"
    part.write_text(json.dumps(done.plain()), encoding="utf-8")
    part.replace(folder / _FACTS)


def read_tuning(folder: Path) -> Tuning | None:
    """A tuning that `write_tuning` wrote, None where there is none."""
    from safetensors.numpy import load_file

    if not (folder / _FACTS).is_file():
        return None
    arrays = load_file(folder / _ARRAYS)
    measures = {name[8:]: values for name, values in arrays.items() if name.startswith("measure.")}
    done = Tuning(measures, smoothed=arrays["smoothed"], returned=arrays["returned"].astype(bool))
    done.restore(json.loads((folder / _FACTS).read_text(encoding="utf-8")))
    return done
