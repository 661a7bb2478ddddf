"""Which part of every arm each cluster, source or language has, against random draws."""

from __future__ import annotations

import numpy as np

from curation.comparison.chance import hypergeometric_interval
from curation.comparison.facts import Comparison
from curation.comparison.measured import Shares
from curation.core.artifacts import Labels

MOST_LABELS = 30
OTHERS, NOISE, NONE = "others", "noise", "no label"


def grouped(labels: Labels, rows: np.ndarray, most: int = MOST_LABELS) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes `[n]` of at most `most` labels and what stands for the rest, and their names.

    Args:
        labels: Of all rows.
        rows: int64, the rows whose largest labels are named.
        most: Labels with a name of their own; one more small label is named rather than called "others".

    Returns:
        int32 `[n]` codes into the names: labels by their number of rows, largest first (equal ones by name), then
        "others", "noise" and "no label", each only where a row of the Dataset has it.
    """
    codes = np.asarray(labels.codes, np.int64)
    missing = labels.missing.mask
    there = rows[(codes[rows] >= 0) & ~missing[rows]]
    counts = np.bincount(codes[there], minlength=len(labels.names))
    everywhere = np.bincount(codes[(codes >= 0) & ~missing], minlength=len(labels.names))
    used = np.flatnonzero(everywhere)
    ordered = used[np.lexsort((used, -everywhere[used], -counts[used]))]
    named = ordered if len(ordered) <= most + 1 else ordered[:most]
    names = [labels.names[code] for code in named]
    table = np.full(len(labels.names) + 1, len(names), np.int32)  # "others"; the last place serves code -1
    table[named] = np.arange(len(named), dtype=np.int32)
    made = table[codes]
    if len(named) < len(ordered):
        names.append(OTHERS)
    noise = (codes < 0) & ~missing
    for mask, name in ((noise, NOISE), (missing, NONE)):
        if mask.any():
            made[mask] = len(names)
            names.append(name)
    return made, tuple(names)


def shares(key: str, name: str, labels: Labels, comparison: Comparison, *, most: int = MOST_LABELS) -> Shares:
    """Shares of labels in every arm; O(n) and the size of each arm.

    Args:
        key: Of the Labels.
        name: For axes.
        labels: Of all rows.
        comparison: The arms.
        most: Labels with a name of their own.
    """
    rows = np.asarray(comparison.eligible)
    codes, names = grouped(labels, rows, most)
    count = len(names)
    whole = np.bincount(codes[rows], minlength=count)
    counts = np.array([np.bincount(codes[arm.order], minlength=count) for arm in comparison.arms], np.int64)
    counts = counts.reshape(len(comparison.arms), count)
    sizes = np.array([len(arm) for arm in comparison.arms], np.int64)
    empty = np.full(counts.shape, np.nan)
    random = (empty.copy(), empty.copy())
    chance = (empty.copy(), empty.copy())
    known: dict[tuple[int, int], tuple[int, int]] = {}
    for place, size in enumerate(sizes):
        if not size:
            continue
        if comparison.random:
            drawn = [np.bincount(codes[draw.order[:size]], minlength=count) for draw in comparison.random]
            held = np.array([d / d.sum() for d in drawn])
            random[0][place], random[1][place] = held.min(axis=0), held.max(axis=0)
        for label, marked in enumerate(whole):
            asked = (int(marked), int(size))
            if asked not in known:
                known[asked] = hypergeometric_interval(len(rows), *asked)
            chance[0][place, label], chance[1][place, label] = np.array(known[asked]) / size
    held = np.divide(counts, sizes[:, None], out=empty.copy(), where=sizes[:, None] > 0)
    pool = whole / max(len(rows), 1)
    return Shares(key, name, names, pool, counts, held, *random, *chance)
