from __future__ import annotations

import io

import pandas as pd
import pytest

from curation.exporters.check.load import CSV_MISSING, FirstChunk, NumberColumns, as_csv_reads, paths


def test_words_that_pandas_takes_for_nothing():
    words = sorted(CSV_MISSING - {""}) + ["none", "no", "0", "NAN!", "-"]
    read = pd.read_csv(io.StringIO("a,b\n" + "".join(f"{w},x\n" for w in words)))["a"]
    assert [w for w, missing in zip(words, read.isna(), strict=True) if missing] == sorted(CSV_MISSING - {""})


@pytest.mark.parametrize(
    "values", [["1", "2"], ["1", "x"], ["1.5", "None", ""], ["True", "False"], ["1_0", "2"], ["inf", "1"], ["", ""]]
)
def test_columns_that_pandas_takes_for_numbers(values):
    watch = NumberColumns(("a",))
    for value in values:
        watch.add(as_csv_reads({"a": value}))
    column = pd.read_csv(io.StringIO("a,b\n" + "".join(f"{v},x\n" for v in values)))["a"]
    is_number = column.dtype.kind in "ifb" and bool(column.notna().any())
    assert watch.found() == (["a"] if is_number else [])


def test_nested_values_come_back_as_text():
    assert as_csv_reads({"h": [["q", "a"]], "n": None, "x": "NA"}) == {"h": '[["q", "a"]]', "n": None, "x": None}


def test_places_that_hold_something():
    record = {"messages": [{"role": "user", "calls": []}, {"role": "x", "calls": [{"n": 1}]}], "none": None}
    assert set(paths(record)) == {("messages[].role", "text"), ("messages[].calls[].n", "whole")}


@pytest.mark.parametrize(
    ("early", "late", "place"),
    [
        ({"a": "x"}, {"a": "y", "b": "z"}, "b"),
        ({"a": None}, {"a": "y"}, "a"),
        ({"a": []}, {"a": [["q"]]}, "a[][]"),
        ({"a": [{"r": 1}]}, {"a": [{"r": 1, "s": {"t": "u"}}]}, "a[].s.t"),
        ({"a": "x"}, {"a": 1}, "a"),
    ],
)
def test_places_that_come_too_late(early, late, place):
    watch = FirstChunk(100)
    watch.add(0, early, 100)
    watch.add(1, late, 10)
    watch.add(2, late, 10)
    assert list(watch.late.items()) == [(place, 1)] and place in watch.warning()


def test_places_that_are_fine():
    watch = FirstChunk(100)
    watch.add(0, {"a": 1.5, "b": "x"}, 100)
    watch.add(1, {"a": 1, "b": None}, 10)
    assert watch.warning() == ""
    early = FirstChunk(100)
    early.add(0, {"a": "x"}, 50)
    early.add(1, {"b": "x"}, 60)
    assert early.warning() == "", "still inside the first part"
