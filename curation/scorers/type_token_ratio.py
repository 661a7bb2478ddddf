"""Type-token ratio: the share of words that are different."""

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


def type_token_ratio(words: Sequence[str]) -> float:
    """Different words divided by all words.

    Args:
        words: The words, casefolded.

    Returns:
        In (0, 1]; NaN without words.
    """
    return len(set(words)) / len(words) if words else float("nan")


def root_type_token_ratio(words: Sequence[str]) -> float:
    """Different words divided by the square root of all words (Guiraud), which depends less on length.

    Args:
        words: The words, casefolded.

    Returns:
        At least 1 / √n; NaN without words.
    """
    return len(set(words)) / len(words) ** 0.5 if words else float("nan")


class TypeTokenRatio(Scorer):
    """Share of different words among all words; `root` is Guiraud's form, which depends less on length.

    Prompt and response are read together by default: in most short responses no word repeats, and all of them would
    get 1.
    """

    title: ClassVar[str] = "Type-token ratio"
    weakness: ClassVar[str] = "Falls with length whatever the style; compare rows of like length, or use MTLD."
    source: ClassVar[str] = "Templin 1957; Guiraud 1954 for the root form"
    row_wise: ClassVar[bool] = True

    text: WhichText = Field("both", description="which text to measure")

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row; a text without words is missing."""
        texts = [segment(text) for text in pool.texts(self.text)]
        values = np.array([type_token_ratio(words) for words in texts], np.float64)
        root = np.array([root_type_token_ratio(words) for words in texts], np.float64)
        missing = Missing.where(np.isnan(values), "no words")
        return Score(pool.fingerprint, values, missing, f"type-token ratio ({self.text})", columns={"root": root})
