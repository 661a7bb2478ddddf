"""Learnability as arrays and as a method; its end-to-end run is in tests/presets/test_lobass.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.artifacts import Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.scorers.learnability import REGIONS, Learnability, learnability, rank_correlation, regions_of

LOSSES = st.lists(st.tuples(st.floats(0.06, 12), st.floats(0.01, 12)), min_size=2, max_size=30)


@pytest.mark.parametrize(("initial", "reference", "expected"), [(2, 1, 0.5), (1, 1, 0), (1, 1.5, -0.5), (4, 1, 0.75)])
def test_values_of_the_definition(initial, reference, expected):
    assert learnability(np.array([initial]), np.array([reference]))[0] == pytest.approx(expected)


def test_the_same_model_twice_gives_exact_zeros():
    losses = np.random.default_rng(0).gamma(2, 1, 100)
    assert (learnability(losses, losses) == 0).all()


@given(LOSSES, st.floats(0.9, 50))
@settings(deadline=None)
def test_a_scale_on_both_losses_changes_nothing(pairs, scale):
    initial, reference = np.array(pairs).T
    scaled = learnability(scale * initial, scale * reference)
    np.testing.assert_allclose(scaled, learnability(initial, reference), rtol=1e-9, atol=1e-12)


@given(LOSSES, st.integers(0, 2**31))
@settings(deadline=None)
def test_either_denominator_and_sums_or_means_give_one_order(pairs, seed):
    initial, reference = np.round(np.array(pairs).T, 3)
    by_initial = learnability(initial, reference)
    by_reference = (initial - reference) / reference
    # pairs that are not equal but for rounding stand in the same order
    apart = np.subtract.outer(by_initial, by_initial)
    other = np.subtract.outer(by_reference, by_reference)
    assert (other[apart > 1e-9] > 0).all()
    tokens = np.random.default_rng(seed).integers(1, 400, len(initial))
    sums = learnability(initial * tokens, reference * tokens)
    np.testing.assert_allclose(sums, by_initial, rtol=1e-9, atol=1e-12)


def test_the_plain_drop_does_depend_on_sums_or_means():
    initial, reference, tokens = np.array([2.0, 3.0]), np.array([1.0, 1.5]), np.array([100, 10])
    means = learnability(initial, reference, normalised=False)
    sums = learnability(initial * tokens, reference * tokens, normalised=False)
    np.testing.assert_array_equal(means, [1.0, 1.5])
    assert means.argmax() != sums.argmax()


def test_a_tiny_initial_loss_does_not_explode():
    values = learnability(np.array([0.001, 0.04, 0.05]), np.array([0.02, 0.0, 0.0]), floor=0.05)
    np.testing.assert_allclose(values, [-0.38, 0.8, 1.0])


def test_losses_of_two_lengths_are_a_bug_of_the_caller():
    with pytest.raises(ValueError, match="initial losses"):
        learnability(np.ones(3), np.ones(2))


def test_the_regions_leave_nothing_over():
    rng = np.random.default_rng(0)
    initial, reference = rng.gamma(2, 1, 500), rng.gamma(2, 1, 500)
    codes = regions_of(initial, reference, 1.5)
    for i in range(500):
        a, b = initial[i], reference[i]
        naive = (
            "worsened" if b > a else
            "uninformative" if a <= 1.5 and b <= 1.5 else
            "too hard" if a > 1.5 and b > 1.5 else
            "learnable"
        )  # fmt: skip
        assert REGIONS[codes[i]] == naive
    assert regions_of(np.array([np.nan]), np.array([1.0]), 1.5)[0] == -1


# ---------------------------------------------------------------------- the method


def losses(pool, values, *, missing=None, **info):
    values = np.array(values, float)
    columns = {"tokens": np.arange(len(values)) + 5.0}
    return Score(pool.fingerprint, values, missing or Missing.none(len(values)), "loss", False, columns, info)


def pool_of(n):
    return from_pairs([(f"q{i}", "a" * (i + 1)) for i in range(n)])


def joined(initial, reference, *, method=None, **kinds):
    pool = pool_of(len(initial))
    first = losses(pool, initial, **kinds.get("first", {}))
    second = losses(pool, reference, **kinds.get("second", {}))
    return (method or Learnability()).score(pool, Runtime(), initial=first, reference=second)


def test_columns_flags_and_regions():
    made = joined([4, 4, 0.5, 0.01, 1], [1, 3.9, 0.4, 0.02, 1.5], method=Learnability(boundary="nats", split=2))
    np.testing.assert_allclose(made.values, [0.75, 0.025, 0.2, -0.2, -0.5])
    np.testing.assert_allclose(made.columns["drop"], [3, 0.1, 0.1, -0.01, -0.5])
    assert made.columns["flags"].tolist() == [0, 0, 0, 1, 0]
    names = [made.info["regions"][code] for code in made.columns["region"]]
    assert names == ["learnable", "too hard", "uninformative", "worsened", "worsened"]
    assert made.info["region_rows"] == {"uninformative": 1, "too hard": 1, "learnable": 1, "worsened": 2}
    assert made.info["boundary_nats"] == 2
    assert made.info["below_floor"] == 1
    assert made.higher_is_better is True


def test_by_default_the_boundary_is_the_median_of_both_losses():
    made = joined([4, 3, 2, 1], [2, 2, 1, 0.5])
    assert made.info["boundary_nats"] == np.median([4, 3, 2, 1, 2, 2, 1, 0.5])


def test_missing_stays_missing_and_says_whose_it_is():
    gap = Missing.from_list(["no response", None, None, None])
    made = joined([np.nan, 2, 2, -1], [1, np.nan, 1, 1], first={"missing": gap})
    assert [made.missing.reason(i) for i in range(4)] == [
        "initial loss: no response", "reference loss: no value", None, "a loss below 0 is no negative log-likelihood",
    ]  # fmt: skip
    np.testing.assert_array_equal(made.values, [np.nan, np.nan, 0.5, np.nan])
    assert made.columns["region"].tolist() == [-1, -1, made.columns["region"][2], -1]


def test_equal_initial_losses_collapse_into_the_reference_loss():
    rng = np.random.default_rng(0)
    reference = rng.uniform(1, 3, 80)
    collapsed = joined(4 + 0.01 * rng.normal(size=80), reference)
    assert collapsed.info["collapsed"]
    assert collapsed.info["rho_reference"] > 0.99
    spread = joined(reference * rng.uniform(1, 3, 80), reference)
    assert not spread.info["collapsed"]
    constant = joined(np.full(5, 2.0), np.full(5, 2.0))
    assert (constant.info["rho_reference"], constant.info["collapsed"]) == (None, False)


def test_the_rank_correlations_are_those_of_scipy():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    initial, reference = rng.gamma(3, 1, 60).round(1) + 0.1, rng.gamma(3, 1, 60).round(1) + 0.1
    made = joined(initial, reference)
    tokens = np.arange(60) + 5
    assert made.info["rho_reference"] == pytest.approx(spearmanr(made.values, -reference).statistic)
    assert made.info["rho_length"] == pytest.approx(spearmanr(made.values, tokens).statistic)
    assert made.info["length"] == "tokens"
    assert rank_correlation(np.array([1, np.nan]), np.array([1.0, 2.0])) is None


def test_it_says_which_models_and_that_they_are_weak():
    made = joined([2, 2], [1, 1], first={"model": "scratch", "weak": True}, second={"model": "tuned", "folds": 2})
    assert (made.info["initial_model"], made.info["reference_model"]) == ("scratch", "tuned")
    assert made.info["weak"] is True
    assert made.info["reference_folds"] == 2
    assert made.info["tokens_differ"] == 0
    assert joined([2, 2], [1, 1]).info["weak"] is False


def test_losses_over_other_tokens_are_counted():
    pool = pool_of(3)
    first, second = losses(pool, [2, 2, 2]), losses(pool, [1, 1, 1])
    second.columns["tokens"][1] = 99
    made = Learnability().score(pool, Runtime(), initial=first, reference=second)
    assert made.info["tokens_differ"] == 1


def test_a_quantile_above_one_is_refused():
    with pytest.raises(ValidationError, match="at most 1"):
        Learnability(split=2)


def test_what_a_model_says_beside_its_loss_is_refused_as_a_loss():
    pool = from_pairs([("a", "b"), ("c", "d")])
    values = np.array([0.5, 0.7])
    facts = {"template": "auto", "model": "tiny"}
    loss, chance = (Score(pool.fingerprint, values, Missing.none(2), name, info=facts) for name in ("loss", "p_true"))
    assert np.isfinite(Learnability().score(pool, Runtime(), initial=loss, reference=loss).values).all()
    with pytest.raises(CurationError, match="'reference' reads p_true, which is no loss"):
        Learnability().score(pool, Runtime(), initial=loss, reference=chance)


def test_numbers_that_nothing_calls_losses_are_named():
    pool = pool_of(2)
    length = Score(pool.fingerprint, np.array([10.0, 20]), Missing.none(2), "response length")
    read = Score(pool.fingerprint, np.array([1.0, 2]), Missing.none(2), "after", info={"sha256": "0" * 64})
    made = Learnability().score(pool, Runtime(), initial=length, reference=read)
    assert made.info["not known to be losses"] == ["initial: response length"]
    assert "not known to be losses" not in joined([2, 2], [1, 1]).info
