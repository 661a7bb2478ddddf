"""Which simple features foretell a score: planted ones are found, noise is not."""

from __future__ import annotations

import numpy as np
import pytest

from curation.comparison.predictors import SIMPLE_FEATURES, score_prediction, simple_features
from curation.core.dataset import from_pairs

WORDS = ["river", "stone", "cloud", "lamp", "paper", "green", "seven", "quiet", "engine", "bread"]


@pytest.fixture(scope="module")
def dataset():
    generator = np.random.default_rng(0)
    pairs = []
    for i in range(400):
        answer = " ".join(generator.choice(WORDS, generator.integers(3, 60)))
        pairs.append((f"Say {i}" + "?" * (i % 2), answer))
    return from_pairs(pairs)


def test_features_by_hand():
    found = dict(zip(SIMPLE_FEATURES, simple_features(["Why?"], ["A a b.\n- 1\n```x```"], [4])[0], strict=True))
    assert found["length of the prompt (log)"] == pytest.approx(np.log1p(4))
    assert found["messages"] == 4
    assert found["distinct words / words"] == pytest.approx(4 / 5)  # a, a, b, 1, x
    assert found["list items (log)"] == pytest.approx(np.log1p(1))
    assert found["has a code block"] == 1
    assert found["prompt ends with ?"] == 1
    assert found["share of capitals"] == pytest.approx(1 / 4)
    assert simple_features([""], [""], [0]).shape == (1, len(SIMPLE_FEATURES))
    assert np.isfinite(simple_features([""], [""], [0])).all()


def test_a_score_that_is_the_length_is_found_out(dataset):
    found = score_prediction(dataset, np.sqrt(dataset.lengths("response")) + 3.0)
    assert not isinstance(found, str)
    assert found.trees_r2 > 0.95
    assert found.columns[0] in ("length of the response (log)", "length of the response / prompt (log)")
    assert found.correlations[0] > 0.9
    assert found.rows == 400
    assert len(found.by_fold) == 5


def test_noise_is_not_foretold(dataset):
    found = score_prediction(dataset, np.random.default_rng(1).normal(size=400))
    assert not isinstance(found, str)
    assert found.linear_r2 < 0.05
    assert found.trees_r2 < 0.05


def test_what_cannot_be_fitted_says_why(dataset):
    assert "the same for all" in score_prediction(dataset, np.ones(400))
    few = np.full(400, np.nan)
    few[:20] = np.arange(20)
    assert "only 20 rows" in score_prediction(dataset, few)


def test_another_run_says_the_same(dataset):
    values = dataset.lengths("both").astype(float)
    first, second = (repr(score_prediction(dataset, values, most=200)) for _ in range(2))  # NaN is not equal to itself
    assert first == second
