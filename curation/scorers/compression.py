"""Compression ratio: how much shorter DEFLATE makes a text."""

from __future__ import annotations

import zlib
from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Scorer
from curation.core.runtime import Runtime

LEVEL = 9
MIN_BYTES = 16
"""Under this many bytes the code table alone decides the ratio, so there is none."""


def compression_ratio(text: str, min_bytes: int = MIN_BYTES) -> float:
    """Bytes of the text divided by bytes of its raw DEFLATE stream (no header, no checksum).

    Dropping zlib's six bytes of wrapping keeps short texts comparable with one another; no floor is applied, so a short
    text without repetition may come out slightly below 1. Chinese takes three bytes a character in UTF-8, of which
    about one is always the same: ratios compare within a script.

    Args:
        text: Any string.
        min_bytes: Shorter texts have no ratio.

    Returns:
        Above 0, 1 for text without any redundancy, 5 and more for text that repeats itself; NaN under `min_bytes`.
    """
    data = text.encode("utf-8", "replace")
    if len(data) < min_bytes or not data:
        return float("nan")
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return len(data) / len(packer.compress(data) + packer.flush())


class Compression(Scorer):
    """How much shorter DEFLATE makes the text: high for text that repeats itself, about 2 for plain English prose.

    Texts under `min_bytes` are missing ("too short to compress") rather than given a number that says nothing. The
    value grows with length because longer texts repeat more: read it beside length.
    """

    title: ClassVar[str] = "Compression ratio"
    weakness: ClassVar[str] = "Grows with length and differs between scripts; code and tables compress well too."
    source: ClassVar[str] = "Shaib et al. 2024, arXiv:2403.00553 (compression ratio as a diversity measure)"
    row_wise: ClassVar[bool] = True

    text: WhichText = Field("both", description="which text to measure")
    min_bytes: int = Field(MIN_BYTES, ge=1, le=10_000, description="shorter texts (UTF-8 bytes) are missing")

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row; a text too short to compress is missing."""
        values = np.array([compression_ratio(text, self.min_bytes) for text in pool.texts(self.text)], np.float64)
        missing = Missing.where(np.isnan(values), f"too short to compress (under {self.min_bytes} bytes)")
        return Score(pool.fingerprint, values, missing, f"compression ratio ({self.text})", higher_is_better=False)
