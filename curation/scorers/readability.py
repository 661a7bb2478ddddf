"""Readability: how hard a text is to read, by indices that need neither syllables nor a word list."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Scorer
from curation.core.runtime import Runtime
from curation.models.words import Counts, count

Index = Literal["lix", "ari", "coleman-liau"]

ALPHABET_SHARE = 0.5
"""ARI and Coleman-Liau are missing when more of the text than this is in a script without spaces between words."""


def lix(counts: Counts) -> float:
    """LIX: words per sentence plus the percentage of hard words.

    In an alphabet hard words are the long ones (over six letters), which is Björnsson's index: 20 very easy, 40 a
    newspaper, 60 very hard. For Han words, which are short, hardness is ours: three or more characters, or a character
    outside the everyday ones of the national standards (see `curation.models.words.is_hard`). Compare rows of one
    script.

    Args:
        counts: Counts of one text.

    Returns:
        At least 1; NaN without words.
    """
    if not counts.words:
        return float("nan")
    return counts.words / max(counts.sentences, 1) + 100 * counts.hard_words / counts.words


def ari(counts: Counts) -> float:
    """Automated readability index: 4.71 · letters / words + 0.5 · words / sentences − 21.43, a US school grade.

    Args:
        counts: Counts of one text.

    Returns:
        About −10 to 40, not clipped; NaN without words or for a text that is mostly not in an alphabet.
    """
    if not _alphabetic(counts):
        return float("nan")
    return 4.71 * counts.letters / counts.words + 0.5 * counts.words / max(counts.sentences, 1) - 21.43


def coleman_liau(counts: Counts) -> float:
    """Coleman-Liau index: 5.88 · letters / words − 29.6 · sentences / words − 15.8, a US school grade.

    Args:
        counts: Counts of one text.

    Returns:
        About −40 to 40, not clipped; NaN without words or for a text that is mostly not in an alphabet.
    """
    if not _alphabetic(counts):
        return float("nan")
    return 5.88 * counts.letters / counts.words - 29.6 * max(counts.sentences, 1) / counts.words - 15.8


def _alphabetic(counts: Counts) -> bool:
    return counts.words > 0 and counts.spaceless <= ALPHABET_SHARE


INDICES = {"lix": lix, "ari": ari, "coleman-liau": coleman_liau}


class Readability(Scorer):
    """How hard the text is to read: higher is harder.

    LIX is defined for every language. ARI and Coleman-Liau were fitted on English: for text in Chinese, Japanese, Thai
    and other scripts written without spaces they are missing, with that reason. Columns: `words_per_sentence`,
    `letters_per_word`, `hard_words` (share of words), the parts the indices are made of.
    """

    title: ClassVar[str] = "Readability"
    weakness: ClassVar[str] = (
        "Counts lengths, not meaning; code, lists and very short texts get numbers that mean little."
    )
    source: ClassVar[str] = (
        "LIX: Björnsson 1968. ARI: Smith & Senter 1967, AMRL-TR-66-220. Coleman & Liau 1975, doi:10.1037/h0076540"
    )
    row_wise: ClassVar[bool] = True

    text: WhichText = Field("response", description="which text to measure")
    index: Index = Field("lix", description="lix for every language; ari and coleman-liau for alphabets only")

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row; missing without words, or where the index is not defined for the script."""
        counts = [count(text) for text in pool.texts(self.text)]
        values = np.array([INDICES[self.index](c) for c in counts], np.float64)
        words = np.array([c.words for c in counts], np.float64)
        sentences = np.array([c.sentences for c in counts], np.float64)
        undefined = f"{self.index} is not defined for a script without spaces between words"
        reasons = [
            None if np.isfinite(value) else "no words" if not c.words else undefined
            for value, c in zip(values, counts, strict=True)
        ]
        some = np.where(words > 0, words, np.nan)
        columns = {
            "words_per_sentence": some / np.maximum(sentences, 1),
            "letters_per_word": np.array([c.letters for c in counts], np.float64) / some,
            "hard_words": np.array([c.hard_words for c in counts], np.float64) / some,
        }
        name = f"readability ({self.index}, {self.text})"
        return Score(pool.fingerprint, values, Missing.from_list(reasons), name, columns=columns)
