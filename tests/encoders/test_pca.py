"""Principal components: distances, shares of variance, and pools without any."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing
from curation.core.dataset import Row, from_pairs
from curation.core.errors import DataError
from curation.core.runtime import Runtime
from curation.encoders import pca
from curation.encoders.pca import Pca, principal_components
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace


def planted(seed=0, n=300):
    """Points on two planes of eight numbers with a little noise, standard deviations 5, 2 and 0.01."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    spread = np.array([5.0, 2.0, *[0.01] * 6])
    return (rng.standard_normal((n, 8)) * spread) @ turn + 3, turn


@pytest.mark.parametrize("seed", range(3))
def test_the_planted_directions_are_found(seed):
    points, turn = planted(seed)
    found = principal_components(points, 0.99)
    assert found.values.shape == (300, 2)
    assert found.values.dtype == np.float32
    plane = turn[:2].T @ turn[:2]
    np.testing.assert_allclose(found.directions @ found.directions.T, plane, atol=0.02)
    np.testing.assert_allclose(found.values, (points - points.mean(axis=0)) @ found.directions, atol=1e-4)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.9, 0.95, 0.999, 1.0])
def test_the_fewest_directions_that_hold_the_share(share):
    points = np.random.default_rng(1).standard_normal((90, 7)) * np.arange(1, 8)
    found = principal_components(points, share)
    variances = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    shares = np.cumsum(variances) / variances.sum()
    count = found.values.shape[1]
    assert shares[count - 1] >= share - 1e-9
    assert count == 1 or shares[count - 2] < share
    np.testing.assert_allclose(np.cumsum(found.shares), shares[:count], rtol=1e-9)


def test_equals_the_singular_vectors_of_sklearn():
    from sklearn.decomposition import PCA

    points = np.random.default_rng(1).standard_normal((90, 7)) * np.arange(1, 8)
    ours, theirs = principal_components(points, 0.9), PCA(0.9, svd_solver="full").fit_transform(points)
    assert ours.values.shape == theirs.shape
    np.testing.assert_allclose(np.abs(ours.values), np.abs(theirs), atol=1e-4)


def test_all_of_the_variance_keeps_all_distances():
    points = np.random.default_rng(1).standard_normal((40, 6))
    values = principal_components(points, 1.0).values
    np.testing.assert_allclose(
        np.linalg.norm(values[:, None] - values, axis=2), np.linalg.norm(points[:, None] - points, axis=2), atol=1e-5
    )


def test_blocks_change_nothing_and_signs_are_settled(monkeypatch):
    points, _ = planted(4)
    whole = principal_components(points, 0.95)
    monkeypatch.setattr(pca, "ROW_BLOCK", 7)
    np.testing.assert_allclose(principal_components(points, 0.95).values, whole.values, atol=1e-5)
    np.testing.assert_allclose(principal_components(points[::-1], 0.95).values[::-1], whole.values, atol=1e-5)
    largest = np.abs(whole.directions).argmax(axis=0)
    assert (whole.directions[largest, np.arange(len(largest))] > 0).all()


def test_few_rows_or_equal_ones():
    assert principal_components(np.ones((1, 5))).values.tolist() == [[0.0]]
    equal = principal_components(np.full((9, 5), 0.1))
    assert equal.values.shape == (9, 1)
    np.testing.assert_allclose(equal.values, 0, atol=1e-7)
    assert principal_components(np.random.default_rng(0).standard_normal((4, 30)), 1.0).values.shape == (4, 3)
    assert principal_components(planted()[0], 1.0, most=2).values.shape == (300, 2)


def test_rows_that_are_not_finite_are_named():
    with pytest.raises(DataError, match="row 1"):
        principal_components(np.array([[1.0], [np.nan]]))


# ---------------------------------------------------------------------- the method


def encode(method, values):
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(len(values))])
    given = Features(pool.fingerprint, np.asarray(values, np.float32), Missing.none(len(values)), info={"model": "m"})
    return method.encode(pool, Runtime(), features=given)


def test_method_says_what_it_kept():
    points, _ = planted()
    found = encode(Pca(variance=0.99), points)
    assert found.values.shape == (300, 2)
    assert found.info["model"] == "m"
    assert found.info["numbers before"] == 8
    assert found.info["numbers"] == 2
    assert 0.99 <= found.info["variance kept"] <= 1


def test_angles_count_when_asked_for():
    points, _ = planted()
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(encode(Pca(unit=True), points).values, encode(Pca(), unit).values, atol=1e-5)
    with pytest.raises(DataError, match="no direction"):
        encode(Pca(unit=True), np.eye(3) * [1, 1, 0])


def test_rows_without_features_stay_missing_in_a_recipe(tmp_path):
    """An encoder that reads the features of another step: the engine leaves out the rows that have none."""
    pairs = [(f"bake bread {'flour oven ' * (i % 3)}", f"knead dough {i % 4}") for i in range(30)] + [("?", "!")]
    turns = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in pairs]
    workspace = Workspace.open(tmp_path)
    workspace.add_rows([Row(t, "{}", "made.json", i, "messages") for i, t in enumerate(turns)], "pool")
    words = {"use": "encoder/tfidf", "on": "$pool", "dims": 6}
    few = {"use": "encoder/pca", "features": "$words", "variance": 0.8}
    recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": {"words": words, "few": few}, "result": "$few"})
    done = run(plan(recipe, workspace, {"pool": "pool"}), workspace, Runtime())
    words, few = done.artifact("words"), done.artifact("few")
    assert words.missing.mask.tolist() == few.missing.mask.tolist() == [False] * 30 + [True]
    assert few.values.shape[1] < words.values.shape[1]
    expected = principal_components(words.values[:30], 0.8).values
    np.testing.assert_allclose(few.values[:30], expected, atol=1e-5)
