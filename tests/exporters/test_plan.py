from __future__ import annotations

import json

import numpy as np
import pytest

from curation.exporters import _plan
from curation.exporters._plan import common_kind, kind_of, make_plan
from curation.exporters._rows import stream
from curation.exporters.alpaca import ALPACA
from curation.exporters.messages import messages_form


def records(ds, plan):
    return [plan.record(view) for view in stream(ds, plan.rows)]


def plan_of(ds, form=ALPACA, container="jsonl", *, for_trainer=True):
    return make_plan(ds, np.arange(len(ds)), form, container, for_trainer=for_trainer)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None], "text"),
        (["a", None], "text"),
        ([1, 2], "whole"),
        ([1, 0.5], "number"),
        ([True, 1], "json"),
        ([1, "a"], "json"),
        ([[1]], "json"),
        ([1 << 63], "json"),
        ([-(1 << 63)], "whole"),
    ],
)
def test_kind_of_a_column(values, kind):
    assert common_kind({kind_of(v) for v in values}) == kind


def test_every_record_has_every_column(make, ask):
    ds = make(ask("q", "a"), ask("q", "a", system="s"), records=[{"x": 1}, {"y": "b"}])
    plan = plan_of(ds)
    assert plan.columns == ("instruction", "input", "output", "system", "x", "y")
    assert [list(r) for r in records(ds, plan)] == [list(plan.columns)] * 2


def test_names_that_mean_something_to_a_trainer_are_avoided(make, ask):
    ds = make(ask("q", "a"), records=[{"prompt": "p", "images": [], "original_prompt": "o", "text": 1}])
    names = {e.field: e.column for e in plan_of(ds).extras}
    assert names == {
        "prompt": "original_original_prompt",
        "images": "original_images",
        "original_prompt": "original_prompt",
        "text": "original_text",
    }
    assert {e.field: e.column for e in plan_of(ds, for_trainer=False).extras} == {
        name: name for name in ("prompt", "images", "original_prompt", "text")
    }


def test_a_field_never_overwrites_a_column_of_the_form(make, ask):
    ds = make(ask("q", "a"), records=[{"output": "other", "messages": []}])
    record = records(ds, plan_of(ds, for_trainer=False))[0]
    assert record["output"] == "a" and record["original_output"] == "other"


def test_nested_extras_are_text_for_trainers_only(make, ask):
    ds = make(ask("q", "a"), ask("q", "b"), records=[{"meta": {"a": 1}}, {"meta": {"b": "x"}}])
    assert json.loads(records(ds, plan_of(ds))[0]["meta"]) == {"a": 1}
    assert records(ds, plan_of(ds, for_trainer=False))[0]["meta"] == {"a": 1}


def test_files_named_beside_the_conversation_keep_their_column(make, ask):
    ds = make(ask("<video>q", "a"), records=[{"videos": ["a.mp4"]}])
    assert records(ds, plan_of(ds))[0]["videos"] == ["a.mp4"]


def test_rows_that_fill_a_column_late_come_first(make, ask, monkeypatch):
    monkeypatch.setattr(_plan, "LOADER_CHUNK", 2000)
    many = [ask("q" * 50, "a") for _ in range(100)]
    late = ask("q", "a", "q", "a", system="s")
    ds = make(*many, late, *many)
    plan = plan_of(ds)
    assert plan.rows[0] == 100 and plan.moved == 1
    assert plan.rows[1:].tolist() == [i for i in range(201) if i != 100]
    assert plan_of(ds, container="json").moved == 0, "a list is read as a whole"
    assert plan_of(ds, for_trainer=False).moved == 0


def test_the_moved_file_loads(make, ask, monkeypatch, tmp_path):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(_plan, "LOADER_CHUNK", 8000)
    call = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"x": 1}}]},
    ]
    many = [ask("q" * 50, "a") for _ in range(200)]
    ds = make(*many, call, tools=[{"name": "f"}])
    path = tmp_path / "a.jsonl"
    for moved in (False, True):
        plan = plan_of(ds, messages_form(tools_as_text=True), for_trainer=moved)
        path.write_text("".join(json.dumps(r) + "\n" for r in records(ds, plan)))
        options = {"data_files": str(path), "cache_dir": str(tmp_path / f"cache-{moved}"), "chunksize": 8000}
        if moved:
            assert len(datasets.load_dataset("json", split="train", **options)) == 201
        else:
            with pytest.raises(datasets.exceptions.DatasetGenerationError):
                datasets.load_dataset("json", split="train", **options)
