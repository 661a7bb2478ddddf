"""BM25: how many telling words a row shares with target rows. The baseline of targeted selection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Missing, Score
from curation.core.dataset import Dataset, WhichText
from curation.core.errors import DataError
from curation.core.method import Scorer, Size
from curation.core.runtime import Runtime
from curation.models.words import has_terms, plain_terms

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BLOCK_ROWS = 8192


def bm25(
    texts: Sequence[str],
    queries: Sequence[str],
    *,
    k1: float = 1.5,
    b: float = 0.75,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """Σ over the query's different words of idf · tf (k1 + 1) / (tf + k1 (1 − b + b · length / mean length)).

    idf = ln(1 + (n − df + ½)/(df + ½)), never below 0. A word that a query says twice counts once.

    Args:
        texts: n rows.
        queries: m targets.
        k1: How soon more of the same word stop counting.
        b: 0 = long rows are not counted down, 1 = in proportion to their length.
        progress: Called with (rows counted, rows).

    Returns:
        float64 `[n, m]`. Cost: one pass over all words, then products of sparse rows; memory n · m numbers.
    """
    from scipy.sparse import csr_array

    wanted = sorted({term for query in queries for term in plain_terms(query)})
    place = {term: i for i, term in enumerate(wanted)}
    lengths = np.zeros(len(texts))
    data: list[int] = []
    columns: list[int] = []
    starts = [0]
    for row, text in enumerate(texts):  # only words of a query can count
        found = plain_terms(text)
        lengths[row] = len(found)
        counts = Counter(place[term] for term in found if term in place)
        columns.extend(counts)
        data.extend(counts.values())
        starts.append(len(columns))
        if row % BLOCK_ROWS == 0:
            progress(row, len(texts))
    shape = (len(texts), max(len(wanted), 1))
    tf = csr_array((np.array(data, np.float64), np.array(columns, np.int64), np.array(starts, np.int64)), shape=shape)
    mean = max(float(lengths.mean()), 1e-12) if len(texts) else 1.0
    df = np.bincount(tf.indices, minlength=shape[1])
    idf = np.log1p((len(texts) - df + 0.5) / (df + 0.5))
    owner = np.repeat(np.arange(len(texts)), np.diff(tf.indptr))
    tf.data = tf.data * (k1 + 1) / (tf.data + k1 * (1 - b + b * lengths[owner] / mean)) * idf[tf.indices]
    asked = [np.array(sorted({place[t] for t in plain_terms(query)}), np.int64) for query in queries]
    marks = _marks(asked, shape[1])
    return np.asarray((tf @ marks.T).todense())


def _marks(asked: Sequence[np.ndarray], width: int) -> csr_array:
    """Which words each query has, `[m, words]`."""
    from scipy.sparse import csr_array

    starts = np.cumsum([0, *(len(words) for words in asked)])
    columns = np.concatenate([*asked, np.empty(0, np.int64)])
    return csr_array((np.ones(len(columns)), columns, starts), shape=(len(asked), width))


class Bm25(Scorer):
    """Words that a row shares with the rows of a target dataset, rare ones counting more (Okapi BM25).

    `max` takes a row's best target, `mean` its mean over all. Column `target` is the row of the target dataset with the
    highest value. Rows without words are missing. In scripts written without spaces pairs of characters stand for
    words.
    """

    title: ClassVar[str] = "BM25"
    weakness: ClassVar[str] = "Knows words, not meanings: says nothing where the same is said in other words."
    source: ClassVar[str] = "Robertson & Zaragoza 2009, doi:10.1561/1500000019; a baseline of LESS, arXiv 2402.04333"

    text: WhichText = Field("both", description="which text is compared: the prompt, the response or both")
    aggregate: Literal["max", "mean"] = Field("max", description="over the target rows: the best one, or their mean")
    k1: float = Field(1.5, ge=0, le=10, description="how soon more of the same word stop counting")
    b: float = Field(0.75, ge=0, le=1, description="how far long rows are counted down")

    def score(self, pool: Dataset, runtime: Runtime, *, target: Dataset) -> Score:
        """Compare every row with the target's rows.

        Args:
            pool: The rows.
            runtime: Progress.
            target: Another dataset, whose rows say what is wanted.

        Raises:
            DataError: the target's rows have no words.
        """
        queries = target.texts(self.text)
        if not any(map(has_terms, queries)):
            raise DataError("the rows of the target have no words", "give other rows, or another text")
        texts = pool.texts(self.text)
        found = bm25(texts, queries, k1=self.k1, b=self.b, progress=lambda done, total: runtime.progress(done, total))
        values = found.max(axis=1) if self.aggregate == "max" else found.mean(axis=1)
        silent = np.array([not has_terms(text) for text in texts], bool)
        values = np.where(silent, np.nan, values)
        best = np.where(found.max(axis=1) > 0, found.argmax(axis=1), NO_ROW).astype(np.int64)
        info = {"targets": len(target), "target_dataset": target.fingerprint, "aggregate": self.aggregate}
        missing = Missing.where(silent, "no words")
        return Score(pool.fingerprint, values, missing, "BM25", True, {"target": best}, info)

    def disk(self, size: Size) -> float:
        """The score and a column."""
        return 16.0 * size.rows
