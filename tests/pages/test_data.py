"""Data: rows, fields, rejected records and datasets, empty and filled."""

import json
import shutil

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.ui.data_view import FILE_ORDER, rows_key
from curation.ui.field_facts import empty_answers, field_facts, find_rows, in_order
from curation.workspace import Workspace


def everything_markdown_reads(at):
    return "\n".join(str(e.value) for kind in (at.markdown, at.caption, at.error, at.title) for e in kind)


def test_empty_data_page_shows_the_way(open_page, empty_workspace):
    at = open_page("data", empty_workspace)
    assert not at.exception
    assert "There are no rows here yet." in everything_markdown_reads(at)
    assert "Go to Start" in [b.label for b in at.button]
    assert at.text_input(key="data.import.path") is not None


def test_counts_and_rows(open_page, filled_workspace):
    at = open_page("data", filled_workspace)
    assert not at.exception
    tiles = {m.label: m.value for m in at.metric}
    assert tiles["Rows"] == "120"
    assert tiles["Rejected"] == "1"
    assert at.dataframe[0].value["row"].tolist() == list(range(25))
    assert "evil.test" not in everything_markdown_reads(at)


def test_a_clicked_row_is_shown_in_full_with_its_scores(open_page, filled_workspace):
    at = open_page("data", filled_workspace)
    dataset = Workspace.open(filled_workspace).dataset("few")
    key = rows_key(dataset, "", None, FILE_ORDER, True)
    at.session_state[f"{key}.table.0"] = {"selection": {"rows": [], "columns": [], "cells": [(3, "prompt")]}}
    at.run()
    assert not at.exception
    assert any("evil.test" in c.proto.json for c in at.get("bidi_component"))
    assert "evil.test" not in everything_markdown_reads(at)
    bars = next(c for c in at.get("bidi_component") if c.proto.component_name == "curation.place_bars")
    assert any(
        "length" in name and rank.endswith("of 120") for name, _, rank, *_ in json.loads(bars.proto.json)["rows"]
    )


def test_found_rows_are_dropped_at_once_shown_by_decision_and_made_a_selection(
    open_page, filled_workspace, tmp_path, started
):
    shutil.copytree(filled_workspace, tmp_path / "copy")
    workspace = Workspace.open(tmp_path / "copy")
    dataset = workspace.dataset("few")
    at = open_page("data", workspace.root)
    assert "data.bulk.drop" not in [b.key for b in at.button]  # all rows at once is no decision
    at.text_input(key="data.find").set_value("evil.test").run()
    at.button(key="data.bulk.drop").click().run()
    assert not at.exception
    assert workspace.decisions(dataset).state().dropped.tolist() == [3]
    assert at.button(key="data.bulk.drop").disabled
    assert "Dropped 1 row." in everything_markdown_reads(at)
    at = open_page("data", workspace.root)  # only the fragments were drawn
    at.selectbox(key="data.decided").set_value("drop").run()
    assert at.dataframe[0].value["row"].tolist() == [3]
    at.selectbox(key="data.decided").set_value("noted").run()
    assert "No row matches" in at.info[0].value
    at.button(key="data.apply.run").click().run()
    assert not at.exception
    recipe, bindings, title = started[0]
    assert title == "Edited by hand: few"
    assert recipe.steps["by-hand"]["drop"] == "3"
    assert "selection" in recipe.steps["by-hand"]
    assert bindings == {"pool": dataset.fingerprint}


def test_find_and_sort(open_page, filled_workspace):
    at = open_page("data", filled_workspace)
    at.text_input(key="data.find").set_value("EVIL.test").run()
    assert at.dataframe[0].value["row"].tolist() == [3]
    at.text_input(key="data.find").set_value("no such text at all").run()
    assert not at.exception
    assert "No row matches" in at.info[0].value
    at.text_input(key="data.find").set_value("")
    at.selectbox(key="data.order").set_value("length").run()
    values = at.dataframe[0].value["length"].tolist()
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("view", ["fields", "rejected", "add", "all"])
def test_each_view_opens(open_page, filled_workspace, view):
    at = open_page("data", filled_workspace)
    at.segmented_control(key="data.view").set_value(view).run()
    assert not at.exception


def test_rejected_records_have_place_and_reason(open_page, filled_workspace):
    at = open_page("data", filled_workspace)
    at.segmented_control(key="data.view").set_value("rejected").run()
    frame = at.dataframe[0].value
    assert frame[["source", "line", "field", "why"]].values.tolist() == [["few.jsonl", 6, "output", "is missing"]]


def test_fields_are_described(open_page, filled_workspace):
    at = open_page("data", filled_workspace)
    at.segmented_control(key="data.view").set_value("fields").run()
    frame = at.dataframe[0].value.set_index("field")
    assert {"instruction", "output", "planted"} <= set(frame.index)
    assert frame.loc["instruction", "present"] == 1.0


def test_a_dataset_can_be_opened_and_removed(open_page, filled_workspace, tmp_path):
    shutil.copytree(filled_workspace, tmp_path / "copy")
    workspace = Workspace.open(tmp_path / "copy")
    other = tmp_path / "other.json"
    other.write_text(json.dumps([{"instruction": "a", "output": "b"}]))
    added = workspace.add(other, name="other *x*").dataset
    few = workspace.dataset("few")
    at = open_page("data", workspace.root)
    assert {m.label: m.value for m in at.metric}["Rows"] == "1"  # the newest is the first to be shown
    at.segmented_control(key="data.view").set_value("all").run()
    at.button(key=f"data.open.{few.fingerprint}").click().run()
    assert not at.exception
    assert at.query_params["dataset"] == "few"
    assert {m.label: m.value for m in at.metric}["Rows"] == "120"
    at.segmented_control(key="data.view").set_value("all").run()
    at.button(key=f"data.remove.{few.fingerprint}").click().run()
    assert not at.exception
    assert [d.fingerprint for d in workspace.datasets()] == [added.fingerprint]
    assert at.query_params["dataset"] == "other *x*"


def test_a_link_opens_its_dataset_and_an_unknown_one_is_said(open_page, filled_workspace):
    at = open_page("data", filled_workspace, dataset="few")
    assert not at.warning
    at = open_page("data", filled_workspace, dataset="<b>gone</b>")
    assert not at.exception
    assert at.warning[0].value.startswith("There is no dataset called \\<b\\>gone")


# ------------------------------------------------------------------ facts


def test_facts_of_fields():
    dataset = from_pairs([("a", "bb"), ("a", ""), ("ccc", "d")], tag=["x", None, ""], n=[1, 2.5, True])
    read, facts = field_facts(dataset)
    by_name = {f.name: f for f in facts}
    assert read == 3
    tag, n, answer = by_name["tag"], by_name["n"], by_name["output"]
    assert (tag.present, tag.empty, tag.distinct, tag.example) == (2, 1, 2, "x")
    assert n.types == ("number", "true/false")
    assert n.longest is None
    assert (answer.shortest, answer.median, answer.longest) == (0, 1.0, 2)


def test_rows_are_found_by_text_in_either_part():
    dataset = from_pairs([("Sea (1)", "x"), ("b", "the SEA (1)"), ("c", "d")])
    assert find_rows(dataset, "sea (1").tolist() == [0, 1]  # the text is no pattern
    assert find_rows(dataset).tolist() == [0, 1, 2]
    assert find_rows(dataset, "sea", source="elsewhere").tolist() == []
    assert find_rows(dataset, source="rows").tolist() == [0, 1, 2]


def test_order_puts_missing_last_and_keeps_ties():
    rows = np.array([4, 2, 0, 1])
    values = np.array([1.0, 3.0, np.nan, 0.0, 1.0])
    assert in_order(rows, values, descending=True).tolist() == [1, 4, 0, 2]
    assert in_order(rows, values, descending=False).tolist() == [4, 0, 1, 2]
    assert in_order(rows, None, descending=True).tolist() == rows.tolist()


def test_white_space_is_an_empty_answer():
    assert empty_answers(from_pairs([("a", " \n\t"), ("b", ""), ("c", "d")])) == 2
