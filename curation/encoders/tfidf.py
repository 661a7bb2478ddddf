"""Features from the words themselves: no model, a map within seconds."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Missing
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Encoder, Size
from curation.core.runtime import Runtime
from curation.models.words import has_terms
from curation.models.words import plain_terms as terms

MOST_TERMS = 50_000
COMMON_SHARE = 0.5  # a term in more than half of the rows tells none apart
RARE_FROM_ROWS = 100  # from so many rows on, a term found in one row only is left out
SAMPLE_ROWS = 15_000  # the directions come from a sample of this size; all rows are projected on them
POWER_ITERATIONS = 3

NO_WORDS = "no words"
NO_SHARED_WORDS = "shares no word with other rows"


def tfidf_features(texts: list[str], *, dims: int = 64, seed: int = 0) -> tuple[np.ndarray, Missing]:
    """TF-IDF with sublinear counts, projected on its main directions (latent semantic analysis), unit length.

    Costs about 80 µs a row of 90 words for the counts. The directions are found on a sample of at most 15,000 rows.

    Args:
        texts: One per row.
        dims: Directions kept.
        seed: Of the randomised projection.

    Returns:
        float32 `[n, d]` with d ≤ dims, NaN rows where nothing could be counted, and the reasons.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    n = len(texts)
    worded = np.array([has_terms(text) for text in texts], bool)
    if not worded.any():
        return np.full((n, 1), np.nan, np.float32), Missing.where(~worded, NO_WORDS)
    many = n >= RARE_FROM_ROWS
    counter = CountVectorizer(analyzer=terms, dtype=np.float32)
    counts = _useful(counter.fit_transform(texts), many)
    weights = TfidfTransformer(sublinear_tf=True).fit_transform(counts)  # [n, terms], unit rows or empty ones
    d = min(dims, n, weights.shape[1])
    if d == weights.shape[1]:
        values = weights.toarray()
    elif d == n:  # few rows: exact, and without the warnings of a projection that keeps everything
        u, s, _ = np.linalg.svd(weights.toarray(), full_matrices=False)
        values = u * s
    else:
        projection = TruncatedSVD(d, n_iter=POWER_ITERATIONS, random_state=seed)
        rows = np.arange(n) if n <= SAMPLE_ROWS else np.random.default_rng(seed).choice(n, SAMPLE_ROWS, replace=False)
        values = projection.fit(weights[np.sort(rows)]).transform(weights)
    values = values.astype(np.float32)
    length = np.linalg.norm(values, axis=1)
    usable = length > 1e-6
    values = np.where(usable[:, None], values / np.maximum(length, 1e-6)[:, None], np.nan).astype(np.float32)
    reasons = np.where(usable, 0, np.where(worded, 2, 1)).astype(np.int16)
    return values, Missing(reasons, (NO_WORDS, NO_SHARED_WORDS) if reasons.any() else ())


def _useful(counts: Any, many: bool) -> Any:
    """The sparse columns of terms neither in one row only nor in most rows; the `MOST_TERMS` found in most rows."""
    n = counts.shape[0]
    rows_with = np.bincount(counts.indices, minlength=counts.shape[1])
    keep = (rows_with >= (2 if many else 1)) & (rows_with <= (max(1, COMMON_SHARE * n) if many else n))
    if not keep.any():  # all rows alike, or nothing in common at all
        keep[:] = True
    columns = np.flatnonzero(keep)
    if len(columns) > MOST_TERMS:
        columns = np.sort(columns[np.argsort(-rows_with[columns], kind="stable")[:MOST_TERMS]])
    return counts[:, columns]


class Tfidf(Encoder):
    """Vectors from word counts (TF-IDF) on their main directions: which rows use the same words, in any language.

    No model and no GPU: 52,000 rows in about 7 s on two cores. Meant for a first map while the sentence encoder works,
    and for languages that it does not know. Depends on all rows of the pool: new rows change every vector.
    """

    title: ClassVar[str] = "Word counts (TF-IDF)"
    weakness: ClassVar[str] = "Sees words, not meaning: two ways to say the same are far apart."
    source: ClassVar[str] = "Latent semantic analysis (Deerwester et al. 1990) on TF-IDF (Spärck Jones 1972)"

    text: WhichText = Field("both", description="which text is read: the prompt, the response or both")
    dims: int = Field(64, ge=2, le=1000, description="numbers per row")
    chars: int = Field(4000, ge=100, le=10_000_000, description="characters read of each row, from the beginning")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of the randomised projection")

    def encode(self, pool: Dataset, runtime: Runtime) -> Features:
        """Encode all rows of `pool`.

        Args:
            pool: The rows.
            runtime: Not needed.
        """
        texts = [text[: self.chars] for text in pool.texts(self.text)]
        values, missing = tfidf_features(texts, dims=self.dims, seed=self.seed)
        return Features(pool.fingerprint, values, missing, info={"encoder": "tfidf", "text": self.text})

    def work(self, size: Size) -> float:
        """Characters read."""
        return 1.0 + float(min(size.chars, size.rows * self.chars))

    def memory(self, size: Size) -> float:
        """The texts, the counts of their words, and the projection."""
        return 256e6 + 6.0 * min(size.chars, size.rows * self.chars) + 24.0 * size.rows * self.dims

    def disk(self, size: Size) -> float:
        """The vectors."""
        return 4.0 * size.rows * self.dims
