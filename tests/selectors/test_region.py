"""Regions of the map: shapes in order, even-odd, and rows without a place."""

import numpy as np
import pytest
from pydantic import ValidationError

from curation.core.artifacts import Layout, Missing
from curation.core.runtime import Runtime
from curation.selectors.region import Region, inside_shapes

BOX = [[0, 0], [4, 0], [4, 4], [0, 4]]
HOLE = [[1, 1], [3, 1], [3, 3], [1, 3]]
PLACES = np.array([[0.5, 0.5], [2, 2], [5, 5], [np.nan, np.nan], [3.5, 0.5]], np.float32)


def run(build, shapes, eligible=None):
    made = build(5)
    layout = Layout(made.fingerprint, PLACES, Missing.where(np.isnan(PLACES[:, 0]), "no vector"))
    return Region(shapes=shapes).select(made.pool, made.ask(eligible=eligible), Runtime(), layout=layout)


@pytest.mark.parametrize(
    ("shapes", "rows"),
    [
        ([{"points": BOX}], [0, 1, 4]),
        ([{"points": BOX}, {"op": "subtract", "points": HOLE}], [0, 4]),
        ([{"points": BOX}, {"op": "subtract", "points": BOX}, {"op": "add", "points": HOLE}], [1]),
        ([{"op": "subtract", "points": BOX}], [2]),
        ([{"op": "subtract", "points": BOX}, {"op": "add", "points": HOLE}], [1, 2]),
        ([{"points": [*BOX, BOX[0], *HOLE, HOLE[0]]}], [0, 4]),  # surrounded twice is outside
    ],
)
def test_shapes_are_applied_in_order(build, shapes, rows):
    made = run(build, shapes)
    assert made.order.tolist() == rows
    assert made.why(3) == "out: no place"


def test_rows_say_why_they_are_out(build):
    made = run(build, [{"points": HOLE}], [0, 1, 2])
    assert made.order.tolist() == [1]
    assert made.why(2) == "out: outside the region"
    assert made.why(4) == "out: not eligible"


def inside_naive(x, y, corners):
    inside = False
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            inside = not inside
    return inside


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_loop(seed):
    rng = np.random.default_rng(seed)
    xy = rng.normal(0, 5, (200, 2)).astype(np.float32)
    ops = ["add", *rng.choice(["add", "subtract"], 2)]
    polygons = [rng.normal(0, 6, (int(rng.integers(3, 12)), 2)).tolist() for _ in ops]
    shapes = Region(shapes=[{"op": o, "points": p} for o, p in zip(ops, polygons, strict=True)]).shapes
    expected = []
    for x, y in xy.astype(np.float64):
        kept = False
        for op, corners in zip(ops, polygons, strict=True):
            if inside_naive(x, y, corners):
                kept = op == "add"
        expected.append(kept)
    assert inside_shapes(xy, shapes).tolist() == expected


@pytest.mark.parametrize(
    "shapes",
    [[], [{"points": [[0, 0], [1, 1]]}], [{"points": [[0, 0], [1, 1], [float("nan"), 0]]}],
     [{"op": "cut", "points": BOX}], [{"points": [[0, 0, 0]] * 3}], [{"points": [[0, float("inf")]] * 3}],
     [{"points": BOX}] * 65],
)  # fmt: skip
def test_wrong_shapes_are_errors(shapes):
    with pytest.raises(ValidationError, match="shapes"):
        Region(shapes=shapes)
