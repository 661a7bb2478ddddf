"""No figure hands a million values to the browser: its JSON stays below 1 MB, whatever the dataset's size."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from curation import figures
from curation.core.artifacts import Labels, Missing, Score
from curation.figures.cartography import cartography_figure
from curation.figures.changes import changes_figure
from curation.figures.correlation import correlation_figure
from curation.figures.coverage import coverage_figure
from curation.figures.distribution import distribution_figure
from curation.figures.kept_curve import kept_curve_figure
from curation.figures.learnability import groups_figure, losses_figure
from curation.figures.map import MAX_POINTS, map_figure
from curation.figures.order import order_figure
from curation.figures.pair import pair_figure
from curation.figures.shares import shares_figure
from curation.figures.training import curve_figure, epochs_figure
from curation.figures.trial import Line, arms_figure, gains_figure

N = 1_000_000
MOST_BYTES = 1_000_000

BOUNDED = {
    "agreement_figure": "a number for each arm of a comparison, of which there are a few",
    "arm_coverage_figure": "a few dozen budgets that were measured",
    "arm_shares_figure": "draws the largest groups only",
    "arm_spread_figure": "counts in bins",
    "arriving_figure": "counts in bins",
    "funnel_figure": "a bar for each stage",
    "group_scores_figure": "its caller keeps the largest groups",
    "overlap_figure": "a matrix of arms",
    "patterns_figure": "its caller keeps the commonest combinations",
    "rank_correlation_figure": "a matrix of scores",
    "retention_figure": "draws the largest categories only",
}
"""Figures that are given counts or a matrix of a few things, never a value for each row."""


def values(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(N)


ROWS = np.arange(N)
NAMES = [f"group {i}" for i in range(N)]


def full_map() -> go.Figure:
    labels = Labels("d", (ROWS % 50_000).astype(np.int32), tuple(NAMES[:50_000]), Missing.none(N))
    return map_figure(np.stack([values(), values(1)], 1), color=labels, selected=values() > 0.5)


def hovered_map(n: int) -> go.Figure:
    score = Score("d", values()[:n], Missing.none(n), "a score with a long name that goes on and on", True)
    text = "a long prompt that tells a story about everything and then some <b>more</b> & more " * 5
    xy = np.stack([values(), values(1)], 1)[:n]
    return map_figure(xy, color=score, selected=values()[:n] > 0.5, hover=[text] * n)


CASES: dict[str, Callable[[], go.Figure]] = {
    "arms_figure": lambda: arms_figure(
        [Line("a", "random", values(), None, 0), Line("b", "selection", values(1), (0.1, 0.2), 0)],
        measure="loss",
        lower_is_better=True,
    ),
    "cartography_figure": lambda: cartography_figure(values(), values(1), correctness=values(2)),
    "correlation_figure": lambda: correlation_figure(values() + 1, values(1)),
    "changes_figure": lambda: changes_figure(NAMES, ROWS, ROWS, ROWS),
    "coverage_figure": lambda: coverage_figure(ROWS + 1, values(), random=np.stack([values(1)] * 3), budget=7),
    "curve_figure": lambda: curve_figure(ROWS, values(), name="loss"),
    "curve_figure of many runs": lambda: curve_figure(ROWS // 2, values(), runs=ROWS // 2, name="loss"),
    "distribution_figure": lambda: distribution_figure(values(), cut=0.5),
    "epochs_figure": lambda: epochs_figure(ROWS, values()[None], name="loss"),
    "epochs_figure of many runs": lambda: epochs_figure(np.arange(2), values().reshape(-1, 2), name="loss"),
    "gains_figure": lambda: gains_figure(
        NAMES, values(), values() - 1, values() + 1, claims=ROWS * 0, counts=ROWS, measure="loss"
    ),
    "groups_figure": lambda: groups_figure(NAMES[:1000], np.split(values(), 1000)),
    "kept_curve_figure": lambda: kept_curve_figure(np.sort(values()), ROWS, chosen=0.5, looked_at=0.6),
    "losses_figure": lambda: losses_figure(values(), values(1), ROWS % 4, boundary=0.5, counts={}, rows=ROWS),
    "map_figure": full_map,
    "map_figure with texts": lambda: hovered_map(8_000),
    "map_figure with many texts": lambda: hovered_map(MAX_POINTS),
    "order_figure": lambda: order_figure(values(), rows=ROWS, budget=5),
    "pair_figure": lambda: pair_figure(values(), values(1), x_name="a", y_name="b"),
    "pair_figure of points": lambda: pair_figure(values(), values(1), x_name="a", y_name="b", show="points"),
    "shares_figure": lambda: shares_figure(NAMES, ROWS + 1, ROWS),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_million_values_stay_below_a_megabyte(case):
    figure = CASES[case]()
    assert len(figure.data), "nothing is drawn"
    assert len(figure.to_json().encode()) < MOST_BYTES
    assert len(figure.data) <= 60


def test_every_figure_is_measured_here_or_bounded_for_a_reason():
    folder = Path(figures.__file__).parent
    known = {case.split()[0] for case in CASES} | set(BOUNDED)
    found = {
        node.name
        for path in folder.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.endswith("_figure")
    }
    assert found == known, f"measure these, or say why they are small: {found ^ known}"
