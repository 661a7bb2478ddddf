"""Selections taken away."""

from __future__ import annotations

import numpy as np

from curation.core.runtime import Runtime
from curation.selectors.minus import Minus


def test_difference_takes_away(build):
    pool = build(5)
    made = Minus().select(
        pool.pool, pool.ask(), Runtime(), of=pool.picks([4, 2, 0], "a"), without=[pool.picks([2]), pool.picks([3])]
    )
    assert made.order.tolist() == [4, 0]
    assert made.why(2) == "out: taken away: it is in another selection"
    assert made.why(3) == "out: a"


def test_gains_and_weights_stay_with_their_rows(build):
    pool = build(4)
    of = pool.picks([3, 1, 0], gains=np.array([3.0, 2.0, 1.0]), weights=np.array([0.1, 0.2, 0.3]))
    made = Minus().select(pool.pool, pool.ask(), Runtime(), of=of, without=[pool.picks([1])])
    assert made.order.tolist() == [3, 0]
    assert made.gains.tolist() == [3.0, 1.0]
    assert made.weights.tolist() == [0.1, 0.3]


def test_nothing_to_take_away_leaves_all(build):
    pool = build(4)
    assert Minus().select(pool.pool, pool.ask(), Runtime(), of=pool.picks([3, 1]), without=[]).order.tolist() == [3, 1]
