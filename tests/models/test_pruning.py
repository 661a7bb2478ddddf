"""Dynamic pruning: scores, smoothing, the choice of rows, against naive references and pandas."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.errors import CurationError
from curation.models.pruning import (
    IGNORED,
    DynamicPruning,
    PruningSettings,
    Smoothed,
    best_rows,
    cross_entropy,
    intent_scores,
    joint_losses,
    joint_scores,
    slot_scores,
)

# ---------------------------------------------------------------------- scores


def error_length_naive(logits, label):
    p = [np.exp(z) / sum(np.exp(other) for other in logits) for z in logits]
    return sum((p[c] - (c == label)) ** 2 for c in range(len(logits))) ** 0.5


@pytest.mark.parametrize("seed", range(3))
def test_the_intent_score_is_the_length_of_the_error_vector(seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(7, 5)), rng.integers(0, 5, 7)
    expected = [error_length_naive(z, y) for z, y in zip(logits, labels, strict=True)]
    np.testing.assert_allclose(intent_scores(logits, labels), expected, rtol=1e-12)
    np.testing.assert_allclose(intent_scores(logits + 300, labels), expected, rtol=1e-9)


def test_known_values_of_the_intent_score():
    p = np.log([[0.7, 0.2, 0.1]])
    assert intent_scores(p, np.array([0]))[0] == pytest.approx(0.374166, abs=1e-6)
    assert intent_scores(np.zeros((1, 10)), np.array([3]))[0] == pytest.approx(0.948683, abs=1e-6)
    assert intent_scores(np.array([[900.0, 0.0]]), np.array([0]))[0] == 0
    assert intent_scores(np.array([[900.0, 0.0]]), np.array([1]))[0] == pytest.approx(2**0.5)


def test_a_single_logit_is_that_of_class_one():
    logits = np.array([[0.0], [2.0], [-800.0], [800.0]])
    expected = [0.5, 1 - 1 / (1 + np.exp(-2)), 0.0, 1.0]
    np.testing.assert_allclose(intent_scores(logits, np.array([1, 1, 0, 0])), expected, atol=1e-12)


def test_words_are_scored_one_by_one_and_masked_places_do_not_count():
    rng = np.random.default_rng(0)
    logits, tags = rng.normal(size=(3, 4, 6)), rng.integers(0, 6, (3, 4))
    tags[0, 1] = tags[2, :] = IGNORED
    found = slot_scores(logits, tags)
    for row in range(3):
        for place in range(4):
            if tags[row, place] == IGNORED:
                assert np.isnan(found[row, place])
            else:
                assert found[row, place] == pytest.approx(error_length_naive(logits[row, place], tags[row, place]))
    changed = logits.copy()
    changed[tags == IGNORED] = np.nan  # whatever stands there
    np.testing.assert_array_equal(slot_scores(changed, tags), found)


@pytest.mark.parametrize("how", ["norm", "sum", "mean"])
def test_padding_does_not_change_a_row(how):
    rng = np.random.default_rng(1)
    logits, tags, intent = rng.normal(size=(2, 3, 5)), rng.integers(0, 5, (2, 3)), rng.random(2)
    padded = np.concatenate([logits, rng.normal(size=(2, 4, 5))], axis=1)
    more = np.concatenate([tags, np.full((2, 4), IGNORED)], axis=1)
    np.testing.assert_array_equal(
        joint_scores(intent, slot_scores(padded, more), how), joint_scores(intent, slot_scores(logits, tags), how)
    )


@pytest.mark.parametrize(("how", "expected"), [("norm", 0.781025), ("sum", 1.3), ("mean", 0.475)])
def test_the_published_example_of_joining(how, expected):
    assert joint_scores(np.array([0.6]), np.array([[0.3, 0.4, np.nan]]), how)[0] == pytest.approx(expected, abs=1e-6)


def test_intent_or_slots_alone():
    slots = np.array([[0.3, np.nan, 0.4]])
    assert joint_scores(np.array([0.6]), None, "norm").tolist() == [0.6]
    assert joint_scores(None, slots, "norm")[0] == pytest.approx(0.5)
    assert joint_scores(None, slots, "sum")[0] == pytest.approx(0.7)
    assert joint_scores(None, slots, "mean")[0] == pytest.approx(0.35)
    assert joint_scores(np.array([0.6]), np.array([[np.nan]]), "mean").tolist() == [0.6]
    with pytest.raises(ValueError, match="needed"):
        joint_scores(None, None)


def test_cross_entropy_and_its_joint_form():
    logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]]))
    ce = cross_entropy(logits, np.array([[1, IGNORED]]))
    assert ce[0, 0] == pytest.approx(np.log(4))
    assert np.isnan(ce[0, 1])
    assert cross_entropy(np.array([[1e4, 0.0]]), np.array([1]))[0] == pytest.approx(1e4)
    slots = np.array([[1.0, 3.0, np.nan]])
    assert joint_losses(np.array([2.0]), slots)[0] == pytest.approx(0.5 * 2 + 0.5 * 4)
    assert joint_losses(np.array([2.0]), slots, intent_share=0.25, slots_by="mean")[0] == pytest.approx(0.5 + 1.5)
    assert joint_losses(None, slots)[0] == 4
    assert joint_losses(np.array([2.0]), None)[0] == 2


# ---------------------------------------------------------------------- smoothing


def test_the_published_example_of_smoothing():
    smoothed = Smoothed("ema", alpha=0.8, c=1.0)
    found = [smoothed.add(np.array([x]))[0] for x in (1.0, 0.0, 1.0)]
    np.testing.assert_allclose(found, [1, 0.907107, 1.475489], atol=1e-6)
    means = Smoothed("ema", alpha=0.8, c=0.0)
    np.testing.assert_allclose([means.add(np.array([x]))[0] for x in (1.0, 0.0, 1.0)], [1, 0.2, 0.84], atol=1e-12)


@given(
    st.integers(1, 6), st.floats(0.05, 1.0), st.floats(0, 3), st.sampled_from(["std", "variance"]), st.integers(0, 99)
)
@settings(max_examples=40, deadline=None)
def test_smoothing_is_that_of_pandas(cycles, alpha, c, spread, seed):
    scores = np.random.default_rng(seed).random((cycles, 4))
    smoothed = Smoothed("ema", alpha=alpha, c=c, spread=spread)
    for t in range(cycles):
        found = smoothed.add(scores[t])
        ewm = pd.DataFrame(scores[: t + 1]).ewm(alpha=alpha, adjust=False)
        expected = ewm.mean().iloc[-1].to_numpy()
        if t and alpha < 1:
            away = ewm.std(bias=False) if spread == "std" else ewm.var(bias=False)
            expected = expected + c * away.iloc[-1].to_numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("how", ["ema", "mean", "latest"])
def test_constant_scores_stay_as_they_are(how):
    smoothed = Smoothed(how, c=2.0)
    for _ in range(5):
        np.testing.assert_allclose(smoothed.add(np.array([0.3, 0.9])), [0.3, 0.9], rtol=1e-12)


def test_the_mean_is_of_the_last_scores_and_the_latest_is_the_newest():
    mean, latest = Smoothed("mean", window=2), Smoothed("latest")
    assert [mean.add(np.array([x]))[0] for x in (1.0, 3.0, 8.0)] == [1, 2, 5.5]
    assert [latest.add(np.array([x]))[0] for x in (1.0, 3.0, 8.0)] == [1, 3, 8]


# ---------------------------------------------------------------------- choosing


def test_ties_keep_exactly_the_share_and_go_to_the_lowest_row():
    assert best_rows(np.zeros(10), 0.5).tolist() == [0, 1, 2, 3, 4]
    assert best_rows(np.array([1.0, 2.0, 2.0, 2.0, 0.0]), 0.4).tolist() == [1, 2]
    assert best_rows(np.zeros(5), 0.5).tolist() == [0, 1, 2]  # 2.5 rows: half up
    assert best_rows(np.arange(1000.0), 0.0001).tolist() == [999]


def test_the_offset_skips_the_top():
    scores = np.arange(10.0)
    assert best_rows(scores, 0.5, 0.2).tolist() == [3, 4, 5, 6, 7]
    assert best_rows(scores, 0.5, 0.5).tolist() == [0, 1, 2, 3, 4]
    both = np.concatenate([best_rows(scores, 0.3, 0.0), best_rows(scores, 0.7, 0.3)])
    assert sorted(both.tolist()) == list(range(10))


def test_more_than_all_rows_is_refused():
    with pytest.raises(ValidationError, match="more than all rows"):
        PruningSettings(keep_fraction=0.8, offset=0.3)


def go(pruning, epochs, score=lambda epoch: np.zeros(0)):
    """Runs a training that only counts; the rows of every epoch."""
    rows = []
    for epoch in range(epochs):
        if pruning.needs_scores(epoch):
            pruning.update(score(epoch), epoch)
        rows.append(pruning.rows_for_epoch(epoch))
    return rows


@pytest.mark.parametrize(("warm", "cycle"), [(0, 1), (1, 1), (2, 3), (4, 2)])
@pytest.mark.parametrize("keep", [1.0, 0.5, 0.3])
def test_examples_processed_are_those_of_the_schedule(warm, cycle, keep):
    n, epochs = 37, 9
    rng = np.random.default_rng(0)
    pruning = DynamicPruning(n, PruningSettings(warm_epochs=warm, cycle=cycle, keep_fraction=keep))
    rows = go(pruning, epochs, lambda epoch: rng.random(n))
    expected = warm * n + (epochs - warm) * keep * n
    assert abs(pruning.processed - expected) <= epochs - warm
    assert pruning.processed == sum(map(len, rows))
    assert all(len(r) == n for r in rows[:warm])
    for begin in range(warm, epochs, cycle):  # the same rows in a cycle; the last one may be shorter
        assert all((r == rows[begin]).all() for r in rows[begin : begin + cycle])


def test_a_pruned_row_whose_score_rises_comes_back():
    pruning = DynamicPruning(4, PruningSettings(warm_epochs=1, keep_fraction=0.5, smoothing="latest"))
    scores = {1: [0.9, 0.8, 0.1, 0.2], 2: [0.1, 0.8, 0.9, 0.2], 3: [0.1, 0.9, 0.8, 0.2]}
    rows = go(pruning, 4, lambda epoch: np.array(scores[epoch]))
    assert [r.tolist() for r in rows] == [[0, 1, 2, 3], [0, 1], [1, 2], [1, 2]]
    assert pruning.re_entered == [0, 1, 0]
    assert pruning.returned.tolist() == [False, False, True, False]


def test_a_row_that_goes_up_and_down_is_kept_for_its_spread():
    steady, restless = [0.6, 0.6, 0.6], [0.9, 0.1, 0.6]
    with_spread = DynamicPruning(2, PruningSettings(keep_fraction=0.5, c=1.0))
    without = DynamicPruning(2, PruningSettings(keep_fraction=0.5, c=0.0))
    for pruning in (with_spread, without):
        rows = go(pruning, 4, lambda epoch: np.array([steady[epoch - 1], restless[epoch - 1]]))
        assert rows[3].tolist() == ([1] if pruning is with_spread else [0])


def test_without_warm_up_the_first_rows_are_random_by_the_seed():
    first = [
        go(DynamicPruning(50, PruningSettings(warm_epochs=0, keep_fraction=0.4, seed=seed)), 1)[0].tolist()
        for seed in (0, 0, 1)
    ]
    assert len(first[0]) == 20
    assert first[0] == first[1] != first[2]


def test_random_picks_need_no_scores_and_change_with_the_cycle():
    pruning = DynamicPruning(50, PruningSettings(keep_fraction=0.4, pick="random"))
    rows = go(pruning, 3)
    assert [len(r) for r in rows] == [50, 20, 20]
    assert rows[1].tolist() != rows[2].tolist()


def test_scores_must_be_there_and_finite():
    pruning = DynamicPruning(3, PruningSettings())
    pruning.rows_for_epoch(0)
    with pytest.raises(CurationError, match="needs scores"):
        pruning.rows_for_epoch(1)
    skipped = DynamicPruning(9, PruningSettings(cycle=2))
    skipped.rows_for_epoch(0)
    with pytest.raises(CurationError, match="needs scores"):  # not random rows instead
        skipped.rows_for_epoch(2)
    with pytest.raises(CurationError, match="row 1 is not finite"):
        pruning.update(np.array([1.0, np.nan, 2.0]))
    with pytest.raises(ValueError, match="3 scores"):
        pruning.update(np.zeros(2))
    with pytest.raises(CurationError, match="no rows"):
        DynamicPruning(0, PruningSettings())


@pytest.mark.parametrize("how", ["ema", "mean", "latest"])
def test_its_state_survives_json_exactly(how):
    rng = np.random.default_rng(0)
    scores = rng.random((6, 11))
    whole = DynamicPruning(11, PruningSettings(keep_fraction=0.4, smoothing=how))
    part = DynamicPruning(11, PruningSettings(keep_fraction=0.4, smoothing=how))
    for epoch in range(6):
        part = DynamicPruning.from_state(json.loads(json.dumps(part.state())))
        for pruning in (whole, part):
            if pruning.needs_scores(epoch):
                pruning.update(scores[epoch], epoch)
        assert whole.rows_for_epoch(epoch).tolist() == part.rows_for_epoch(epoch).tolist()
        np.testing.assert_array_equal(whole.smoothed, part.smoothed)
    assert whole.state() == part.state()
