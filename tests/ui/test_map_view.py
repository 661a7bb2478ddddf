"""Which rows are drawn, and which rows a gesture means."""

import numpy as np
import pytest

from curation.core.artifacts import Layout, Missing
from curation.figures.map import map_figure
from curation.ui.map_view import drawn_rows, rows_meant


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


@pytest.fixture
def square():
    xy = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [np.nan, np.nan]], np.float32)
    return Layout("d", xy, Missing.where(np.isnan(xy[:, 0]), "empty"))


def test_a_shape_means_all_rows_inside_it_drawn_or_not(square):
    figure = map_figure(square.xy[:1], rows=np.array([0]))
    assert rows_meant(figure, square, {"box": [{"x": [-1, 2], "y": [0.5, 2]}]}).tolist() == [2, 3]
    triangle = {"x": [-0.5, 1.9, -0.5], "y": [-0.5, -0.5, 1.9]}
    assert rows_meant(figure, square, {"lasso": [triangle], "point_indices": [0]}).tolist() == [0, 1, 2]


def test_a_click_means_the_row_of_its_point_in_whatever_order_points_are_drawn(square):
    selected = np.array([True, False, False, False, False])
    figure = map_figure(square.xy, selected=selected, rows=np.arange(5) * 10)
    last = len(figure.data[0].customdata) - 1
    assert rows_meant(figure, square, {"point_indices": [last]}).tolist() == [0], "selected rows are drawn last"
    assert rows_meant(figure, square, {"point_indices": [999]}).tolist() == []
    assert rows_meant(figure, square, {}).tolist() == []
