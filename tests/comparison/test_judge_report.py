"""What is found of judges whose habits are known: one of pure length, a random one, one that likes the first place."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import false_discovery_control, spearmanr

from curation.comparison.judge_report import (
    FEATURES,
    benjamini_hochberg,
    features_of,
    judge_report,
    predictors_of,
    rank_interval,
    sentences,
)
from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset, from_pairs


def rows(n: int, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    words = ["the", "river", "green", "lamp", "seven", "stone", "runs", "over", "because", "therefore", "always"]
    pairs = []
    for i in range(n):
        text = " ".join(rng.choice(words, int(rng.integers(5, 150))))
        marks = "?" * int(rng.integers(0, 4))
        form = rng.choice(["{}.", "1. {}\n2. more", "```\n{}\n```", "I'm sorry, but I cannot help. {}"])
        pairs.append((f"Question {i}{marks}", form.format(text)))
    return from_pairs(pairs)


def score_of(pool: Dataset, values: np.ndarray, columns: dict | None = None, **info: object) -> Score:
    return Score(
        pool.fingerprint, values, Missing.where(np.isnan(values), "no score"), "judge", True, columns or {}, info
    )


def test_a_judge_of_pure_length_is_found_out():
    pool = rows(600)
    found = judge_report(pool, score_of(pool, pool.lengths("response") * 0.01))
    first = found.predictors[0]
    assert first.name == "length of the response (log)"
    assert first.alone > 0.98
    assert found.together > 0.98
    assert first.significant
    assert first.rho.value == pytest.approx(1)
    assert any("Length of the response (log) alone explains" in text for text in sentences(found))


def test_a_judge_that_is_partly_length_is_told_with_its_share():
    pool = rows(3000)
    rng = np.random.default_rng(1)
    length = np.log(pool.lengths("response"))
    values = (length - length.mean()) / length.std() + rng.normal(size=len(pool))
    found = judge_report(pool, score_of(pool, values))
    assert 0.35 < found.together < 0.6  # half of the variance is length, of values; of ranks a little less


def test_random_judges_are_told_to_follow_nothing_in_95_percent():
    features = features_of(rows(300))
    named = []
    for seed in range(60):
        values = np.random.default_rng(seed).normal(size=300)
        together, found = predictors_of(features, values, FEATURES, seed=seed)
        named.append(any(each.significant for each in found))
        assert together < 0.1
    assert np.mean(named) <= 0.10  # 5 % expected; 60 seeds


def test_a_judge_that_likes_refusals_is_found_out_and_its_sign():
    pool = rows(500)
    refusal = features_of(pool)[:, FEATURES.index("begins with a refusal")]
    assert 0.1 < refusal.mean() < 0.5
    found = judge_report(pool, score_of(pool, -refusal + 0.01 * np.arange(500) / 500))
    named = {each.name: each for each in found.predictors}
    assert named["begins with a refusal"].rho.value < -0.5
    assert named["begins with a refusal"].significant


@pytest.mark.parametrize("shift", [0.6, -0.6])
def test_a_shift_by_position_is_found_with_its_sign(shift):
    pool = rows(400)
    rng = np.random.default_rng(2)
    values = rng.normal(3, 1, 400)
    again, swapped = np.full(400, np.nan), np.full(400, np.nan)
    again[:60] = values[:60] + rng.normal(0, 0.2, 60)
    swapped[60:120] = values[60:120] + rng.normal(0, 0.2, 60) + shift
    found = judge_report(pool, score_of(pool, values, {"again": again, "swapped": swapped}, step=0.5))
    assert found.audit.position.excludes(0)
    assert math.copysign(1, found.audit.position.value) == math.copysign(1, shift)
    assert any(("higher" if shift > 0 else "lower") in text for text in sentences(found))


def test_no_shift_is_not_told():
    pool = rows(400)
    rng = np.random.default_rng(3)
    values = rng.normal(3, 1, 400)
    again, swapped = np.full(400, np.nan), np.full(400, np.nan)
    again[:60], swapped[60:120] = values[:60] + rng.normal(0, 0.2, 60), values[60:120] + rng.normal(0, 0.2, 60)
    found = judge_report(pool, score_of(pool, values, {"again": again, "swapped": swapped}))
    assert not any("another order" in text for text in sentences(found))


def test_other_scores_stand_beside_it_and_rows_without_a_score_do_not_count():
    pool = rows(200)
    values = np.arange(200.0)
    values[:20] = np.nan
    other = score_of(pool, np.arange(200.0)[::-1].copy())
    found = judge_report(pool, score_of(pool, values, endpoint="http://x/v1", model="m"), {"other": other})
    assert (found.rows, found.used, found.missing) == (180, 180, {"no score": 20})
    assert found.others["other"].value == pytest.approx(-1)
    assert found.judge == "http://x/v1 · m"


@pytest.mark.parametrize(("n", "values", "reason"), [(30, np.arange(30.0), "only 30 rows"), (80, np.ones(80), "same")])
def test_what_cannot_be_said_is_said(n, values, reason):
    pool = rows(n)
    found = judge_report(pool, score_of(pool, values))
    assert reason in found.reason
    assert found.predictors == ()
    assert math.isnan(found.together)
    assert reason in sentences(found)[0]


def test_made_up_scores_are_told_first():
    pool = rows(60)
    found = judge_report(pool, score_of(pool, np.arange(60.0), stand_in=True))
    assert "made up" in sentences(found)[0]


def test_corrected_p_values_are_those_of_scipy():
    p = np.random.default_rng(0).random(30) ** 3
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p))
    with_nan = benjamini_hochberg(np.append(p, np.nan))
    assert with_nan[:-1] == pytest.approx(false_discovery_control(p))
    assert np.isnan(with_nan[-1])


def test_p_values_are_those_of_scipy_and_intervals_hold_the_truth():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 2))
    y = x[:, 0] + rng.normal(size=200)
    _, found = predictors_of(x, y, ("a", "b"))
    for name, column in (("a", 0), ("b", 1)):
        mine = next(each for each in found if each.name == name)
        theirs = spearmanr(x[:, column], y)
        assert mine.rho.value == pytest.approx(theirs.statistic)
        assert mine.p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-300)
    held = 0
    truth = 6 / np.pi * np.arcsin(0.5 / 2)
    for _ in range(300):
        a = rng.normal(size=120)
        b = 0.5 * a + np.sqrt(0.75) * rng.normal(size=120)
        interval = rank_interval(spearmanr(a, b).statistic, 120)
        held += interval.low <= truth <= interval.high
    assert held >= 0.92 * 300


def test_a_feature_that_does_not_vary_says_nothing():
    features = np.column_stack([np.ones(100), np.arange(100.0)])
    _, found = predictors_of(features, np.arange(100.0), ("flat", "line"))
    assert [each.name for each in found] == ["line", "flat"]
    assert math.isnan(found[1].alone)
    assert not found[1].significant
