"""LIFT's length score: monotone, 0 for nothing, 100 from the 98th percentile on."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.scorers.length_score import LengthScore, characters, length_scores


def test_it_is_the_share_of_the_98th_percentile():
    lengths = np.random.default_rng(0).integers(0, 5000, 999).astype(float)
    scores, cap = length_scores(lengths)
    assert cap == np.percentile(lengths, 98)
    np.testing.assert_allclose(scores, [100 * min(1, length / cap) for length in lengths])
    order = np.argsort(lengths)
    assert (np.diff(scores[order]) >= 0).all()
    assert (scores[lengths >= cap] == 100).all()
    assert (scores[lengths < cap] < 100).all()
    assert (scores[lengths == 0] == 0).all()


def test_the_unit_of_length_does_not_matter():
    lengths = np.random.default_rng(1).integers(0, 300, 50).astype(float)
    np.testing.assert_allclose(length_scores(lengths * 7)[0], length_scores(lengths)[0])


@pytest.mark.parametrize(
    ("lengths", "expected"), [([], []), ([0, 0], [0, 0]), ([3], [100]), ([0] * 99 + [4], [0] * 99 + [100])]
)
def test_the_ends(lengths, expected):
    assert length_scores(np.array(lengths, float))[0].tolist() == expected


def test_tabs_and_line_breaks_do_not_count():
    assert characters(["a b", "a\tb\n", "\r\n\t", ""]).tolist() == [3, 2, 0, 0]


def test_rows_are_counted_with_prompt_and_response_and_the_others_set_the_scale():
    pool = from_pairs([("12\n3", "45"), ("", ""), ("1" * 8, "\t" * 50 + "23")])
    made = LengthScore().score(pool, Runtime())
    assert made.columns["characters"].tolist() == [5, 0, 10]
    cap = np.percentile([5, 0, 10], 98)
    np.testing.assert_allclose(made.values, [500 / cap, 0, 100])
    assert made.info["characters at 100"] == cap
    assert LengthScore().score(pool.take(np.array([0])), Runtime()).values.tolist() == [100]
    assert not LengthScore.row_wise


def test_a_tenth_of_it_with_nine_of_the_judge():
    assert 0.9 * 80 + 0.1 * length_scores(np.array([1.0, 2.0, 2.0]), 1.0)[0][0] == 77
