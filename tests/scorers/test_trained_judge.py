"""Scores learnt from families of another dataset."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Features, Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.scorers.trained_judge import TrainedJudge, siblings_in_order

POOL = from_pairs([(f"q{i}", f"a{i}") for i in range(200)])


def planted(seed=0, families=40, members=6, noise=0.05, slope=1.0):
    """A pool and families whose score is a line in one direction; families differ in all others."""
    rng = np.random.default_rng(seed)
    d = 12
    here = rng.normal(size=(len(POOL), d)).astype(np.float32)
    codes = np.repeat(np.arange(families), members).astype(np.int32)
    points = (rng.normal(size=(families, d))[codes] + 0.3 * rng.normal(size=(len(codes), d))).astype(np.float32)
    truth = np.zeros(d)
    truth[3] = slope
    scores = 3.5 + points @ truth + noise * rng.normal(size=len(codes))
    n = len(codes)
    names = tuple(f"f{k}" for k in range(families))
    return {
        "features": Features(POOL.fingerprint, here, Missing.none(len(POOL))),
        "examples": Features("examples", points, Missing.none(n)),
        "example_scores": Score("examples", scores, Missing.none(n), "evol_score", True),
        "families": Labels("examples", codes, names, Missing.none(n)),
    }, 3.5 + here @ truth


def test_a_planted_line_is_found_and_clipped_to_the_scale():
    ports, truth = planted(slope=2.0)
    made = TrainedJudge().score(POOL, Runtime(), **ports)
    np.testing.assert_allclose(made.columns["unclipped"], truth, atol=0.2)
    assert made.values.min() == 1
    assert made.values.max() == 6
    np.testing.assert_array_equal(made.values, np.clip(made.columns["unclipped"], 1, 6))
    assert made.info["share clipped"] == pytest.approx(np.mean((truth < 1) | (truth > 6)), abs=0.05)
    assert made.info["left_out_r2"] > 0.8
    assert made.info["left_out_spearman"] > 0.95
    assert made.info["siblings_in_order"] > 0.85  # two beyond the scale are foretold the same
    assert made.info["families"] == 40
    assert made.name == "trained evol_score"


def test_scores_that_only_belong_to_families_are_worth_nothing_and_it_says_so():
    ports, _ = planted()
    rng = np.random.default_rng(3)
    codes = ports["families"].codes
    luck = 3.5 + rng.normal(size=40)[codes] + 0.01 * rng.normal(size=len(codes))
    wide = rng.normal(size=(40, 300))[codes] + 0.01 * rng.normal(size=(len(codes), 300))
    ports["examples"] = Features("examples", wide.astype(np.float32), Missing.none(len(codes)))
    ports["features"] = Features(POOL.fingerprint, np.zeros((200, 300), np.float32), Missing.none(200))
    ports["example_scores"] = Score("examples", luck, Missing.none(len(codes)), "evol_score", True)
    with_families = TrainedJudge().score(POOL, Runtime(), **ports).info
    without = TrainedJudge().score(POOL, Runtime(), **{**ports, "families": None}).info
    assert without["left_out_r2"] > 0.8
    assert -0.05 < with_families["left_out_r2"] < 0.1  # and it gives nearly the mean to all
    assert abs(with_families["siblings_in_order"] - 0.5) < 0.1
    assert without["siblings_in_order"] is None


def test_siblings_in_order():
    scores, families = np.array([1.0, 2, 3, 1, 1]), np.array([0, 0, 0, 1, 1])
    assert siblings_in_order(np.array([1.0, 2, 3, 5, 4]), scores, families) == (1.0, 3)
    assert siblings_in_order(np.array([3.0, 2, 1, 5, 4]), scores, families) == (0.0, 3)
    assert siblings_in_order(np.array([1.0, 1, 1, 5, 4]), scores, families) == (0.5, 3)
    share, pairs = siblings_in_order(np.array([5.0, 4]), np.array([1.0, 1]), np.array([0, 0]))
    assert np.isnan(share)
    assert pairs == 0


def test_examples_without_a_score_or_a_vector_are_left_out():
    ports, _ = planted()
    n = 240
    values = ports["example_scores"].values.copy()
    values[:6] = np.nan
    gone = np.zeros(n, bool)
    gone[:6] = True
    ports["example_scores"] = Score("examples", values, Missing.where(gone, "no score"), "evol_score", True)
    bad = np.asarray(ports["examples"].values).copy()
    bad[6:12] = np.nan
    hole = np.zeros(n, bool)
    hole[6:12] = True
    ports["examples"] = Features("examples", bad, Missing.where(hole, "no text"))
    made = TrainedJudge().score(POOL, Runtime(), **ports)
    assert made.info["examples"] == 228
    assert made.info["families"] == 38
    assert np.isfinite(made.values).all()


def test_the_order_of_examples_changes_nothing():
    ports, _ = planted()
    order = np.random.default_rng(1).permutation(240)
    turned = {
        **ports,
        **{name: ports[name].take(order, "examples") for name in ("examples", "example_scores", "families")},
    }
    one, other = (TrainedJudge().score(POOL, Runtime(), **given) for given in (ports, turned))
    np.testing.assert_allclose(one.values, other.values, atol=1e-6)
    assert one.info["left_out_r2"] == pytest.approx(other.info["left_out_r2"])


def test_what_does_not_fit_together_is_an_error():
    ports, _ = planted()
    short = Features("examples", np.zeros((240, 3), np.float32), Missing.none(240))
    with pytest.raises(CurationError, match="3 columns"):
        TrainedJudge().score(POOL, Runtime(), **{**ports, "examples": short})
    with pytest.raises(CurationError, match="different datasets"):
        TrainedJudge().score(
            POOL, Runtime(), **{**ports, "example_scores": ports["example_scores"].take(np.arange(240), "others")}
        )
    flat = Score("examples", np.full(240, 3.0), Missing.none(240), "evol_score", True)
    with pytest.raises(CurationError, match="nothing to learn: 240 examples, 1 different"):
        TrainedJudge().score(POOL, Runtime(), **{**ports, "example_scores": flat})
    alone = Labels("examples", np.zeros(240, np.int32), ("f",), Missing.none(240))
    with pytest.raises(CurationError, match="one family"):
        TrainedJudge().score(POOL, Runtime(), **{**ports, "families": alone})
    with pytest.raises(ValueError, match="it must be more"):
        TrainedJudge(low=6, high=1)


def test_a_stand_in_is_passed_on():
    ports, _ = planted()
    weak = Score("examples", ports["example_scores"].values, Missing.none(240), "evol_score", True, {}, {"weak": True})
    assert TrainedJudge().score(POOL, Runtime(), **{**ports, "example_scores": weak}).info["weak"] is True
