"""The distilled judge: promises on a planted judge, and what must never reach the fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.linalg.conformal import benjamini_hochberg
from curation.scorers._distillation import choose, learn, left_out
from curation.scorers._more_judgements import power_law, subset_sizes, what_more_buys
from curation.scorers.distilled import Distilled

QUICK = {"more": 0, "learner": "ridge"}


class Planted:
    """A judge whose scores are a line of the vectors, and noise that the vectors do not show; rounded to halves."""

    def __init__(self, n=900, d=16, seed=0, noise=0.5, bent=0.0):
        rng = np.random.default_rng(seed)
        self.n = n
        self.pool = from_pairs([(f"question {i} of {seed}", "word " * int(rng.integers(1, 30))) for i in range(n)])
        vectors = rng.normal(size=(n, d)) * np.linspace(1.5, 0.3, d)
        signal = vectors @ rng.normal(size=d)
        signal = signal / signal.std() + bent * np.sign(vectors[:, 0] * vectors[:, 1])
        scores = 3 + 0.8 * signal + noise * rng.normal(size=n) * rng.uniform(0.5, 1.5, n)
        self.scores = np.clip(np.round(scores * 2) / 2, 0, 5)
        self.features = Features(self.pool.fingerprint, vectors.astype(np.float32), Missing.none(n))
        self.order = rng.permutation(n)

    def judge(self, rows, scores=None, **more):
        values = np.full(self.n, np.nan)
        values[rows] = (self.scores if scores is None else scores)[rows]
        missing = Missing.where(np.isnan(values), "reply is no score")
        return Score(self.pool.fingerprint, values, missing, "accuracy", True, **more)

    def distil(self, held, learnt, **parameters):
        given = {"features": self.features, "judged": self.judge(learnt), "calibration": self.judge(held)}
        return Distilled(**{**QUICK, **parameters}).score(self.pool, Runtime(), **given)


# ---------------------------------------------------------------------- promises


def test_intervals_cover_and_selections_err_as_promised_over_twenty_seeds():
    cover, false, halves = [], [], []
    for seed in range(20):
        given = Planted(seed=seed)
        held, learnt, rest = np.split(given.order, [150, 300])
        made = given.distil(held, learnt, threshold=3.5)
        inside = (made.columns["low"] <= given.scores) & (given.scores <= made.columns["high"])
        cover.append(inside[rest].mean())
        taken = rest[benjamini_hochberg(made.columns["p_value"][rest], 0.2)]
        false.append((given.scores[taken] < 3.5).mean() if len(taken) else 0.0)
        halves.append(made.info["half_width"])
    error = np.std(cover) / np.sqrt(20)
    assert np.mean(cover) >= 0.9 - 3 * error
    assert np.mean(cover) <= 0.96  # not by intervals that are too wide
    assert np.mean(halves) < 1.4
    assert np.mean(false) <= 0.2
    assert np.mean(false) > 0  # some rows are taken, and some of them wrongly


def test_the_rate_holds_for_a_judge_that_no_line_can_follow():
    false = []
    for seed in range(20):
        given = Planted(seed=seed, noise=1.0, bent=1.0)
        held, learnt, rest = np.split(given.order, [150, 300])
        p = given.distil(held, learnt, threshold=3.5).columns["p_value"][rest]
        taken = rest[benjamini_hochberg(p, 0.3)]
        false.append((given.scores[taken] < 3.5).mean() if len(taken) else 0.0)
    assert np.mean(false) <= 0.3 + 3 * np.std(false) / np.sqrt(20)


def test_where_all_rows_are_judged_the_scores_are_the_judges():
    given = Planted(n=200)
    held, learnt = np.split(given.order, [60])
    made = given.distil(held, learnt)
    np.testing.assert_array_equal(made.values, given.scores)
    for end in ("low", "high"):
        np.testing.assert_array_equal(made.columns[end], given.scores)
    assert (made.columns["judged"] == 1).all()
    np.testing.assert_array_equal(np.flatnonzero(made.columns["calibration"]), np.sort(held))
    assert np.isnan(made.columns["p_value"]).all()
    assert (given.distil(held, learnt, keep_judged=False).values != given.scores).any()


def test_calibration_rows_never_influence_the_fit_even_when_they_are_judged_too():
    given = Planted(n=300)
    held, learnt = given.order[:80], given.order[80:180]
    wrong = given.scores.copy()
    wrong[held] = np.random.default_rng(1).uniform(0, 5, 80)
    first = given.distil(held, learnt)
    both = np.concatenate([held, learnt])
    for judged, calibration in (
        (given.judge(learnt), given.judge(held, wrong)),
        (given.judge(both, wrong), given.judge(held, wrong)),
    ):
        other = Distilled(**QUICK).score(
            given.pool, Runtime(), features=given.features, judged=judged, calibration=calibration
        )
        np.testing.assert_array_equal(other.columns["predicted"], first.columns["predicted"])
        np.testing.assert_array_equal(other.columns["sd"], first.columns["sd"])
        assert other.info["half_width"] > first.info["half_width"]


def test_rows_without_a_score_are_left_out_and_do_not_count_as_zero():
    given = Planted(n=300)
    held, learnt = given.order[:80], given.order[80:180]
    failed = given.scores.copy()
    failed[learnt[:30]] = np.nan  # the judge said nothing there
    made = Distilled(**QUICK).score(
        given.pool, Runtime(), features=given.features, judged=given.judge(learnt, failed),
        calibration=given.judge(held),
    )  # fmt: skip
    np.testing.assert_array_equal(made.columns["predicted"], given.distil(held, learnt[30:]).columns["predicted"])
    assert made.info["n_train"] == 70
    assert (made.columns["judged"][learnt[:30]] == 0).all()
    assert np.isfinite(made.values).all()


@pytest.mark.parametrize("learner", ["ridge", "boosted", "auto"])
def test_the_order_of_the_rows_does_not_matter(learner):
    given = Planted(n=400, bent=1.0)
    held, learnt = given.order[:100], given.order[100:250]
    made = given.distil(held, learnt, learner=learner, more=50)
    shuffled = np.random.default_rng(5).permutation(given.n)
    pool = given.pool.take(shuffled)
    again = Distilled(learner=learner, more=50).score(
        pool,
        Runtime(),
        features=given.features.take(shuffled, pool.fingerprint),
        judged=given.judge(learnt).take(shuffled, pool.fingerprint),
        calibration=given.judge(held).take(shuffled, pool.fingerprint),
    )
    np.testing.assert_allclose(again.values, made.values[shuffled], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(again.columns["high"], made.columns["high"][shuffled], rtol=1e-3, atol=1e-3)
    assert again.info["learner"] == made.info["learner"]
    assert again.info["calibration"]["auc"] == pytest.approx(made.info["calibration"]["auc"], abs=1e-3)
    assert again.info["more"]["sd_then"] == pytest.approx(made.info["more"]["sd_then"], rel=1e-3)


def test_too_few_calibration_rows_give_no_interval_and_say_how_many_it_takes():
    given = Planted(n=200)
    made = given.distil(given.order[:8], given.order[8:80])
    open_rows = made.columns["judged"] == 0
    assert np.isnan(made.columns["low"][open_rows]).all()
    assert np.isnan(made.columns["high"][open_rows]).all()
    assert made.info["interval"] == "none: 90% takes at least 9 calibration rows, there are 8"
    assert made.info["half_width"] is None
    assert np.isfinite(given.distil(given.order[:9], given.order[9:80]).columns["low"]).all()


def test_a_lower_score_that_is_better_is_turned_around():
    given = Planted(n=400)
    held, learnt = given.order[:150], given.order[150:300]
    made = given.distil(held, learnt, threshold=3.5)
    low = {
        name: Score(given.pool.fingerprint, 5 - judge.values, judge.missing, "faults", False)
        for name, judge in (("judged", given.judge(learnt)), ("calibration", given.judge(held)))
    }
    other = Distilled(threshold=1.5, **QUICK).score(given.pool, Runtime(), features=given.features, **low)
    assert other.higher_is_better is False
    np.testing.assert_allclose(other.values, 5 - made.values, atol=1e-6)
    np.testing.assert_allclose(other.columns["low"], 5 - made.columns["high"], atol=1e-6)
    np.testing.assert_allclose(other.columns["p_value"], made.columns["p_value"])
    assert other.info["calibration"]["auc"] == pytest.approx(made.info["calibration"]["auc"])


# ---------------------------------------------------------------------- what it learns from


def test_indicators_help_where_vectors_do_not_show_it():
    given = Planted(n=500, noise=0.2)
    shown = given.scores.copy()
    shown[::7] = np.nan
    indicator = Score(given.pool.fingerprint, shown, Missing.where(np.isnan(shown), "made so"), "hint")
    blind = Features(given.pool.fingerprint, np.ones((500, 4), np.float32), Missing.none(500))
    held, learnt = given.order[:120], given.order[120:240]
    made = Distilled(**QUICK).score(
        given.pool, Runtime(), features=blind, judged=given.judge(learnt), calibration=given.judge(held),
        indicators={"hint": indicator},
    )  # fmt: skip
    assert made.info["calibration"]["spearman"] > 0.8
    assert made.info["columns_of_model"] == 2
    gaps = np.isnan(shown) & (made.columns["judged"] == 0)
    assert np.ptp(made.values[gaps]) < 1e-6  # nothing is known of these but that they lack it


def test_too_few_judgements_are_an_error_with_a_hint():
    given = Planted(n=60)
    run = Distilled(**QUICK).score
    with pytest.raises(CurationError, match="too few scores to learn from: 0"):
        run(given.pool, Runtime(), features=given.features)
    with pytest.raises(CurationError, match="too few scores to learn from: 1"):
        run(
            given.pool, Runtime(), features=given.features, judged=given.judge(given.order[:10]),
            calibration=given.judge(given.order[:9]),
        )  # fmt: skip


def test_a_judge_that_says_the_same_of_all_rows_is_told_as_such():
    given = Planted(n=100)
    given.scores[:] = 5.0
    made = given.distil(given.order[:30], given.order[30:60])
    assert (made.values == 5).all()
    assert "equal" in made.info["note"]
    assert made.info["calibration"]["auc"] is None


def test_what_a_stand_in_said_stays_marked():
    given = Planted(n=100)
    judged = given.judge(given.order[:50], info={"weak": True, "stand_in": True, "model": "stand-in"})
    made = Distilled(**QUICK).score(given.pool, Runtime(), features=given.features, judged=judged)
    assert made.info["weak"] is True
    assert made.info["stand_in"] is True
    assert made.info["judge_model"] == "stand-in"


# ---------------------------------------------------------------------- learners


def test_trees_are_taken_where_they_are_clearly_better_and_only_there():
    taken = {}
    for bent in (0.0, 2.0):
        given = Planted(n=600, seed=4, noise=0.2, bent=bent)
        held, learnt = given.order[:150], given.order[150:500]
        made = given.distil(held, learnt, learner="auto")
        taken[bent] = made.info["learner"]
        assert "squared error on rows left out" in made.info["learner_why"]
        line = given.distil(held, learnt)
        if bent:
            assert made.info["calibration"]["spearman"] > line.info["calibration"]["spearman"] + 0.02
            assert made.info["half_width"] < line.info["half_width"]
        else:
            np.testing.assert_array_equal(made.values, line.values)
    assert taken == {0.0: "ridge", 2.0: "boosted"}


def test_rows_left_out_are_predicted_without_them():
    given = Planted(n=60)
    points, folds = np.asarray(given.features.values), np.arange(60) % 5
    found = left_out(points, given.scores, folds, boosted=False)
    for fold in range(5):
        inside = folds == fold
        mean, sd = learn(points[~inside], given.scores[~inside], boosted=False).predict(points[inside])
        np.testing.assert_array_equal(found.mean[inside], mean)
        np.testing.assert_array_equal(found.sd[inside], sd)
    assert choose(points[:6], given.scores[:6], folds[:6], "auto").rest is None


# ---------------------------------------------------------------------- what more would buy


def test_a_power_law_is_read_onwards_and_never_beyond_its_limit():
    sizes = np.array([50, 100, 200, 400])
    known = 0.2 + 3.0 * sizes**-1.0
    flat, rising, steep = np.full(4, 0.5), np.array([0.3, 0.35, 0.4, 0.45]), np.array([0.9, 0.3, 0.05, 0.001])
    found = power_law(sizes, np.stack([known, flat, rising, steep]), 800)
    assert found[0] == pytest.approx(0.2 + 3 / 800, rel=1e-6)
    assert found[1] == 0.5
    assert found[2] == 0.45
    assert 0 <= found[3] <= 0.001


def test_sizes_end_with_all_rows():
    assert subset_sizes(1000)[0] == 100
    assert subset_sizes(1000)[-1] == 1000
    assert subset_sizes(15) == [15]
    assert subset_sizes(25)[0] == 20


def test_what_two_hundred_more_would_buy_is_what_they_do_buy():
    hits = {name: 0 for name in ("spearman", "half_width")}
    for seed in range(8):
        given = Planted(n=1400, d=32, seed=seed)
        points = np.asarray(given.features.values)
        held, learnt, next_ones, rest = np.split(given.order, [400, 550, 750])
        found = what_more_buys(
            points[learnt], given.scores[learnt], points[held], given.scores[held], threshold=3.5,
            pool=points[np.concatenate([next_ones, rest])], seed=seed,
        )  # fmt: skip
        then = what_more_buys(
            points[np.concatenate([learnt, next_ones])], given.scores[np.concatenate([learnt, next_ones])],
            points[held], given.scores[held], threshold=3.5, seed=seed,
        )  # fmt: skip
        for name in hits:
            real, outlook = then.measures[name].values[-1], found.measures[name]
            assert outlook.low <= outlook.then <= outlook.high
            hits[name] += outlook.low <= real <= outlook.high
        assert found.measures["spearman"].values[0] < found.measures["spearman"].values[-1]
        assert 0 < found.sd_then < found.sd_now
        assert found.acquired == 200
    assert min(hits.values()) >= 6


def test_it_is_stored_with_the_score_as_plain_numbers():
    given = Planted(n=400)
    made = given.distil(given.order[:100], given.order[100:250], more=100)
    more = made.info["more"]
    assert json.loads(json.dumps(more)) == more
    assert more["judged"] == 150
    assert more["acquired"] == 100
    assert set(more["measures"]) == {"spearman", "auc", "half_width"}
    alone = given.distil([], given.order[100:250], more=100).info["more"]
    assert alone["measures"] == {}
    assert alone["sd_then"] < alone["sd_now"]
