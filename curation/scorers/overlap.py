"""Overlap: how much of a response is found in its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import Scorer
from curation.core.runtime import Runtime
from curation.models.words import segment

MAX_CELLS = 4_000_000
"""The longest common subsequence is not looked for beyond this many word pairs (two texts of 2,000 words)."""


def word_overlap(prompt: Sequence[str], response: Sequence[str]) -> float:
    """Share of the words of the response, repetitions counted, that occur in the prompt.

    Args:
        prompt: Words of the prompt, casefolded.
        response: Words of the response, casefolded.

    Returns:
        0 to 1; NaN without a word in the response.
    """
    if not response:
        return float("nan")
    known = set(prompt)
    return sum(word in known for word in response) / len(response)


def longest_common(prompt: Sequence[str], response: Sequence[str]) -> int:
    """Length of the longest common subsequence of two word lists.

    Bits of one integer stand for the words of the response (Hyyrö 2004), so the cost is n·m/64.

    Args:
        prompt: First list.
        response: Second list.

    Returns:
        Number of words that occur in both in the same order.
    """
    places: dict[str, int] = {}
    for i, word in enumerate(response):
        places[word] = places.get(word, 0) | 1 << i
    everything = (1 << len(response)) - 1
    open_places = everything
    for word in prompt:
        hit = open_places & places.get(word, 0)
        open_places = ((open_places + hit) | (open_places - hit)) & everything
    return len(response) - open_places.bit_count()


def rouge_l(prompt: Sequence[str], response: Sequence[str]) -> float:
    """ROUGE-L recall of the response in the prompt: longest common subsequence over the words of the response.

    Args:
        prompt: Words of the prompt, casefolded.
        response: Words of the response, casefolded.

    Returns:
        0 to 1; NaN without a word in the response, or beyond `MAX_CELLS` word pairs.
    """
    if not response or len(prompt) * len(response) > MAX_CELLS:
        return float("nan")
    return longest_common(prompt, response) / len(response)


class Overlap(Scorer):
    """Share of the response that is already in the prompt: 1 for a response that only copies.

    The score is the share of words or, by `measure`, the longest common subsequence (ROUGE-L), which asks for the same
    order. Both are columns: `words` and `rouge_l`.
    """

    title: ClassVar[str] = "Overlap with the prompt"
    weakness: ClassVar[str] = "Summaries and corrections overlap rightly; common words overlap in any language."
    source: ClassVar[str] = "Lin 2004, ROUGE, aclanthology.org/W04-1013, for the subsequence form"
    row_wise: ClassVar[bool] = True

    measure: Literal["words", "rouge-l"] = Field("words", description="share of words, or same words in order")

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row; a response without words is missing."""
        prompts = [segment(text) for text in pool.texts("prompt")]
        responses = [segment(text) for text in pool.texts("response")]
        pairs = list(zip(prompts, responses, strict=True))
        columns = {
            "words": np.array([word_overlap(p, r) for p, r in pairs], np.float64),
            "rouge_l": np.array([rouge_l(p, r) for p, r in pairs], np.float64),
        }
        values = columns["words" if self.measure == "words" else "rouge_l"]
        reasons = [
            None if np.isfinite(value) else "too long for rouge-l" if response else "no words in the response"
            for value, response in zip(values, responses, strict=True)
        ]
        name = f"overlap with the prompt ({self.measure})"
        return Score(pool.fingerprint, values, Missing.from_list(reasons), name, columns=columns)
