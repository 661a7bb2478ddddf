"""EL2N: the formula, the parameter class, and planted label flips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import spearmanr

from curation.core.artifacts import Dynamics, Features, Labels, Missing, Model
from curation.core.dataset import from_pairs
from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.scorers.el2n import EL2N, el2n
from curation.trainers.classifier import Classifier


def el2n_naive(logits, label):
    shares = [np.exp(z) for z in logits]
    total = sum(shares)
    return sum((s / total - (c == label)) ** 2 for c, s in enumerate(shares)) ** 0.5


# ---------------------------------------------------------------------- the formula


def test_known_values():
    assert el2n(np.log([[0.7, 0.2, 0.1]]), np.array([0]))[0] == pytest.approx(0.374166, abs=1e-6)
    assert el2n(np.array([[1e3, 0, 0]]), np.array([0]))[0] == 0
    assert el2n(np.zeros((1, 10)), np.array([4]))[0] == pytest.approx(0.948683, abs=1e-6)
    for classes in (2, 3, 50):
        assert el2n(np.zeros((1, classes)), np.array([0]))[0] == pytest.approx((1 - 1 / classes) ** 0.5)


def test_it_equals_the_definition_row_by_row():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(40, 6)) * 2, rng.integers(0, 6, 40)
    expected = [el2n_naive(row, label) for row, label in zip(logits, labels, strict=True)]
    np.testing.assert_allclose(el2n(logits, labels), expected, rtol=1e-12)


@given(hnp.arrays(np.float64, (7, 4), elements=st.floats(-30, 30)), st.floats(-1000, 1000))
def test_it_is_below_the_root_of_two_and_does_not_change_with_a_shift(logits, shift):
    labels = np.arange(7) % 4
    found = el2n(logits, labels)
    assert (found >= 0).all()
    assert (found <= 2**0.5).all()
    np.testing.assert_allclose(el2n(logits + shift, labels), found, atol=1e-9)


def test_huge_logits_do_not_overflow():
    assert el2n(np.array([[1e5, -1e5]]), np.array([1]))[0] == pytest.approx(2**0.5)


def test_runs_are_averaged_by_their_scores():
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(3, 20, 5)), rng.integers(0, 5, 20)
    each = [el2n(run, labels) for run in logits]
    np.testing.assert_allclose(el2n(logits, labels), np.mean(each, axis=0), rtol=1e-13)
    np.testing.assert_array_equal(el2n(logits[:1], labels), each[0])
    one_after_the_other = el2n(logits.reshape(60, 5), np.tile(labels, 3)).reshape(3, 20)
    np.testing.assert_allclose(el2n(logits, labels), one_after_the_other.mean(axis=0), rtol=1e-13)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"labels from 0 to 3, there are 3 classes"):
        el2n(np.zeros((2, 3)), np.array([0, 3]))
    with pytest.raises(ValueError, match="not"):
        el2n(np.zeros((2, 3)), np.array([0]))


# ---------------------------------------------------------------------- the parameter class


class Made:
    """Dynamics of `n` rows from an array of el2n `[runs, epochs, n]`."""

    def __init__(self, values, epochs, missing=None, name="el2n", **info):
        values = np.asarray(values, np.float32)
        self.pool = from_pairs([(f"q{i}", "a") for i in range(values.shape[2])])
        absent = np.zeros(values.shape[2], bool) if missing is None else missing
        self.dynamics = Dynamics(
            self.pool.fingerprint, Missing.where(absent, "no label"), {name: values}, np.array(epochs, float), info
        )

    def score(self, **parameters):
        return EL2N(**parameters).score(self.pool, Runtime(), dynamics=self.dynamics)


@pytest.mark.parametrize(
    ("epochs", "taken"),
    [
        ([1, 2, 3], 1),
        ([0, 1, 2], 1),
        (range(1, 11), 1),
        (range(1, 201), 20),
        ([0.25, 0.5], 0.5),
        ([0], 0),
        ([0.5, 2], 2),
    ],
)
def test_by_default_a_tenth_of_the_training_is_taken_but_not_before_epoch_1(epochs, taken):
    epochs = list(epochs)
    values = np.tile(np.array(epochs, float)[None, :, None], (1, 1, 2))
    found = Made(values, epochs).score()
    assert found.info["epoch"] == taken
    assert found.values.tolist() == [taken, taken]
    assert ("caution" in found.info) == (taken < 1)


def test_a_training_shorter_than_an_epoch_says_so():
    values = np.ones((2, 2, 3))
    assert Made(values, [0.25, 0.5]).score().info["caution"].startswith("Measured after 0.5 of the first epoch")
    assert Made(values, [0.25, 1.0]).score(epoch=0.25).info["caution"].startswith("Measured after 0.25")
    assert "caution" not in Made(values, [0.5, 1.0]).score().info
    assert Made(values, [0, 1]).score(epoch=0).info["caution"].startswith("Measured before training")


def test_runs_are_averaged_and_their_agreement_is_told():
    rng = np.random.default_rng(0)
    values = rng.random((3, 2, 50))
    found = Made(values, [1, 2]).score(epoch=2)
    np.testing.assert_allclose(found.values, values[:, 1].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.columns["std"], values[:, 1].std(axis=0, ddof=1), rtol=1e-5)
    pairs = [spearmanr(values[a, 1], values[b, 1]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
    assert found.info["agreement"] == pytest.approx(np.mean(pairs), abs=1e-9)
    assert found.info["runs"] == 3
    assert found.higher_is_better is None
    single = Made(values[:1], [1, 2]).score()
    assert single.info["agreement"] is None
    assert np.isnan(single.columns["std"]).all()


def test_rows_without_a_number_are_missing_with_the_reason_of_the_training():
    values = np.ones((2, 1, 4))
    values[:, :, 1] = np.nan
    values[1, :, 3] = np.nan
    found = Made(values, [1], np.array([False, True, False, False])).score()
    assert [found.missing.reason(row) for row in range(4)] == [None, "no label", None, "not measured in every run"]
    assert np.isnan(found.values).tolist() == [False, True, False, True]


def test_what_was_not_recorded_is_named():
    with pytest.raises(ModelError, match="did not record 'el2n', it recorded loss") as error:
        Made(np.ones((1, 1, 2)), [1], name="loss").score()
    assert "add 'el2n'" in error.value.hint
    with pytest.raises(ModelError, match="'el2n_norm'"):
        Made(np.ones((1, 1, 2)), [1]).score(over_tokens="norm")
    with pytest.raises(ModelError, match="'el2n_sum'") as error:
        Made(np.ones((1, 1, 2)), [1]).score(over_tokens="sum")
    assert "over_tokens: mean" in error.value.hint  # trainer/classifier has no tokens
    with pytest.raises(ModelError, match="at epoch 7") as error:
        Made(np.ones((1, 2, 2)), [1, 2]).score(epoch=7)
    assert error.value.hint == "recorded: 1, 2"


def test_a_model_that_was_only_loaded_is_refused():
    pool = from_pairs([("q", "a")])
    model = Model(pool.fingerprint, Missing.none(1), name="gpt")
    with pytest.raises(ModelError, match="did not record 'el2n', it recorded nothing"):
        EL2N().score(pool, Runtime(), dynamics=model)


def test_the_cautions_of_the_training_go_with_the_score():
    found = Made(np.ones((1, 1, 2)), [0], caution="the head reads it").score()
    assert found.info["caution"].startswith("the head reads it Measured before training")


# ---------------------------------------------------------------------- planted truth


@pytest.fixture(scope="module")
def flipped(tmp_path_factory):
    """400 rows in ten classes, a tenth with the label of another class."""
    rng = np.random.default_rng(0)
    codes = np.arange(400) % 10
    points = (rng.normal(size=(10, 16))[codes] + 0.5 * rng.normal(size=(400, 16))).astype(np.float32)
    wrong = rng.choice(400, 40, replace=False)
    labels = codes.copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, 40)) % 10
    pool = from_pairs([(f"q{i}", "") for i in range(400)])
    features = Features(pool.fingerprint, points, Missing.none(400))
    named = Labels.from_values(pool.fingerprint, [f"class {c}" for c in labels])
    here = Runtime(keep=tmp_path_factory.mktemp("flipped"))
    model = Classifier(runs=3, epochs=3, learning_rate=0.01).train(pool, here, features=features, labels=named)
    return pool, model, wrong


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_flipped_labels_are_at_the_top(flipped, epoch):
    pool, model, wrong = flipped
    found = EL2N(epoch=epoch).score(pool, Runtime(), dynamics=model)
    top = np.argsort(-found.values)[:80]
    assert np.isin(wrong, top).mean() >= 0.8
    assert found.info["model"] == model.name
