"""The folder: publishing, names, row stores, prune."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Missing, Score, Selection
from curation.core.dataset import Row
from curation.core.errors import CurationError
from curation.workspace import MERGE_SEGMENTS, Workspace, default_name


def rows(texts: list[str]) -> list[Row]:
    answer = {"role": "assistant", "content": "a"}
    return [
        Row([{"role": "user", "content": text}, answer], json.dumps({"q": text}), "s", i, "alpaca")
        for i, text in enumerate(texts)
    ]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


def score(values: list[float], dataset: str = "d") -> Score:
    array = np.array(values, float)
    return Score(dataset, array, Missing.where(np.isnan(array), "no answer"), "x", columns={"twice": array * 2})


def test_artifact_comes_back_as_it_was(workspace):
    workspace.publish("k" * 32, score([1.0, np.nan, 3.0]), {"use": "scorer/x"})
    back = workspace.load("k" * 32)
    assert isinstance(back, Score)
    np.testing.assert_array_equal(back.values, [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(back.columns["twice"], [2.0, np.nan, 6.0])
    assert back.missing.reason(1) == "no answer"
    assert back.missing.reason(0) is None
    with pytest.raises(ValueError, match="read-only"):
        back.values[0] = 9


def test_first_result_of_a_key_stays(workspace):
    workspace.publish("k" * 32, score([1.0]), {})
    workspace.publish("k" * 32, score([2.0]), {})
    assert workspace.load("k" * 32).values[0] == 1.0
    assert not list((workspace.root / "tmp").iterdir())


def test_same_rows_are_one_dataset_and_a_name_can_move(workspace):
    first = workspace.add_rows(rows(["a", "b"]), "mine")
    same = workspace.add_rows(rows(["a", "b"]), "again")
    assert same.existed
    assert same.dataset.fingerprint == first.dataset.fingerprint
    moved = workspace.add_rows(rows(["a", "b", "c"]), "mine")
    assert len(workspace.dataset("mine")) == 3
    assert len(workspace.dataset(first.dataset.fingerprint)) == 2
    assert moved.dataset.fingerprint != first.dataset.fingerprint


def test_equal_rows_share_content_and_differ_in_id(workspace):
    dataset = workspace.add_rows(rows(["a", "a", "b"]), "d").dataset
    ids = dataset.row_ids()
    assert len(set(ids)) == 3
    assert dataset.contents[0] == dataset.contents[1] != dataset.contents[2]
    assert ids[0].endswith("-0")
    assert ids[1].endswith("-1")


def test_take_across_batches_keeps_the_given_order(tmp_path):
    dataset = Workspace.open(tmp_path / "w").add_rows(rows([f"t{i}" for i in range(10_000)]), "d").dataset
    wanted = np.array([9_999, 0, 4_095, 4_096, 4_097, 0])
    assert dataset.take(wanted).texts("prompt") == [f"t{i}" for i in wanted]
    assert len(dataset.take(np.array([], int))) == 0


def test_row_store_finds_gathers_and_merges(workspace):
    dataset = workspace.add_rows(rows([f"t{i}" for i in range(200)]), "d").dataset
    store, contents = workspace.row_store("r" * 32), dataset.contents
    parts = np.array_split(np.arange(150), MERGE_SEGMENTS + 3)
    for part in parts:
        store.append(contents[part], score([float(i) for i in part]))
    assert store.find(contents).tolist() == [True] * 150 + [False] * 50
    before = store.gather(contents[[149, 3, 77]], "d")
    store.merge()
    assert len(list(store.folder.iterdir())) == 1
    after = store.gather(contents[[149, 3, 77]], "d")
    assert before.values.tolist() == after.values.tolist() == [149.0, 3.0, 77.0]


def test_prune_keeps_what_a_job_made(workspace):
    kept, lost = "a" * 32, "b" * 32
    for key in (kept, lost):
        workspace.publish(key, score([1.0]), {})
    order = Selection("d", 3, np.array([2, 0]), nested=True)
    workspace.publish_order(kept, order.prefix(1), {})
    workspace.publish_order(kept, order, {})
    job = workspace.root / "jobs" / "j"
    job.mkdir()
    (job / "status.json").write_text(json.dumps({"state": "done", "steps": [{"key": kept, "order_key": kept}]}))
    told = workspace.prune(dry_run=True)
    assert workspace.has(lost)
    assert set(workspace.prune().paths) == set(told.paths)
    assert workspace.has(kept)
    assert not workspace.has(lost)
    assert len(workspace.order(kept)) == 2
    assert [f.name for f in (workspace.root / "orders").iterdir()] == [f"{kept}-2"]


def test_removing_a_dataset_removes_its_results_only(workspace):
    one = workspace.add_rows(rows(["a"]), "one").dataset.fingerprint
    two = workspace.add_rows(rows(["b"]), "two").dataset.fingerprint
    workspace.publish("1" * 32, score([1.0], one), {})
    workspace.publish("2" * 32, score([1.0], two), {})
    workspace.remove_dataset("one")
    assert [d.name for d in workspace.datasets()] == ["two"]
    assert not workspace.has("1" * 32)
    assert workspace.has("2" * 32)


def test_a_folder_with_other_files_is_not_taken_over(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CurationError, match="other files"):
        Workspace.open(tmp_path)


def test_a_newer_workspace_is_refused(workspace):
    (workspace.root / "workspace.json").write_text('{"schema": 99}')
    with pytest.raises(CurationError, match="schema 99"):
        Workspace.open(workspace.root)


def test_unknown_dataset_names_the_known_ones(workspace):
    workspace.add_rows(rows(["a"]), "mine")
    with pytest.raises(CurationError, match="known: mine"):
        workspace.dataset("yours")
    with pytest.raises(CurationError):
        workspace.dataset("../jobs")


@pytest.mark.parametrize(
    ("path", "name"), [("a/b/alpaca.json", "alpaca"), ("x.jsonl.gz", "x"), ("org/set", "set"), (".json", "dataset")]
)
def test_default_name(path, name):
    assert default_name(path) == name
