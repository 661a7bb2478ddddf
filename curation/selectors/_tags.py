"""Sets of tags, read from Labels: the column `tags` where a labeller gave several, else the one label of each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from curation.core.artifacts import Labels
from curation.core.errors import CurationError

Untagged = Literal["never", "last"]
NO_TAGS = "no tags"
OTHERS_UNTAGGED = "the other rows have no tags"


@dataclass(frozen=True)
class TagSets:
    """The tags of every row, one row after the other.

    Args:
        starts: int64 `[n + 1]`: the tags of row i are `tags[starts[i]:starts[i + 1]]`.
        tags: int64 `[Σ]`, different and increasing in each row; indices into `names`.
        names: Of the tags.
        proxy: True when the tags stand in for tags: clusters, or any label that was made for something else.
    """

    starts: np.ndarray
    tags: np.ndarray
    names: tuple[str, ...]
    proxy: bool = False

    @property
    def counts(self) -> np.ndarray:
        """Tags of each row, int64 `[n]`."""
        return np.diff(self.starts)

    def of(self, row: int) -> np.ndarray:
        """The tags of one row."""
        return self.tags[self.starts[row] : self.starts[row + 1]]

    def within(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The tags of some rows, one after the other, and for each the place of its row in `rows`."""
        sizes = self.counts[rows]
        place = np.repeat(np.arange(len(rows)), sizes)
        offset = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.tags[self.starts[rows][place] + offset], place


def tag_sets(labels: Labels) -> TagSets:
    """The tags that Labels hold."""
    own = labels.columns.get("tags")
    table = np.asarray(labels.codes)[:, None] if own is None else np.asarray(own)
    ordered = np.sort(table, axis=1)
    ordered[labels.missing.mask] = -1
    fresh = ordered >= 0
    fresh[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
    starts = np.concatenate([[0], np.cumsum(fresh.sum(axis=1))]).astype(np.int64)
    return TagSets(starts, ordered[fresh].astype(np.int64), labels.names, own is None or bool(labels.info.get("proxy")))


def tagged(sets: TagSets, eligible: np.ndarray) -> np.ndarray:
    """Those of the eligible rows that have a tag.

    Raises:
        CurationError: if there is none.
    """
    rows = eligible[sets.counts[eligible] > 0]
    if not len(rows):
        raise CurationError("no eligible row has a tag", "look at the step that made the tags, or loosen `within`")
    return rows
