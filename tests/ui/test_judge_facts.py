"""Shares and intervals of the Judge page, against counts by hand and scipy's own test."""

import numpy as np
import pytest
from scipy.stats import binomtest

from curation.ui.judge_facts import exact_interval, random_rows, retention


@pytest.mark.parametrize(("hits", "of"), [(0, 40), (3, 40), (40, 40), (20, 41), (1, 1)])
def test_the_interval_is_the_exact_one(hits, of):
    known = binomtest(hits, of).proportion_ci(0.95, "exact")
    assert exact_interval(hits, of) == pytest.approx((known.low, known.high))


def test_without_rows_nothing_is_known():
    assert exact_interval(0, 0) == (0.0, 1.0)


def test_it_holds_the_true_share_at_least_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for share in (0.02, 0.1, 0.5):
        hits = rng.binomial(40, share, 4000)
        ends = {h: exact_interval(int(h), 40) for h in set(hits.tolist())}
        held = np.mean([ends[h][0] <= share <= ends[h][1] for h in hits.tolist()])
        assert held >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 4000)


def test_kept_rows_are_counted_by_category_and_those_without_a_score_apart():
    codes = np.array([0, 0, 0, 1, 1, -1])
    values = np.array([5.0, 1, np.nan, 5, 5, 2])
    found = retention(codes, ["a", "b"], values, values >= 4)
    assert found.names == ("a", "b", "none of these")
    assert found.scored.tolist() == [2, 2, 1]
    assert found.kept.tolist() == [1, 2, 0]
    assert found.missing.tolist() == [1, 0, 0]
    assert found.overall == pytest.approx(3 / 5)
    assert found.share.tolist() == [0.5, 1.0, 0.0]


def test_a_category_is_pointed_out_only_when_chance_does_not_explain_it():
    values = np.concatenate([np.r_[np.ones(500), np.zeros(500)], np.r_[np.ones(50), np.zeros(150)], [0, 0, 0]])
    codes = np.repeat([0, 1, 2], [1000, 200, 3])
    found = retention(codes, ["prose", "code", "rare"], values, values >= 1)
    assert dict(zip(found.names, found.low.tolist(), strict=True)) == {"prose": False, "code": True, "rare": False}


def test_no_scores_at_all():
    found = retention(np.zeros(3, int), ["a"], np.full(3, np.nan), np.zeros(3, bool))
    assert np.isnan(found.overall)
    assert np.isnan(found.share).all()
    assert not found.low.any()


def test_a_draw_is_random_repeats_nothing_and_can_be_repeated():
    rows = np.arange(100, 300)
    drawn = random_rows(rows, 40, 7)
    assert len(set(drawn.tolist())) == 40
    assert set(drawn.tolist()) <= set(rows.tolist())
    assert drawn.tolist() == random_rows(rows, 80, 7)[:40].tolist()
    assert drawn.tolist() != random_rows(rows, 40, 8).tolist()
    assert random_rows(rows, 500, 7).size == 200
