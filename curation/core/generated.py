"""What a generator makes: new rows, each of which remembers the row it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from curation.core.artifact import Artifact
from curation.core.missing import NO_ROW, Missing
from curation.core.row import Row


@dataclass(frozen=True)
class Made:
    """New rows as a generator returns them; the engine stores them as a Dataset.

    Args:
        rows: m new rows; `Row.parent` is filled in by the engine.
        parents: int64 `[m]`: the row of the pool that each was made from, -1 = none.
        missing: Of the pool's rows `[n]`: why nothing was made from them; rows with children are present.
        name: Added to the pool's name to name the new Dataset ("expanded").
        info: Plain facts worth showing.
    """

    rows: Sequence[Row]
    parents: np.ndarray
    missing: Missing
    name: str
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Derived(Artifact):
    """A Dataset that a step made out of another one.

    Args:
        rows: Fingerprint of the new Dataset.
        parents: int64 `[m]`: for each of its rows the row of `dataset` that it was made from, -1 = none.
        missing: Why nothing was made from a row of `dataset`.
        info: Plain facts worth showing.
    """

    kind: ClassVar[str] = "derived"
    row_aligned: ClassVar[bool] = False
    rows: str
    parents: np.ndarray
    missing: Missing
    info: dict[str, Any] = field(default_factory=dict)

    def children(self) -> np.ndarray:
        """How many rows were made from each row of `dataset`, int64 `[n]`."""
        known = self.parents[self.parents != NO_ROW]
        return np.bincount(known, minlength=len(self.missing.codes)).astype(np.int64)
