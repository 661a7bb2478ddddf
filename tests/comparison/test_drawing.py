"""Figures of a comparison hold its measures; the chance of agreement is that of independent draws."""

import numpy as np
import pytest
from scipy import stats

from curation.comparison import CoverageCurves, Curve, LabelChange
from curation.comparison.drawing import (
    at_least,
    draw_agreement,
    draw_changes,
    draw_coverage,
    draw_overlap,
    draw_patterns,
    draw_shares,
    draw_spread,
    map_pictures,
)
from curation.comparison.membership import overlap, patterns
from curation.comparison.shares import shares
from curation.comparison.spread import length_spread
from curation.core.artifacts import Labels, Missing
from curation.core.dataset import from_pairs
from curation.coverage import RADIUS


@pytest.fixture
def three(comparison):
    return comparison({"one": [0, 1, 2, 3], "two": [2, 3, 4, 5], "far": [20, 21, 22, 3]}, 30)


def test_agreement_counts_rows_and_chance_is_binomial_for_equal_sizes(three):
    counts, expected = at_least(three)
    assert counts.tolist() == [9, 2, 1]
    assert expected == pytest.approx(30 * stats.binom.sf([0, 1, 2], 3, 4 / 30))
    assert draw_agreement(three, 2).data[0].y.tolist() == [9, 2, 1]


def test_chance_of_agreement_is_that_of_random_masks(comparison):
    sizes, n = (3, 12, 20), 40
    made = comparison({str(s): list(range(s)) for s in sizes}, n)
    rng = np.random.default_rng(0)
    drawn = np.zeros((4000, 3))
    for place in range(len(drawn)):
        votes = sum(np.isin(np.arange(n), rng.permutation(n)[:s]).astype(int) for s in sizes)
        drawn[place] = [(votes >= m).sum() for m in (1, 2, 3)]
    assert at_least(made)[1] == pytest.approx(drawn.mean(0), abs=0.2)


def test_overlap_and_patterns_are_drawn_as_measured(three):
    fig = draw_overlap(overlap(three), len(three.random))
    assert fig.data[0].z[0, 0] == pytest.approx(2 / 6)
    assert len(fig.layout.yaxis.ticktext) == 4
    bars = draw_patterns(patterns(three)).data[0]
    assert sorted(bars.y.tolist()) == sorted([2, 1, 2, 3, 1])


def test_spread_names_its_chance(three):
    dataset = from_pairs([(f"question {i}", "word " * (i % 7 + 1)) for i in range(30)])
    found = length_spread(dataset, three)
    fig = draw_spread(found)
    counts = [sum(c[1] for c in t.customdata) for t in fig.data if t.customdata is not None]
    assert counts == [4, 4, 4, 12]
    assert all(" sd" in name for name in fig.layout.yaxis.ticktext[:3])


def test_shares_are_drawn_with_chance(three):
    codes = (np.arange(30) // 15).astype(np.int32)
    found = shares("k", "halves", Labels(three.dataset, codes, ("low", "high"), Missing.none(30)), three)
    by_name = {t.name: t for t in draw_shares(found, three.names).data}
    assert dict(zip(found.labels, by_name["A · one"].x, strict=True)) == {"low": 1.0, "high": 0.0}


def test_coverage_leaves_out_what_was_not_measured():
    curve = Curve(
        "two", "key", np.array([1, 4]), {RADIUS: np.array([2.0, 1.0])}, {RADIUS: np.array([[3.0, 2.0]])}, {}, True
    )
    found = CoverageCurves("f", "embed", (RADIUS,), (curve,), {"one": "not measured"})
    names = [t.name for t in draw_coverage(found, ("one", "two"), RADIUS).data]
    assert "B · two" in names
    assert not any(name and name.startswith("A") for name in names)


def test_changes_are_drawn_by_label():
    change = LabelChange("k", "kinds", ("a", "b"), np.array([1, 0]), np.array([0, 2]), np.array([5, 5]))
    assert draw_changes(change).data[0].x.tolist() == [0, 1]


def test_pictures_of_every_arm_and_one_draw(three):
    xy = np.random.default_rng(0).normal(size=(30, 2))
    pictures = map_pictures(three, xy, width=60, height=40)
    assert list(pictures) == ["one", "two", "far", "random 0"]
    assert all(p.shape == (40, 60, 3) for p in pictures.values())
    assert not np.array_equal(pictures["one"], pictures["two"])
