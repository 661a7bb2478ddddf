from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.exporters import escape_cell, export_rows, unescape_cell
from curation.exporters._writers import csv_line


def read(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@sum", "\tx", "\rx", "\nx", "'=x", "''-x", "＝1", "- list"])
def test_formulas_are_defused_and_come_back(text):
    escaped = escape_cell(text)
    assert escaped.startswith("'") and unescape_cell(escaped) == text


@pytest.mark.parametrize("text", ["-5", "+3.5", "-1e9", "plain", "", "'quoted'", "a=b"])
def test_harmless_cells_are_left_alone(text):
    assert escape_cell(text) == text == unescape_cell(text)


@given(st.text(alphabet="'=+-@\t\r\n5a ＝", max_size=8))
def test_escaping_can_always_be_undone(text):
    assert unescape_cell(escape_cell(text)) == text


@given(st.lists(st.text(alphabet='a",\n\r \t;é', max_size=6), min_size=2, max_size=4))
def test_lines_read_back(cells):
    assert next(csv.reader([csv_line(cells)], strict=True)) == cells or any("\n" in c or "\r" in c for c in cells)
    import io

    assert next(csv.reader(io.StringIO(csv_line(cells), newline=""), strict=True)) == cells


def test_missing_and_empty_are_told_apart():
    assert csv_line([None, "", "x"]) == ',"",x'


def test_a_table(make, ask, tmp_path):
    ds = make(ask("=HYPERLINK(1)", 'a, "b"\nc'), ask("q1", "a1", "q2", "-7"), records=[{"n": {"deep": 1}}, {"n": None}])
    made = export_rows(ds, format="csv", output=tmp_path / "out.csv")
    rows = read(made.path)
    assert rows[0]["instruction"] == "'=HYPERLINK(1)" and rows[0]["output"] == 'a, "b"\nc'
    assert rows[1]["output"] == "-7" and json.loads(rows[1]["history"]) == [["q1", "a1"]]
    assert json.loads(rows[0]["n"]) == {"deep": 1} and rows[1]["n"] == ""


def test_no_apostrophe_for_a_trainer_or_on_request(make, ask, tmp_path):
    ds = make(ask("=x", "a"))
    trained = export_rows(ds, format="csv", output=tmp_path / "a.csv", trainer="llama-factory")
    plain = export_rows(ds, format="csv", output=tmp_path / "b.csv", escape_formulas="no")
    assert read(trained.path)[0]["instruction"] == read(plain.path)[0]["instruction"] == "=x"
