"""Columns beside rows: looked up for a page, sorted, written as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from curation.core.artifacts import Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.ui.row_columns import Column, as_column, csv_lines, in_order, sorted_rows, values_at


def score_of(values):
    values = np.asarray(values, float)
    return Score("f", values, Missing.where(np.isnan(values), "no value"), "score")


def labels_of(codes, names=("pear", "Apple", "fig")):
    codes = np.asarray(codes, np.int32)
    return Labels("f", codes, names, Missing.where(codes == -2, "gone"))


def test_values_of_scores_labels_arrays_and_lists():
    rows = np.array([3, 0])
    assert values_at(Column(score_of([1.5, 2, 3, np.nan])), rows) == [None, 1.5]
    assert values_at(Column(labels_of([2, 0, 1, -1]), none="no cluster"), rows) == ["no cluster", "fig"]
    assert values_at(Column(np.array([7, 8, 9, 10])), rows) == [10, 7]
    assert values_at(Column(np.array([True, False, False, False])), rows) == [False, True]
    assert values_at(as_column(["a", "b", "c", "d"]), rows) == ["d", "a"]


def test_a_missing_label_shows_its_reason():
    labels = Labels("f", np.array([0, -1], np.int32), ("a",), Missing.where(np.array([False, True]), "too long"))
    assert values_at(Column(labels, none="none"), np.arange(2)) == ["a", "too long"]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_numbers_are_sorted_like_python_sorts_them(descending, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, 60).astype(float)
    values[rng.random(60) < 0.2] = np.nan
    there = [i for i in range(60) if values[i] == values[i]]
    naive = sorted(there, key=lambda i: ((-1 if descending else 1) * values[i], i))
    naive += [i for i in range(60) if i not in there]
    for column in (Column(score_of(values), "k"), Column(values, "k")):
        assert sorted_rows(column, descending=descending).tolist() == naive


def test_whole_numbers_and_truth_values_sort_too():
    assert sorted_rows(Column(np.array([3, 1, 2], np.uint8), "k"), descending=True).tolist() == [0, 2, 1]
    assert sorted_rows(Column(np.array([True, False]), "k"), descending=False).tolist() == [1, 0]


def test_labels_are_sorted_by_name_with_none_last():
    column = Column(labels_of([0, -1, 1, 2, 1]), "k")
    assert sorted_rows(column, descending=False).tolist() == [2, 4, 3, 0, 1]
    assert sorted_rows(column, descending=True).tolist() == [0, 3, 2, 4, 1]
    assert sorted_rows(Column(labels_of([-1, -1], ()), "k"), descending=True).tolist() == [0, 1]


def test_some_rows_in_the_order_of_all():
    order = np.array([4, 2, 0, 1, 3], np.int32)
    assert in_order(np.array([3, 0, 2]), order).tolist() == [2, 0, 3]
    assert in_order(np.arange(5), order).tolist() == order.tolist()
    assert in_order(np.array([], np.int64), order).tolist() == []


def test_only_named_numbers_and_labels_can_be_sorted_by():
    assert Column(score_of([1]), "k").sortable
    assert Column(labels_of([1]), "k").sortable
    assert Column(np.arange(3), "k").sortable
    assert not Column(score_of([1])).sortable
    assert not Column(["a"], "k").sortable
    assert not Column(np.array(["a"], object), "k").sortable


def read_back(dataset, rows, columns):
    return list(csv.DictReader(io.StringIO("".join(csv_lines(dataset, np.asarray(rows, np.int64), columns)))))


def test_the_csv_holds_every_row_in_order_with_its_columns(monkeypatch):
    monkeypatch.setattr("curation.ui.row_columns.CSV_BLOCK", 4)
    dataset = from_pairs([(f"p{i}", f'a, "b"\n{i}') for i in range(10)])
    rows = [9, 1, 5, 0, 7, 2]
    columns = {"quality": Column(score_of([*range(9), np.nan])), "fruit": Column(labels_of([0, 1, 2, -1, 0] * 2))}
    found = read_back(dataset, rows, columns)
    assert [int(line["row"]) for line in found] == rows
    assert [line["prompt"] for line in found] == [f"p{i}" for i in rows]
    assert [line["response"] for line in found] == [f'a, "b"\n{i}' for i in rows]
    assert [line["row_id"] for line in found] == [dataset.row_id(i) for i in rows]
    assert [line["quality"] for line in found] == ["", "1.0", "5.0", "0.0", "7.0", "2.0"]
    assert [line["fruit"] for line in found] == ["pear", "Apple", "pear", "pear", "fig", "fig"]


def test_the_csv_defuses_formulas_in_texts_labels_and_titles():
    dataset = from_pairs([("=1+1", "@x"), ("plain", "-5")])
    labels = Labels("f", np.array([0, 0], np.int32), ("+cmd",), Missing.none(2))
    text = "".join(csv_lines(dataset, np.arange(2), {"=title": Column(labels)}))
    header, first, second = csv.reader(io.StringIO(text))
    assert header[-1] == "'=title"
    assert first[2:4] == ["'=1+1", "'@x"]
    assert first[-1] == "'+cmd"
    assert second[3] == "-5"


def test_an_empty_csv_has_its_header():
    assert read_back(from_pairs([("a", "b")]), [], {}) == []


# ------------------------------------------------------------------ in a page


def table(dataset, rows, columns, download=None):
    import streamlit as st

    from curation.ui.rows import row_table

    st.session_state["chosen"] = row_table(
        dataset, rows, key="t", columns=columns, per_page=10, sort=True, download=download
    )


def opened(**values: Any) -> AppTest:
    return AppTest.from_function(table, kwargs=values, default_timeout=30).run()


def test_sorting_orders_all_rows_not_only_the_page():
    dataset = from_pairs([(f"p{i}", "") for i in range(35)])
    values = np.arange(35)[::-1].astype(float)
    at = opened(dataset=dataset, rows=np.arange(5, 35), columns={"a_b": Column(score_of(values), "sorted-all")})
    assert at.dataframe[0].value["row"].tolist() == list(range(5, 15))
    at.session_state["t.page"] = 3
    at.run()
    choice = at.selectbox(key="t.order")
    choice.select("a_b: lowest first").run()
    assert at.dataframe[0].value["row"].tolist() == list(range(34, 24, -1)), "the first page again"
    at.selectbox(key="t.order").select("a_b: highest first").run()
    assert at.dataframe[0].value["row"].tolist() == list(range(5, 15))


def test_a_click_means_the_row_of_the_order_in_view():
    dataset = from_pairs([(f"p{i}", "") for i in range(4)])
    column = Column(labels_of([2, 1, 0, 1]), "clicked")
    at = opened(dataset=dataset, rows=np.arange(4), columns={"fruit": column})
    at.selectbox(key="t.order").select("fruit: A to Z").run()
    assert at.dataframe[0].value["fruit"].tolist() == ["Apple", "Apple", "fig", "pear"]
    at.session_state["t.table.0.fruit: A to Z"] = {"selection": {"rows": [], "columns": [], "cells": [(2, "prompt")]}}
    at.run()
    assert at.session_state["chosen"] == 0
    at.selectbox(key="t.order").select("as they come").run()
    assert at.session_state["chosen"] is None


def changing(dataset, columns):
    import streamlit as st

    from curation.ui.rows import row_table

    st.session_state["chosen"] = row_table(
        dataset, st.session_state["rows"], key="t", columns=columns, per_page=10, sort=True
    )


def test_other_rows_come_into_the_same_table_on_its_first_page():
    dataset = from_pairs([(f"p{i}", "") for i in range(80)])
    at = AppTest.from_function(changing, kwargs={"dataset": dataset, "columns": {}}, default_timeout=30)
    at.session_state["rows"] = np.arange(40)
    at.run()
    assert at.session_state["t.last"] == "t.table.0"
    at.session_state["t.page"] = 3
    at.run()
    assert at.dataframe[0].value["row"].tolist() == list(range(20, 30))
    at.session_state["rows"] = np.arange(30, 80)
    at.run()
    assert at.dataframe[0].value["row"].tolist() == list(range(30, 40))
    assert at.session_state["t.last"] == "t.table.0", "the same table"
    assert at.session_state["t.page"] == 1


def test_a_click_does_not_mean_a_row_of_the_rows_that_came_after_it():
    dataset = from_pairs([(f"p{i}", "") for i in range(80)])
    at = AppTest.from_function(changing, kwargs={"dataset": dataset, "columns": {}}, default_timeout=30)
    at.session_state["rows"] = np.arange(40)
    at.run()
    clicked = {"selection": {"rows": [], "columns": [], "cells": [(4, "prompt")]}}
    at.session_state["t.table.0"] = clicked
    at.run()
    assert at.session_state["chosen"] == 4
    at.session_state["t.table.0"] = clicked
    at.session_state["rows"] = np.arange(10, 60)
    at.run()
    assert at.session_state["chosen"] is None
    assert at.session_state["t.last"] == "t.table.0.1", "another table, on which nothing is clicked"
    at.session_state["t.table.0.1"] = clicked
    at.run()
    assert at.session_state["chosen"] == 14


def test_without_a_sortable_column_there_is_nothing_to_choose():
    dataset = from_pairs([("a", "b")])
    at = opened(dataset=dataset, rows=[0], columns={"x": [1]})
    assert not at.exception
    assert not at.selectbox


def test_the_download_button_is_there_only_when_there_are_rows():
    dataset = from_pairs([("a", "b")])
    at = opened(dataset=dataset, rows=[0], columns={}, download="rows.csv")
    assert [b.label for b in at.download_button] == ["CSV"]
    assert not opened(dataset=dataset, rows=[], columns={}, download="rows.csv").download_button
