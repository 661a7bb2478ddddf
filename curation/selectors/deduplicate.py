"""Keep one row of every group of duplicates."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Purpose, Selector
from curation.core.runtime import Runtime
from curation.linalg.groups import Links
from curation.selectors._build import selection


def keep_one(links: Links, eligible: np.ndarray, preference: np.ndarray | None = None) -> np.ndarray:
    """The rows that stay: of every group the preferred eligible row, and every eligible row without a duplicate.

    Args:
        links: The forest of duplicates over all rows.
        eligible: int64, sorted: rows that may stay.
        preference: float64 `[n]`, higher is better, NaN last; None = the lowest row.

    Returns:
        int64, sorted. Ties go to the lowest row.
    """
    first = links.first()[eligible]
    shared = np.bincount(first, minlength=1)[first] > 1  # the others stay in any case, and need no order
    some, first = eligible[shared], first[shared]
    wish = np.zeros(len(some)) if preference is None else preference[some]
    # NaN sorts last, so the sign is turned to keep the best first
    order = np.lexsort((some, -wish, first))
    leads = np.ones(len(order), bool)
    leads[1:] = first[order[1:]] != first[order[:-1]]
    return np.sort(np.concatenate([eligible[~shared], some[order[leads]]]))


class Deduplicate(Selector):
    """One row of every group that a duplicates labeller found; all rows without a duplicate stay.

    By default the lowest row of a group stays; with a `score` the best one (the highest where the score has no better
    end), rows without a score last. Every row left out names the row that stands for it, at the distance
    1 − similarity, where the similarity is that of the weakest link between the two: the highest threshold at which
    they are still one group. Its `margin` is how far that is above the threshold. `gains` counts the rows that a kept
    row stands for.
    """

    title: ClassVar[str] = "Remove duplicates"
    purpose: ClassVar[Purpose] = "duplicates"
    when: ClassVar[str] = "Groups of duplicates were found by a labeller, and one row of each is to stay."
    weakness: ClassVar[str] = (
        "Groups are chains: their ends may differ more than the threshold says; look at the weakest."
    )
    source: ClassVar[str] = "The project's own; groups by single linkage"
    eligible_ports: ClassVar[tuple[str, ...]] = ("duplicates",)

    min_similarity: float = Field(
        0.0, ge=0, le=1, description="raise the labeller's own threshold; below that, all its links count"
    )

    def select(
        self, pool: Dataset, ask: Ask, runtime: Runtime, *, duplicates: Labels, score: Score | None = None
    ) -> Selection:
        """Select among the eligible rows, in the order of the dataset.

        Raises:
            CurationError: if the labels do not come from a duplicates labeller.
        """
        if "of" not in duplicates.columns or "similarity" not in duplicates.columns:
            raise CurationError(
                "these labels do not say which row duplicates which",
                "use a step with labeller/exact-duplicates, near-duplicates or semantic-duplicates",
            )
        links = Links(np.asarray(duplicates.columns["of"]), np.asarray(duplicates.columns["similarity"]))
        links = links.cut(self.min_similarity)
        kept = keep_one(links, ask.eligible, None if score is None else _preference(score))
        by, similarity = links.weakest(kept)
        out = np.zeros(len(pool), bool)
        out[ask.eligible] = True
        out[kept] = False
        by, similarity = np.where(out, by, NO_ROW), np.where(out, similarity, np.nan)
        threshold = max(self.min_similarity, float(duplicates.info.get("min_similarity", 0.0)))
        return selection(
            pool,
            ask,
            kept,
            stages=(str(duplicates.info.get("relation", "duplicate")),),
            margin=similarity - threshold,
            gains=np.bincount(by[out], minlength=len(pool))[kept].astype(np.float64),
            covered_by=by,
            distance=1 - similarity,
            info={"removed": int(out.sum()), "groups": len(np.unique(by[out]))},
        )


def _preference(score: Score) -> np.ndarray:
    values = np.asarray(score.values, np.float64)
    return -values if score.higher_is_better is False else values
