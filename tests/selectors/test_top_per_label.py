"""The best rows of every label."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.selectors.top_per_label import TopPerLabel, top_per_label


def top_per_label_naive(rows, values, codes, each):
    """Sorts every label by itself, then takes turns."""
    members = {c: sorted((-v, r) for r, v, d in zip(rows, values, codes, strict=True) if d == c) for c in set(codes)}
    return [row for turn in range(each) for _, row in sorted(m[turn] for m in members.values() if turn < len(m))]


@pytest.mark.parametrize("seed", range(5))
def test_equals_sorting_each_label_by_itself(seed):
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(200, 80, replace=False))
    values, codes = rng.integers(0, 9, 80).astype(float), rng.integers(-1, 12, 80)
    for each in (1, 2, 5, 100):
        picks, place = top_per_label(rows, values, codes, each)
        assert picks.tolist() == top_per_label_naive(rows.tolist(), values.tolist(), codes.tolist(), each)
        assert sorted(picks) == sorted(rows[place < each])
        assert picks.tolist() == top_per_label(rows, values, codes, each + 1)[0][: len(picks)].tolist()
    np.testing.assert_array_equal(
        top_per_label(rows, -values, codes, 3, highest=False)[0], top_per_label(rows, values, codes, 3)[0]
    )


def test_of_nothing_there_is_nothing():
    picks, place = top_per_label(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), 2)
    assert len(picks) == len(place) == 0


# ---------------------------------------------------------------------- the method


def select(method, scores, codes, eligible=None, unlabelled=(), better=True):
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(len(scores))])
    scores, gone = np.asarray(scores, float), np.isin(np.arange(len(scores)), unlabelled)
    score = Score(
        pool.fingerprint, scores, Missing.where(~np.isfinite(scores), "not scored"), "made", better, {"extra": -scores}
    )
    codes = np.where(gone, -1, codes).astype(np.int32)
    labels = Labels(pool.fingerprint, codes, ("a", "b", "c"), Missing.where(gone, "not labelled"))
    rows = np.arange(len(scores)) if eligible is None else np.asarray(eligible)
    return method.select(pool, Ask(rows), Runtime(), score=score, labels=labels)


def test_every_label_is_represented_and_every_row_can_say_why():
    scores = [1, 5, 3, np.nan, 9, 2, 7, 8]
    found = select(TopPerLabel(), scores, [0, 0, 1, 1, 2, 2, 2, 0], eligible=range(7), unlabelled=[6])
    assert found.order.tolist() == [4, 1, 2]
    assert found.gains.tolist() == [9, 5, 3]
    assert found.info["labels"] == 3
    assert found.why(0) == "out: not among the best of its label (by 1)"
    assert found.why(3) == "out: no score"
    assert found.why(6) == "out: no label"
    assert found.why(7) == "out: not eligible"


def test_rounds_and_small_labels():
    assert select(TopPerLabel(each=2), [1, 2, 3, 4, 5], [0, 0, 0, 1, 2]).order.tolist() == [4, 3, 2, 1]


def test_noise_is_one_more_label():
    assert select(TopPerLabel(), [1, 2, 3], [0, -1, -1]).order.tolist() == [2, 0]


def test_the_end_of_the_score_is_a_choice():
    scores, codes = [4, 1, 3, 2], [0, 0, 1, 1]
    for method, better in (
        (TopPerLabel(keep="lowest"), None),
        (TopPerLabel(), False),
        (TopPerLabel(column="extra"), True),
    ):
        assert select(method, scores, codes, better=better).order.tolist() == [1, 3]
    with pytest.raises(CurationError, match="does not say"):
        select(TopPerLabel(), scores, codes, better=None)


def test_nothing_scored_gives_nothing():
    found = select(TopPerLabel(), [np.nan, np.nan], [0, 1])
    assert len(found) == 0
    assert found.why(0) == "out: no score"
