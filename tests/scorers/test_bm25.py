"""BM25 against the textbook loop, planted targets, and scripts without spaces."""

from __future__ import annotations

import math

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.errors import DataError
from curation.core.runtime import Runtime
from curation.scorers.bm25 import Bm25, bm25


def bm25_naive(texts: list[str], queries: list[str], k1: float, b: float) -> np.ndarray:
    rows = [text.lower().split() for text in texts]
    mean = sum(map(len, rows)) / len(rows)
    out = np.zeros((len(texts), len(queries)))
    for j, query in enumerate(queries):
        for word in set(query.lower().split()):
            df = sum(word in row for row in rows)
            idf = math.log(1 + (len(rows) - df + 0.5) / (df + 0.5))
            for i, row in enumerate(rows):
                tf = row.count(word)
                if not tf:
                    continue
                out[i, j] += idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * len(row) / mean))
    return out


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.0, 0.5), (2.0, 0.0), (1.2, 1.0)])
def test_it_equals_the_loop(seed: int, k1: float, b: float) -> None:
    rng = np.random.default_rng(seed)
    words = [f"word{i}" for i in range(30)]
    texts = [" ".join(rng.choice(words, rng.integers(1, 25))) for _ in range(40)]
    queries = [" ".join(rng.choice([*words, "unseen"], rng.integers(1, 6))) for _ in range(7)]
    assert np.allclose(bm25(texts, queries, k1=k1, b=b), bm25_naive(texts, queries, k1, b))


def test_the_planted_topic_is_found_and_the_target_named() -> None:
    pool = from_pairs(
        [("bake bread", "flour and yeast"), ("stars", "a planet in orbit"), ("", ""), ("orbit", "planet")]
    )
    target = from_pairs([("which planet", "the orbit of mars"), ("yeast", "for bread")])
    found = Bm25().score(pool, Runtime(), target=target)
    assert found.missing.reason(2) == "no words" and np.isnan(found.values[2])
    assert found.columns["target"].tolist() == [1, 0, -1, 0]
    mean = Bm25(aggregate="mean").score(pool, Runtime(), target=target)
    assert (mean.values[[0, 1, 3]] <= found.values[[0, 1, 3]]).all()


def test_scripts_without_spaces_share_pairs_of_characters() -> None:
    pool = from_pairs([("今天天气很好", "是"), ("我喜欢吃面包", "好")])
    found = Bm25(text="prompt").score(pool, Runtime(), target=from_pairs([("明天天气", "")]))
    assert found.values[0] > found.values[1] == 0


def test_a_target_without_words_is_an_error() -> None:
    with pytest.raises(DataError, match="no words"):
        Bm25().score(from_pairs([("a b", "c d")]), Runtime(), target=from_pairs([("?!", "…")]))
