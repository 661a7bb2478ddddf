"""The offset window."""

from __future__ import annotations

import numpy as np

from curation.core.runtime import Runtime
from curation.selectors.window import Window


def picked(build, values, count, **parameters):
    pool = build(len(values))
    return Window(**parameters).select(pool.pool, pool.ask(count), Runtime(), score=pool.score(values))


def test_the_top_is_skipped_and_the_next_are_taken(build):
    made = picked(build, np.arange(20.0), 3, skip=0.1)
    assert made.order.tolist() == [17, 16, 15]
    assert made.why(19) == "out: in the top 0.1 that is skipped (by 2)"
    assert made.why(18) == "out: in the top 0.1 that is skipped (by 1)"
    assert made.why(14) == "out: beyond the budget (by 1)"


def test_from_the_other_end(build):
    assert picked(build, np.arange(20.0), 2, skip=0.5, keep="lowest").order.tolist() == [10, 11]


def test_a_larger_budget_only_goes_further_down(build):
    values = np.random.default_rng(0).random(50)
    long = picked(build, values, 40, skip=0.2).order
    assert picked(build, values, 10, skip=0.2).order.tolist() == long[:10].tolist()


def test_the_window_ends_with_the_last_row(build):
    made = picked(build, [*np.arange(10.0), np.nan], 11, skip=0.3)
    assert made.order.tolist() == [6, 5, 4, 3, 2, 1, 0]
    assert made.short_by == 4
    assert "3 rows above it are skipped" in made.short_reason


def test_one_row_is_always_left(build):
    assert len(picked(build, [1.0], 1, skip=0.99)) == 1
