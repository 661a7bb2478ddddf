from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.core.artifacts import Labels, Missing, Score
from curation.exporters import _decisions, export_rows


@pytest.fixture
def table(make, ask, pick, tmp_path):
    """Ten rows, three picked, with everything that can be said about them."""

    def build(block: int, monkeypatch):
        monkeypatch.setattr(_decisions, "BLOCK", block)
        call = [{"role": "user", "content": "q"}, {"role": "tool", "content": "r"}]
        ds = make(*[ask(f"q{i}", f"a{i}") if i != 7 else call for i in range(10)])
        n = len(ds)
        margin = np.linspace(0, 1, n)
        margin[3] = np.nan
        covered = np.full(n, -1)
        covered[[0, 1]] = [2, 5]
        selection = pick(
            ds,
            [5, 2, 7],
            gains=np.array([np.inf, 2.0, np.nan]),
            margin=margin,
            covered_by=covered,
            distance=np.where(covered >= 0, 0.25, np.nan),
        )
        values = np.arange(n, dtype=float)
        values[4] = np.nan
        score = Score(ds.fingerprint, values, Missing.where(np.isnan(values), "no text"), "s")
        labels = Labels.from_values(ds.fingerprint, [None if i == 6 else "ab"[i % 2] for i in range(n)])
        export_rows(
            ds,
            selection,
            output=tmp_path / f"x{block}.json",
            scores={"quality": score, "pick": score},
            labels={"topic": labels},
            trainer="llama-factory",
        )
        return ds, selection, pq.read_table(tmp_path / f"x{block}.json.d" / "decisions.parquet").to_pylist()

    return build


@pytest.mark.parametrize("block", [3, 100])
def test_every_row_and_why(table, monkeypatch, block):
    ds, selection, rows = table(block, monkeypatch)
    assert [r["row"] for r in rows] == list(range(10)) and [r["row_id"] for r in rows] == ds.row_ids()
    assert [r["why"] for r in rows] == [selection.why(i) for i in range(10)], "as the Selection itself says it"
    assert [r["selected"] for r in rows] == selection.mask.tolist()
    assert [r["pick"] for r in rows if r["selected"]] == [2, 1, 3]
    assert rows[0]["covered_by"] == ds.row_id(2) and rows[0]["distance"] == 0.25 and rows[3]["covered_by"] is None
    assert rows[3]["margin"] is None and rows[9]["margin"] == 1.0


def test_scores_labels_and_the_file(table, monkeypatch):
    _, _, rows = table(100, monkeypatch)
    assert rows[4]["quality"] is None and rows[5]["quality"] == 5.0 and rows[5]["score_pick"] == 5.0
    assert [r["topic"] for r in rows] == ["a", "b", "a", "b", "a", "b", None, "b", "a", "b"]
    assert [r["in_file"] for r in rows] == [i in (2, 5) for i in range(10)]
    assert rows[7]["left_out"] == "alpaca cannot say: tool calls" and rows[7]["trainer"] is None
    assert rows[2]["trainer"] == "used" and rows[0]["trainer"] is None


def test_no_selection(make, ask, tmp_path):
    export_rows(make(ask("q", "a")), output=tmp_path / "x.json")
    row = pq.read_table(tmp_path / "x.json.d" / "decisions.parquet").to_pylist()[0]
    assert row["why"] == "in: all rows are exported" and row["selected"] and row["pick"] is None


def test_a_selection_that_knows_little(make, ask, pick, tmp_path):
    ds = make(ask("q", "a"), ask("r", "b"))
    bare = dataclasses.replace(pick(ds, [1]), stage=np.empty(0, np.int16), stages=())
    export_rows(ds, bare, output=tmp_path / "x.json")
    rows = pq.read_table(tmp_path / "x.json.d" / "decisions.parquet").to_pylist()
    assert [r["why"] for r in rows] == [bare.why(0), bare.why(1)] == ["out: not picked", "in: pick 1 of 1"]
