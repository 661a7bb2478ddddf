import numpy as np
import pytest

from curation.core.artifacts import Dynamics, Missing
from curation.core.dataset import from_pairs
from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.scorers.class_uncertainty import ClassUncertainty


def dynamics(entropy, epochs, missing=None):
    entropy = np.asarray(entropy, np.float32)
    return Dynamics("x", missing or Missing.none(entropy.shape[2]), {"entropy": entropy}, np.array(epochs))


def test_it_is_the_mean_over_runs_at_one_epoch():
    entropy = np.random.default_rng(0).random((3, 4, 5))
    pool = from_pairs([(f"q{i}", "a") for i in range(5)])
    given = dynamics(entropy, [0.0, 1.0, 2.0, 3.0])
    score = ClassUncertainty(epoch=2).score(pool, Runtime(), dynamics=given)
    np.testing.assert_allclose(score.values, entropy[:, 2].mean(0), rtol=1e-6)
    np.testing.assert_allclose(score.columns["std"], entropy[:, 2].std(0, ddof=1), rtol=1e-5)
    assert score.higher_is_better is None
    assert ClassUncertainty().score(pool, Runtime(), dynamics=given).info["epoch"] == 1.0


def test_what_was_not_recorded_is_said():
    pool = from_pairs([("q", "a"), ("r", "b")])
    with pytest.raises(ModelError, match="did not record 'entropy'"):
        ClassUncertainty().score(pool, Runtime(), dynamics=Dynamics("x", Missing.none(2), {}, np.array([1.0])))
    missing = Missing.from_list([None, "no label"])
    score = ClassUncertainty().score(pool, Runtime(), dynamics=dynamics([[[0.5, np.nan]]], [1.0], missing))
    assert score.missing.reason(1) == "no label"
    assert score.values[0] == pytest.approx(0.5)


@pytest.mark.parametrize(("epochs", "said"), [([0.0], "before training"), ([0.5], "after 0.5 of"), ([0.5, 1.0], None)])
def test_a_score_from_before_the_first_epoch_was_over_says_so(epochs, said):
    pool = from_pairs([("q", "a")])
    values = np.ones((1, len(epochs), 1), np.float32)
    dynamics = Dynamics(pool.fingerprint, Missing.none(1), {"entropy": values}, np.array(epochs))
    info = ClassUncertainty().score(pool, Runtime(), dynamics=dynamics).info
    assert (said in info["caution"]) if said else "caution" not in info
