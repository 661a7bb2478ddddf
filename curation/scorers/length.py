"""How long prompt and response are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Scorer
from curation.core.runtime import Runtime
from curation.models.tokens import PACKAGED, count_tokens
from curation.models.words import segment

Unit = Literal["characters", "words", "tokens"]


def lengths(texts: Sequence[str], tokenizer: str = PACKAGED) -> dict[Unit, np.ndarray]:
    """Length of each text in characters, words and tokens.

    Args:
        texts: Any strings; an empty text has length 0.
        tokenizer: See `curation.models.tokens.count_tokens`.

    Returns:
        float64 `[n]` for each unit. Characters are Unicode code points.

    Raises:
        ModelError: if the tokenizer cannot be loaded.
    """
    return {
        "characters": np.array([len(text) for text in texts], np.float64),
        "words": np.array([len(segment(text)) for text in texts], np.float64),
        "tokens": count_tokens(texts, tokenizer).astype(np.float64),
    }


class Length(Scorer):
    """Length of prompt and response in characters, words and tokens.

    The score is the one asked for; all six numbers are columns (`prompt_characters` to `response_tokens`). Words are
    segmented for every language; an empty text has length 0, which is a length and not a missing value.
    """

    title: ClassVar[str] = "Length"
    weakness: ClassVar[str] = "Longer is not better: judges and reward models reward length, so look at both ends."
    source: ClassVar[str] = "An indicator of Instruction Mining (Cao et al. 2023, arXiv:2307.06290)"
    row_wise: ClassVar[bool] = True

    text: WhichText = Field("response", description="whose length is the score; both is the sum")
    unit: Unit = Field("tokens", description="unit of the score")
    tokenizer: str = Field(
        PACKAGED, min_length=1, description="packaged, a folder with tokenizer.json, or a Hugging Face name"
    )

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row; none is ever missing."""
        columns = {
            f"{which}_{unit}": values
            for which in ("prompt", "response")
            for unit, values in lengths(pool.texts(which), self.tokenizer).items()
        }
        parts = ("prompt", "response") if self.text == "both" else (self.text,)
        values = np.sum([columns[f"{part}_{self.unit}"] for part in parts], axis=0)
        return Score(
            pool.fingerprint, values, Missing.none(len(pool)), f"length ({self.text}, {self.unit})", columns=columns
        )
