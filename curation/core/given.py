"""What is known of every dataset before anything is computed: the file of a row, the length of its response."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from curation.core.artifacts import NO_ROW, Labels, Missing, Score
from curation.core.dataset import Dataset

RESPONSE_LENGTH = "response length (characters)"
DATASETS = 8
"""Datasets whose answers are kept, since a page asks in every run."""


@lru_cache(DATASETS)
def source_labels(dataset: Dataset) -> Labels:
    """The file of every row; names in alphabetical order. Read once for each dataset, chunk by chunk: O(n).

    Args:
        dataset: Whose rows.
    """
    place: dict[str, int] = {}
    parts = [np.empty(0, np.int32)]
    for chunk in dataset.column("source").chunks:
        encoded = chunk.dictionary_encode()
        known = [place.setdefault(str(name), len(place)) for name in encoded.dictionary.to_pylist()]
        codes = encoded.indices.fill_null(NO_ROW).to_numpy(zero_copy_only=False)
        parts.append(np.array([*known, NO_ROW], np.int32)[codes])  # the last place is for rows without a source
    names = sorted(place)
    rank = np.full(len(names) + 1, NO_ROW, np.int32)
    rank[[place[name] for name in names]] = np.arange(len(names))
    made = rank[np.concatenate(parts)]
    made.flags.writeable = False
    return Labels(dataset.fingerprint, made, tuple(names), Missing.where(made == NO_ROW, "no source"))


@lru_cache(DATASETS)
def response_length(dataset: Dataset) -> Score:
    """Characters of every response.

    Args:
        dataset: Whose rows.
    """
    values = dataset.lengths("response").astype(np.float64)
    values.flags.writeable = False
    return Score(dataset.fingerprint, values, Missing.none(len(values)), RESPONSE_LENGTH)
