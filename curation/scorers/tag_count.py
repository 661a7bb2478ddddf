"""Tag count: how many tags a row has, InsTag's measure of complexity."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from curation.core.artifacts import Labels, Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import Scorer, Size
from curation.core.runtime import Runtime


def tag_counts(table: np.ndarray) -> np.ndarray:
    """Different tags of each row.

    Args:
        table: Int `[n, t]`, indices of tags, below 0 where a row has fewer than t.

    Returns:
        int64 `[n]`.
    """
    ordered = np.sort(table, axis=1)
    fresh = ordered >= 0
    fresh[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
    return fresh.sum(axis=1)


class TagCount(Scorer):
    """How many tags a row has: a request that asks for more is more complex.

    Reads the column `tags` of labels (`labeller/instag`, `labeller/tags`); labels without it give every row one tag.
    Rows that have no tags are missing, for the reason that the labels say.
    """

    title: ClassVar[str] = "Number of tags (InsTag complexity)"
    weakness: ClassVar[str] = (
        "More tags are no better row: long prompts have more, and every tagger names its own number."
    )
    source: ClassVar[str] = "InsTag (Lu et al. 2023, arXiv 2308.07074)"

    def score(self, pool: Dataset, runtime: Runtime, *, tags: Labels) -> Score:
        """Count."""
        own = tags.columns.get("tags")
        table = np.asarray(tags.codes)[:, None] if own is None else np.asarray(own)
        values = tag_counts(np.where(tags.missing.mask[:, None], -1, table)).astype(np.float64)
        reasons = [tags.missing.reason(row) or (None if values[row] else "no tags") for row in range(len(pool))]
        missing = Missing.from_list(reasons)
        values[missing.mask] = np.nan
        info = {"proxy": own is None or bool(tags.info.get("proxy"))}
        return Score(pool.fingerprint, values, missing, "number of tags", True, {}, info)

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
