"""MTLD: how many words a text goes on before its vocabulary repeats itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Scorer
from curation.core.runtime import Runtime
from curation.models.words import segment

THRESHOLD = 0.72
"""Type-token ratio at which a stretch of text is used up (McCarthy & Jarvis 2010)."""

RELIABLE_WORDS = 50
"""Below this many words the measure is known to be unstable."""


def factors(words: Iterable[str], threshold: float = THRESHOLD) -> float:
    """How often the running type-token ratio falls to the threshold, reading forward; the rest counts as a part.

    Args:
        words: The words in order.
        threshold: In (0, 1).

    Returns:
        Whole factors plus (1 − ratio) / (1 − threshold) of the stretch left over; 0 when no word repeats.
    """
    full, seen, length = 0, set[str](), 0
    for word in words:
        seen.add(word)
        length += 1
        if len(seen) <= threshold * length:
            full, length = full + 1, 0
            seen.clear()
    rest = (1 - len(seen) / length) / (1 - threshold) if length else 0.0
    return full + rest


def mtld(words: Sequence[str], threshold: float = THRESHOLD) -> float:
    """Measure of textual lexical diversity: words per factor, the mean of reading forward and backward.

    Cost: two passes over the words.

    Args:
        words: The words in order, casefolded.
        threshold: In (0, 1).

    Returns:
        At least 1. The number of words when no word repeats, where the measure has no upper end; NaN without words.
    """
    if not words:
        return float("nan")
    both_ways = (factors(words, threshold), factors(reversed(words), threshold))
    return float(np.mean([len(words) / f if f else float(len(words)) for f in both_ways]))


class Mtld(Scorer):
    """Lexical diversity that does not fall with length, unlike the type-token ratio.

    Columns: `words`, and `capped`, 1 where no word repeats: there the value is the number of words, a lower bound.
    Prompt and response are read together by default, because most responses alone are shorter than the 50 words that
    the measure needs.
    """

    title: ClassVar[str] = "Lexical diversity (MTLD)"
    weakness: ClassVar[str] = "Unstable under 50 words, where it follows length; word lists and tables score high."
    source: ClassVar[str] = "McCarthy & Jarvis 2010, doi:10.3758/BRM.42.2.381; an indicator of Instruction Mining"
    row_wise: ClassVar[bool] = True

    text: WhichText = Field("both", description="which text to measure")
    threshold: float = Field(THRESHOLD, gt=0, lt=1, description="type-token ratio that ends a factor")

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row; a text without words is missing."""
        texts = [segment(text) for text in pool.texts(self.text)]
        values = np.array([mtld(words, self.threshold) for words in texts])
        count = np.array([len(words) for words in texts], np.float64)
        capped = np.array([bool(w) and len(set(w)) == len(w) for w in texts], np.float64)
        return Score(
            pool.fingerprint,
            values,
            Missing.where(np.isnan(values), "no words"),
            f"MTLD ({self.text})",
            columns={"words": count, "capped": capped},
            info={"reliable_from_words": RELIABLE_WORDS},
        )
