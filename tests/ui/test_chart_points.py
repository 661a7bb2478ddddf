"""Which points of a chart are drawn."""

import numpy as np

from curation.ui.chart_points import drawn_rows


def test_all_rows_are_drawn_while_they_fit_but_those_without_a_place():
    xy = np.zeros((5, 2))
    xy[3] = np.nan
    assert drawn_rows(xy, 10).tolist() == [0, 1, 2, 4]


def test_a_sample_keeps_every_part_of_the_map():
    rng = np.random.default_rng(1)
    xy = np.concatenate([rng.normal(0, 1, (20_000, 2)), rng.normal(60, 0.1, (5, 2))])
    rows = drawn_rows(xy, 1000)
    assert len(rows) == len(set(rows.tolist())) == 1000
    assert (rows >= 20_000).any(), "five far rows of 20,000 are still seen"
    assert np.array_equal(rows, drawn_rows(xy, 1000)), "the same map shows the same sample"


def test_rows_that_must_be_seen_are():
    xy = np.random.default_rng(2).normal(size=(5000, 2))
    first = np.zeros(5000, bool)
    first[::100] = True
    rows = drawn_rows(xy, 300, first)
    assert set(np.flatnonzero(first)) <= set(rows.tolist())
    assert len(rows) == 300
