"""Which rows to judge next: never those that are known, and worth more than random ones."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.linalg.judged import acquire, design, near_weights
from curation.linalg.rank_correlation import spearman
from curation.scorers.distilled import Distilled
from curation.selectors.acquire import EXCLUDED, HELD, JUDGED, Acquire
from curation.selectors.conformal import Conformal


class Planted:
    """A judge that is a line of vectors of which a few directions matter and few rows show them."""

    def __init__(self, build, n=600, d=24, seed=0, noise=0.3):
        rng = np.random.default_rng(seed)
        self.build, self.n = build(n), n
        vectors = rng.normal(size=(n, d)) * np.where(rng.random((n, d)) < 0.15, 3.0, 0.15)
        self.scores = 3 + 0.5 * vectors @ rng.normal(size=d) + noise * rng.normal(size=n)
        self.features = self.build.features(vectors)
        self.order = rng.permutation(n)

    def judge(self, rows):
        values = np.full(self.n, np.nan)
        values[rows] = self.scores[rows]
        return self.build.score(values)

    def distil(self, learnt, held=(), **more):
        made = Distilled(more=0, learner="ridge", threshold=3.0, **more)
        return made.score(
            self.build.pool, Runtime(), features=self.features, judged=self.judge(learnt),
            calibration=self.judge(np.array(held, np.int64)),
        )  # fmt: skip

    def pick(self, distilled, count, eligible=None, exclude=None, **parameters):
        method = Acquire(**{"threshold": 3.0, **parameters})
        ask = self.build.ask(count, None if eligible is None else list(eligible))
        return method.select(
            self.build.pool, ask, Runtime(), features=self.features, distilled=distilled, exclude=exclude
        )


def test_judged_calibration_and_excluded_rows_are_never_picked_and_say_why(build):
    given = Planted(build)
    held, learnt, barred = given.order[:50], given.order[50:100], given.order[100:120]
    made = given.pick(given.distil(learnt, held), given.n, exclude=[given.build.picks(list(barred))])
    assert sorted(made.order) == sorted(given.order[120:])
    assert made.short_by == 120
    assert made.short_reason == "only 480 eligible rows are not judged yet"
    for row, reason in ((learnt[0], JUDGED), (held[0], HELD), (barred[0], EXCLUDED)):
        assert reason in made.why(int(row))
    with pytest.raises(CurationError, match="no row is left to judge"):
        given.pick(given.distil(learnt, held), 5, eligible=np.sort(learnt))


def test_picks_are_those_of_the_function_on_the_judges_own_columns(build):
    given = Planted(build, n=200)
    learnt = given.order[:40]
    made = given.distil(learnt)
    found = given.pick(made, 30, random_share=0.0, near=0.7)
    points = design(np.asarray(given.features.values)).points
    weights = near_weights(made.columns["predicted"], made.columns["sd"], 3.0, 0.7)
    rest = np.setdiff1d(np.arange(200), learnt)
    expected = acquire(
        points, rest, 30, judged=np.sort(learnt), penalty=made.info["penalty"], weights=weights,
        draws=np.zeros(200), random_share=0.0,
    )  # fmt: skip
    np.testing.assert_array_equal(found.order, expected.order)
    np.testing.assert_allclose(found.gains, expected.gains)
    assert (np.diff(found.gains) <= 1e-12).all()
    assert "tells less" in found.why(int(np.setdiff1d(rest, found.order)[0]))


def test_a_share_is_drawn_by_chance_and_the_same_again_is_the_same(build):
    given = Planted(build)
    made = given.distil(given.order[:60])
    first, again = (given.pick(made, 50) for _ in range(2))
    np.testing.assert_array_equal(first.order, again.order)
    assert first.info["drawn_by_chance"] == 10
    other = given.pick(made, 50, seed=1)
    assert set(other.order[:10]) != set(first.order[:10])
    whole = given.pick(made, 540, random_share=1.0)
    assert abs(np.corrcoef(whole.order, np.arange(540))[0, 1]) < 0.2


def test_closeness_to_the_threshold_draws_picks_there(build):
    given = Planted(build)
    made = given.distil(given.order[:150])
    near, far = (given.pick(made, 40, near=share, random_share=0.0) for share in (1.0, 0.0))
    assert near.info["mean_distance_to_threshold"] < 0.5 * far.info["mean_distance_to_threshold"]


def test_nothing_judged_yet_gives_a_varied_first_batch(build):
    given = Planted(build)
    made = given.pick(None, 24, random_share=0.0)
    chance = np.mean([
        np.linalg.slogdet(np.eye(24) + v.T @ v)[1]
        for v in (given.features.values[np.random.default_rng(s).choice(600, 24, False)] for s in range(10))
    ])  # fmt: skip
    picked = given.features.values[made.order]
    assert np.linalg.slogdet(np.eye(24) + picked.T @ picked)[1] > chance + 5


def test_another_score_is_refused(build):
    given = Planted(build, n=30)
    with pytest.raises(CurationError, match="not made by a distilled judge"):
        given.pick(given.build.score(given.scores), 5)


def test_rows_chosen_so_teach_a_planted_judge_more_than_random_ones(build):
    better = []
    for seed in range(10):
        given = Planted(build, seed=seed, d=60, noise=1.0)
        begin, rest = given.order[:30], given.order[30:]
        judged = begin
        for _ in range(2):
            judged = np.concatenate([judged, given.pick(given.distil(judged), 30).order])
        random = np.concatenate([begin, rest[:60]])
        test = np.setdiff1d(np.arange(given.n), np.concatenate([judged, random]))
        shown = [
            spearman(given.distil(some).columns["predicted"][test], given.scores[test]) for some in (judged, random)
        ]
        better.append(shown[0] - shown[1])
    assert sum(gain > 0 for gain in better) >= 9
    assert np.mean(better) > 0.01


def test_promises_hold_for_the_rows_that_are_left_when_rows_were_acquired(build):
    cover, false, taken = [], [], 0
    for seed in range(20):
        given = Planted(build, seed=seed, noise=1.0)
        held, judged = given.order[:120], given.order[120:180]
        for _ in range(2):
            judged = np.concatenate([judged, given.pick(given.distil(judged, held), 40).order])
        made = given.distil(judged, held)
        rest = np.setdiff1d(np.arange(given.n), np.concatenate([held, judged]))
        inside = (made.columns["low"] <= given.scores) & (given.scores <= made.columns["high"])
        cover.append(inside[rest].mean())
        picks = Conformal(threshold=3.0, rate=0.2, known=False).select(
            given.build.pool, given.build.ask(), Runtime(), distilled=made, calibration=given.judge(held),
            judged=given.judge(judged),
        ).order  # fmt: skip
        false.append((given.scores[picks] < 3.0).mean() if len(picks) else 0.0)
        taken += len(picks)
    assert np.mean(cover) >= 0.9 - 3 * np.std(cover) / np.sqrt(20)
    assert np.mean(false) <= 0.2 + 3 * np.std(false) / np.sqrt(20)
    assert taken > 500
