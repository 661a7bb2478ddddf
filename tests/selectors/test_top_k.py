"""The best scores."""

from __future__ import annotations

import numpy as np

from curation.core.runtime import Runtime
from curation.selectors.top_k import TopK

VALUES = [0.1, 0.5, 0.9, 0.5, float("nan"), 0.3]


def test_equal_scores_go_to_the_lowest_row(build):
    pool = build(6)
    made = TopK().select(pool.pool, pool.ask(2), Runtime(), score=pool.score(VALUES))
    assert made.order.tolist() == [2, 1]
    assert made.gains.tolist() == [0.9, 0.5]
    assert made.why(3) == "out: beyond the budget (by 1)"
    assert made.why(4) == "out: no score"


def test_best_follows_the_score_and_either_end_can_be_named(build):
    pool = build(6)
    lower = pool.score(VALUES, better=False)
    assert TopK().select(pool.pool, pool.ask(2), Runtime(), score=lower).order.tolist() == [0, 5]
    assert TopK(keep="highest").select(pool.pool, pool.ask(2), Runtime(), score=lower).order.tolist() == [2, 1]


def test_rows_without_a_score_are_never_picked(build):
    pool = build(6)
    made = TopK().select(pool.pool, pool.ask(6), Runtime(), score=pool.score(VALUES))
    assert made.order.tolist() == [2, 1, 3, 5, 0]
    assert (made.short_by, made.short_reason) == (1, "the other rows have no score")


def test_equals_the_naive_sort(build):
    for seed in range(5):
        values = np.round(np.random.default_rng(seed).random(60), 1)
        pool = build(60)
        naive = sorted(range(60), key=lambda row: (-values[row], row))[:25]  # noqa: B023 - used at once
        assert TopK().select(pool.pool, pool.ask(25), Runtime(), score=pool.score(values)).order.tolist() == naive
