"""The table of `benchmarks/browser.py` says plainly what was met, missed and not measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def table():
    sys.path.append(str(BENCHMARKS))  # last, see test_workspaces
    try:
        import _browser_table

        yield _browser_table
    finally:
        sys.path.remove(str(BENCHMARKS))


def figures_of(**changes):
    releases = {"ms": [300.0] * 19 + [400.0], "sent": [1400] * 20, "received": [30_000] * 20, "kept": [5] * 20}
    found = {
        "rows": 50_000, "note": "38,138 real rows", "failed": {}, "memory": 300e6, "peak": 400e6,
        "about": {"date": "2027-01-01", "machine": "2 CPU cores", "versions": "Python 3.11", "load": 0.5},
        "first": {"ms": [2000.0, 2500.0, 9000.0], "at_rest": [3000.0], "received": [1e6], "drawn_by": "cpu"},
        "cut": {"steps": [20.0] * 10, "sent_while_dragged": 0, **releases},
        "budget": {"steps": [20.0] * 10, **releases},
        "lasso": releases,
        "frames": {"pan": [10.0], "zoom": [12.0]},
        "hover": {"ms": [200.0]},
    }  # fmt: skip
    return {**found, **changes}


PLOTLY = {
    "first": [8000.0], "first_bytes": [1e6], "lasso": [5000.0], "lasso_sent": [3.5e6], "cut": [6000.0],
    "cut_received": [1e6], "memory": 300e6, "peak": 300e6,
    "about": {"date": "2027-01-01", "machine": "2 CPU cores", "versions": "Python 3.11", "load": 0.5},
}  # fmt: skip


def line_of(text, name):
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_targets_that_are_met_and_ratios(table):
    text = table.markdown({"50k": figures_of(), "plotly": PLOTLY})
    assert line_of(text, "first map, median")[1:5] == ["2.5 s", "4 s: met", "8 s", "**3.2×**"]
    assert line_of(text, "cut released to updated page, p95")[1:3] == ["300 ms", "500 ms: met"]
    assert line_of(text, "browser to server for a lasso, most")[1:5] == ["1.4 kB", "", "3,500 kB", "**2,500.0×**"]
    assert line_of(text, "first map, median")[5:] == ["", "6 s: not measured"]
    assert "All targets that were measured are met." in text
    assert "50,000 real rows, plotly: 2027-01-01, 2 CPU cores; Python 3.11." in text
    assert "own loop on the processor" in text


def test_a_missed_target_is_named(table):
    slow = figures_of(first={"ms": [7000.0], "at_rest": [7000.0], "received": [1e6], "drawn_by": "gpu"}, peak=5e9)
    text = table.markdown({"50k": slow, "1m": slow})
    assert line_of(text, "first map, median")[1:3] == ["7 s", "4 s: **missed**"]
    assert "Missed: first map, median, 50,000 real rows: 7 s; first map, median, 1,000,000 synthetic rows: 7 s" in text
    assert "server's memory, highest, 1,000,000 synthetic rows: 5 GB" in text
    assert "highest, 50,000" not in text, "it has a target at a million rows only"


def test_a_part_that_failed_leaves_its_cells_empty_and_is_named(table):
    broken = figures_of(failed={"lasso": "Error: no rest"})
    del broken["lasso"]
    text = table.markdown({"1m": broken})
    assert line_of(text, "lasso of half the points released to updated page, p95")[5:] == ["", "2000 ms: not measured"]
    assert "Not measured: 1,000,000 synthetic rows, lasso: Error: no rest." in text


def test_p95_is_a_value_that_was_measured(table):
    assert table.p95([1.0]) == 1.0
    assert table.p95(list(range(1, 21))) == 19
    assert table.p95(list(range(1, 101))) == 95
    assert table.p95([5.0, 1.0]) == 5.0
