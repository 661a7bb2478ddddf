"""InstructMining's rule: the published numbers, linearity, and what does not change the order."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from curation.core.artifacts import Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.recipe import Recipe
from curation.scorers.instruct_mining import InstructMining, linear_rule


def rule_of(preset):
    step = Recipe.read(preset).steps["quality"]
    return step["coefficients"], step["intercept"]


@pytest.mark.parametrize(
    ("preset", "row", "expected"),
    [
        ("instruct-mining-v1", {"reward": 1, "length": 100, "knn_6": 0.5}, 0.460357),
        (
            "instruct-mining-v3",
            {"reward": 1, "understandability": 0.9, "naturalness": 0.8, "coherence": 0.95},
            0.016130,
        ),
    ],
)
def test_the_published_rules_give_the_published_numbers(preset, row, expected):
    made = linear_rule({name: np.array([float(v)]) for name, v in row.items()}, *rule_of(preset))
    assert made[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("preset", ["instruct-mining-v1", "instruct-mining-v3"])
def test_the_mean_prediction_is_the_prediction_at_the_means(preset):
    coefficients, intercept = rule_of(preset)
    rng = np.random.default_rng(0)
    indicators = {name: rng.normal(size=200) for name in coefficients}
    means = {name: np.array([v.mean()]) for name, v in indicators.items()}
    rows = linear_rule(indicators, coefficients, intercept)
    assert rows.mean() == pytest.approx(linear_rule(means, coefficients, intercept)[0], abs=1e-9)


def test_the_order_ignores_the_intercept_and_a_common_positive_factor():
    coefficients, intercept = rule_of("instruct-mining-v1")
    rng = np.random.default_rng(1)
    indicators = {name: rng.normal(size=100) for name in coefficients}
    order = np.argsort(linear_rule(indicators, coefficients, intercept))
    np.testing.assert_array_equal(np.argsort(linear_rule(indicators, coefficients, -7.0)), order)
    scaled = {name: 3.5 * v for name, v in coefficients.items()}
    np.testing.assert_array_equal(np.argsort(linear_rule(indicators, scaled, intercept)), order)
    turned = {name: -v for name, v in coefficients.items()}
    np.testing.assert_array_equal(np.argsort(linear_rule(indicators, turned, 0.0)), order[::-1])


def made_score(pool, values, reason="made so"):
    values = np.asarray(values, float)
    return Score(pool.fingerprint, values, Missing.where(np.isnan(values), reason), "x")


def test_rows_without_an_indicator_have_no_prediction_and_the_parts_are_columns():
    pool = from_pairs([("a", "b"), ("c", "d"), ("e", "f")])
    indicators = {
        "reward": made_score(pool, [1, np.nan, 3], "no response"),
        "length": made_score(pool, [10, 20, np.nan], "no text"),
    }
    method = InstructMining(coefficients={"reward": -0.5, "length": 0.01}, intercept=1)
    made = method.score(pool, Runtime(), indicators=indicators)
    assert made.values[0] == pytest.approx(1 - 0.5 + 0.1)
    assert [made.missing.reason(i) for i in range(3)] == [None, "reward: no response", "length: no text"]
    assert made.higher_is_better is False
    np.testing.assert_allclose(made.columns["reward"], [-0.5, np.nan, -1.5])


def test_names_must_match_and_something_must_count():
    pool = from_pairs([("a", "b")])
    method = InstructMining(coefficients={"reward": -0.5, "lenght": 0.01})
    with pytest.raises(CurationError, match="no indicator is given for lenght"):
        method.score(pool, Runtime(), indicators={"reward": made_score(pool, [1]), "length": made_score(pool, [1])})
    with pytest.raises(CurationError, match="no coefficient: mtld"):
        InstructMining(coefficients={"reward": 1}).score(
            pool, Runtime(), indicators={"reward": made_score(pool, [1]), "mtld": made_score(pool, [1])}
        )
    with pytest.raises(ValidationError, match="all rows are equal"):
        InstructMining(coefficients={"reward": 0})
    with pytest.raises(ValidationError):
        InstructMining(coefficients={"reward": float("nan")})


def test_an_infinite_indicator_is_none():
    pool = from_pairs([("a", "b"), ("c", "d")])
    made = InstructMining(coefficients={"x": 1.0}).score(
        pool, Runtime(), indicators={"x": Score(pool.fingerprint, np.array([np.inf, 2]), Missing.none(2), "x")}
    )
    np.testing.assert_array_equal(made.values, [np.nan, 2])
    np.testing.assert_array_equal(made.columns["x"], [np.nan, 2])
    assert made.missing.reason(0) == "x: no value"
