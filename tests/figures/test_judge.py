"""Bars of the Judge page hold the counts that were given."""

import numpy as np
import pytest

from curation.figures.judge_retention import SHOWN, retention_figure
from curation.figures.judge_scores import arriving_figure
from curation.figures.palette import colours

HOSTILE = "<a href='x'>$n$</a>"


def test_bars_are_shares_and_categories_that_lose_much_stand_out():
    fig = retention_figure([HOSTILE, "b"], np.array([5, 1]), np.array([10, 10]), np.array([False, True]))
    assert fig.data[0].x.tolist() == [0.5, 0.1]
    c = colours("light")
    assert list(fig.data[0].marker.color) == [c.main, c.selected]
    assert "<a" not in fig.to_json().replace("&lt;a", "")
    assert fig.layout.shapes[0].x0 == pytest.approx(6 / 20)


def test_the_line_is_that_of_all_rows_also_where_small_categories_are_not_drawn():
    g = SHOWN + 30
    fig = retention_figure([f"c{i}" for i in range(g)], np.arange(g), np.full(g, 100), np.zeros(g, bool))
    assert len(fig.data[0].x) == SHOWN
    assert fig.layout.shapes[0].x0 == pytest.approx(np.arange(g).sum() / (100 * g))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_without_scores_it_says_so(mode):
    nothing = retention_figure(["a"], np.zeros(1), np.zeros(1), np.zeros(1, bool), mode=mode)
    assert "No row has a score" in nothing.to_json()
    assert "appear here" in arriving_figure(np.zeros(20), 0, 5, mode=mode).to_json()


def test_arriving_scores_stand_where_they_belong():
    fig = arriving_figure(np.array([1, 0, 4, 2]), 0, 4, name=HOSTILE)
    assert fig.data[0].x.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert fig.data[0].y.tolist() == [1, 0, 4, 2]
    assert list(fig.layout.xaxis.range) == [0, 4]
    assert "<a" not in fig.layout.xaxis.title.text
