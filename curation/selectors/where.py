"""The rows with, or without, certain labels."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Labels, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import selection

NOISE = "noise"
SHOWN = 5  # labels named in a reason


def rows_among(labels: Labels, values: Sequence[str], keep: Literal["among", "others"] = "among") -> np.ndarray:
    """Rows whose label is one of some values, or another one; bool `[n]`, False where there is no label.

    Args:
        labels: Of all rows.
        values: Names of labels; "noise" is what a clustering left over.
        keep: Which half.

    Raises:
        CurationError: if a name is no label.
    """
    named = np.zeros(len(labels.names) + 1, bool)  # the last place is noise, whose code is -1
    place = {name: code for code, name in reversed(list(enumerate(labels.names)))}
    for value in values:
        named[place[value] if value in place else _noise(value, labels)] = True
    found: np.ndarray = (named[np.asarray(labels.codes, np.int64)] == (keep == "among")) & ~labels.missing.mask
    return found


def _noise(value: str, labels: Labels) -> int:
    if value == NOISE and (np.asarray(labels.codes)[~labels.missing.mask] == NO_ROW).any():
        return NO_ROW
    near = get_close_matches(value, labels.names, 3) or labels.names[:10]
    raise CurationError(f"no label is named '{value}'", f"labels: {', '.join(near) or 'none'}")


class Where(Selector):
    """All rows whose label is among the named ones, or is not, in row order.

    Works on any labels: clusters, languages, the held-out split, a column of the file. Rows that a clustering calls
    noise go by the name `noise`, unless a label has that name. Rows without a label are in neither half.
    """

    title: ClassVar[str] = "Where a label is"
    when: ClassVar[str] = "A label says which rows belong: a cluster, a language, a source."
    weakness: ClassVar[str] = "As right as the labels; a cluster's name describes most of its rows, not each."
    source: ClassVar[str] = "Comparison"

    values: tuple[str, ...] = Field(min_length=1, description="names of labels", examples=[["train"]])
    keep: Literal["among", "others"] = Field("among", description="keep the rows with these labels, or all others")

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, labels: Labels) -> Selection:
        """Compare: O(n).

        Raises:
            CurationError: if a name is no label.
        """
        rows = np.asarray(ask.eligible, np.int64)
        wanted = rows_among(labels, self.values, self.keep)
        shown = ", ".join(self.values[:SHOWN]) + (", ..." if len(self.values) > SHOWN else "")
        stages = (f"its label is {'not ' if self.keep == 'among' else ''}among: {shown}", "no label")
        return selection(pool, ask, rows[wanted[rows]], stages=stages, codes=np.where(labels.missing.mask, 2, 1))

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
