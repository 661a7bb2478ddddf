"""Conformal selection: the rule written out, and its promise over many draws."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.selectors.conformal import Conformal


def at(n, rows, scores):
    values = np.full(n, np.nan)
    values[rows] = scores[rows]
    return values


def pick(built, predicted, calibration, judged=None, eligible=None, better=True, **parameters):
    ports = {"distilled": built.score(predicted, better), "calibration": built.score(calibration, better)}
    if judged is not None:
        ports["judged"] = built.score(judged, better)
    return Conformal(**parameters).select(built.pool, built.ask(eligible=eligible), Runtime(), **ports)


def planted(seed, n=500, noise=0.7):
    rng = np.random.default_rng(seed)
    scores = rng.normal(3.5, 1.0, n)
    return scores, scores + noise * rng.normal(size=n), rng.permutation(n)


def naive(predicted, scores, held, tested, threshold, rate):
    p = {
        j: (1 + sum(scores[i] < threshold and predicted[i] >= predicted[j] for i in held)) / (len(held) + 1)
        for j in tested
    }
    ordered, limit = sorted(p.values()), -1.0
    for k, value in enumerate(ordered, 1):
        limit = value if value <= rate * k / len(ordered) + 1e-12 else limit
    return sorted((j for j in tested if p[j] <= limit), key=lambda j: (-predicted[j], j))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("step", [None, 0.5])
def test_it_is_the_rule_written_out_with_ties_too(build, seed, step):
    scores, predicted, order = planted(seed, 200)
    predicted = predicted if step is None else np.round(predicted / step) * step
    held, tested = order[:80], np.sort(order[80:])
    made = pick(build(200), predicted, at(200, held, scores), threshold=4.0, rate=0.25, known=False)
    assert list(made.order) == naive(predicted, scores, held, tested, 4.0, 0.25)
    np.testing.assert_array_equal(made.gains, predicted[made.order])
    assert made.info["tested"] == 120
    assert made.info["wrong_expected_at_most"] == pytest.approx(0.25 * len(made))


@pytest.mark.parametrize("noise", [0.3, 0.7, 1.5])
def test_the_share_of_wrong_picks_is_at_most_the_rate_on_average(build, noise):
    built, false, taken = build(500), [], 0
    for seed in range(40):
        scores, predicted, order = planted(seed, noise=noise)
        made = pick(built, predicted, at(500, order[:150], scores), threshold=4.0, rate=0.2, known=False)
        false.append((scores[made.order] < 4.0).mean() if len(made) else 0.0)
        taken += len(made)
    assert np.mean(false) <= 0.2 + 3 * np.std(false) / np.sqrt(40)
    assert taken > 0


def test_rows_that_the_model_learnt_from_calibrate_nothing(build):
    built, (scores, predicted, order) = build(300), planted(3, 300)
    held, learnt = order[:100], order[60:180]
    seen, checked = np.zeros(300), np.zeros(300)
    seen[learnt] = seen[held] = 1
    checked[order[:60]] = 1  # the last 40 of the calibration rows were learnt from
    ports = {"distilled": built.score(predicted, judged=seen, calibration=checked)}
    ports["calibration"] = built.score(at(300, held, scores))
    select = Conformal(threshold=4.0, rate=0.3, known=False).select
    made = select(built.pool, built.ask(), Runtime(), **ports)
    assert list(made.order) == naive(predicted, scores, order[:60], np.sort(order[180:]), 4.0, 0.3)
    assert (made.info["calibration_rows"], made.info["calibration_rows_learnt_from"]) == (60, 40)
    ports["distilled"] = built.score(predicted, judged=seen, calibration=np.zeros(300))
    with pytest.raises(CurationError, match="learnt from all calibration rows"):
        select(built.pool, built.ask(), Runtime(), **ports)


def test_the_threshold_itself_is_good(build):
    predicted = np.array([5.0, 4, 3, 2, 5, 5])
    scores = np.array([4.5, 4.5, 4.4999, 0, 0, 0])
    made = pick(build(6), predicted, at(6, [0, 1, 2], scores), rate=0.45)
    # calibration: rows 0 and 1 are good, row 2 is not; a prediction of 5 has p = 1/4, one of 2 has 2/4
    assert set(made.order) == {0, 1, 4, 5}
    assert made.why(2) == "out: judged below 4.5"


def test_judged_rows_are_known_and_not_tested(build):
    scores, predicted, order = planted(0, 300)
    held, learnt = order[:100], order[100:180]
    calibration, judged = at(300, held, scores), at(300, learnt, scores)
    made = pick(build(300), predicted, calibration, judged, threshold=4.0, rate=0.2)
    known = np.concatenate([held, learnt])
    good = known[scores[known] >= 4.0]
    assert set(good) <= set(made.order)
    assert set(known[scores[known] < 4.0]).isdisjoint(made.order)
    assert made.info["tested"] == 120
    assert made.info["taken_as_judged"] == len(good)
    worth = np.where(np.isin(np.arange(300), known), scores, predicted)
    np.testing.assert_array_equal(made.order, made.order[np.argsort(-worth[made.order], kind="stable")])
    without = pick(build(300), predicted, calibration, judged, threshold=4.0, rate=0.2, known=False)
    assert set(without.order) == set(made.order) - set(known)
    assert without.why(int(good[0])) == "out: judged, and left out"


def test_rows_that_the_model_learnt_from_are_not_tested_even_when_their_scores_are_not_given(build):
    scores, predicted, order = planted(1, 200)
    built = build(200)
    seen = np.isin(np.arange(200), order[:120]).astype(float)
    distilled = built.score(predicted, True, predicted=predicted, judged=seen)
    made = Conformal(threshold=3.0, rate=0.5, known=False).select(
        built.pool, built.ask(), Runtime(), distilled=distilled,
        calibration=built.score(at(200, order[:60], scores)),
    )  # fmt: skip
    assert made.info["tested"] == 80
    assert set(made.order).isdisjoint(order[:120])


def test_no_rows_at_all_are_a_result_that_says_which_rate_would_give_some(build):
    scores, predicted, order = planted(2, 200, noise=5.0)
    calibration = at(200, order[:100], scores)
    made = pick(build(200), predicted, calibration, threshold=5.0, rate=0.01, known=False)
    assert len(made) == 0
    lowest = made.info["smallest_rate"]
    assert "no row passes at a rate of 0.01" in made.info["note"]
    assert 0.01 < lowest < 1
    assert len(pick(build(200), predicted, calibration, threshold=5.0, rate=lowest * 1.001, known=False))


def test_rows_without_a_prediction_or_not_eligible_are_out_and_say_why(build):
    scores, predicted, order = planted(3, 100)
    held, gone = order[:50], int(order[60])
    predicted[gone] = np.nan
    eligible = sorted(set(range(100)) - {int(order[70])})
    made = pick(build(100), predicted, at(100, held, scores), eligible=eligible, threshold=2.0, rate=0.5)
    assert len(made)
    assert "no predicted score" in made.why(gone)
    assert "not eligible" in made.why(int(order[70]))


def test_where_low_is_better_all_is_turned_around(build):
    scores, predicted, order = planted(4, 200)
    calibration = at(200, order[:80], scores)
    up = pick(build(200), predicted, calibration, threshold=4.0, rate=0.25)
    down = pick(build(200), 10 - predicted, 10 - calibration, better=False, threshold=6.0, rate=0.25)
    assert list(up.order) == list(down.order)


def test_without_calibration_rows_it_says_what_to_do(build):
    with pytest.raises(CurationError, match="no calibration row") as error:
        pick(build(5), np.arange(5.0), np.full(5, np.nan))
    assert "selector/random" in error.value.hint
