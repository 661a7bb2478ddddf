"""Labels from links between duplicates."""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.core.artifacts import NO_ROW, Labels, Missing
from curation.linalg.groups import Links


def group_labels(
    dataset: str, links: Links, relation: str, min_similarity: float, missing: Missing | None = None, **info: Any
) -> Labels:
    """Labels that name the group of every row that has a duplicate.

    Args:
        dataset: Fingerprint.
        links: The forest over all rows.
        relation: What a linked row is to the other ("near-duplicate"); shown where a row is left out because of it.
        min_similarity: The threshold of the links.
        missing: Rows that could not be compared; none by default.
        info: More facts worth showing.

    Returns:
        Labels with code -1 for rows without a duplicate; groups are numbered by their lowest row. Columns `of` (int64,
        the row that this one is linked to, -1 for the lowest row of a group) and `similarity` (NaN there).
    """
    first = links.first()
    member = (links.of >= 0) | (np.bincount(first, minlength=len(first)) > 1)
    lowest, codes = np.unique(first[member], return_inverse=True)
    all_codes = np.full(len(first), NO_ROW, np.int32)
    all_codes[member] = codes
    return Labels(
        dataset,
        all_codes,
        tuple(f"group {i + 1}" for i in range(len(lowest))),
        Missing.none(len(first)) if missing is None else missing,
        columns={"of": links.of, "similarity": links.similarity},
        info={
            "relation": relation,
            "min_similarity": min_similarity,
            "groups": len(lowest),
            "rows_in_groups": int(member.sum()),
            "removable": int((links.of >= 0).sum()),
            **info,
        },
    )
