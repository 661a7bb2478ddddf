"""Repetition: how much of a text says again what it said before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Scorer
from curation.core.runtime import Runtime
from curation.models.words import segment

SIZES = (2, 3, 4)


def repeated_share(words: Sequence[str], size: int) -> float:
    """Share of the n-grams of a text that occurred earlier in it: 1 − distinct / all.

    Args:
        words: The words in order.
        size: Words in an n-gram, at least 1.

    Returns:
        In [0, 1); 0 for a text with fewer than `size` words, in which nothing can repeat; NaN without words.
    """
    if not words:
        return float("nan")
    grams = [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def duplicate_lines(text: str) -> float:
    """Share of the lines of a text that say what an earlier line said, without blank lines, case and spacing.

    Args:
        text: Any string.

    Returns:
        In [0, 1); NaN for a text without a line that holds anything.
    """
    lines = [" ".join(line.casefold().split()) for line in text.splitlines()]
    lines = [line for line in lines if line]
    return 1 - len(set(lines)) / len(lines) if lines else float("nan")


class Repetition(Scorer):
    """Share of repeated phrases: 1 − Π (1 − share of repeated n-grams) for n = 2, 3, 4.

    0 means that no two words in a row come again: a good and common answer, not a gap. Columns `repeated_2`,
    `repeated_3`, `repeated_4` hold the three shares, `duplicate_lines` the share of lines that came before.
    """

    title: ClassVar[str] = "Repetition"
    weakness: ClassVar[str] = "Longer texts repeat more; lists, code and verse repeat on purpose."
    source: ClassVar[str] = "Su et al. 2022, arXiv:2202.06417 (diversity); Gopher's rules, arXiv:2112.11446, for lines"
    row_wise: ClassVar[bool] = True

    text: WhichText = Field("response", description="which text to measure")

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row; a text without words is missing."""
        texts = pool.texts(self.text)
        words = [segment(text) for text in texts]
        columns = {f"repeated_{size}": np.array([repeated_share(w, size) for w in words], np.float64) for size in SIZES}
        values = 1 - np.prod([1 - share for share in columns.values()], axis=0)
        columns["duplicate_lines"] = np.array([duplicate_lines(text) for text in texts], np.float64)
        missing = Missing.where(np.isnan(values), "no words")
        name = f"repetition ({self.text})"
        return Score(pool.fingerprint, values, missing, name, higher_is_better=False, columns=columns)
