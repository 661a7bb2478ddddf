"""The folder: publishing, names, row stores, prune; damaged files, strange names, many results."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Coverage, Missing, Score, Selection
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


@pytest.mark.parametrize("name", ["a/b", "../x", "dots.and spaces", "日本語", "x" * 300, "a\nb", "0" * 32])
def test_names_may_be_anything_and_never_reach_the_disk_as_paths(workspace, name):
    added = workspace.add_rows(rows(["a"]), name)
    shown = " ".join(name.split())
    assert workspace.dataset(shown).fingerprint == added.dataset.fingerprint
    assert [d.name for d in workspace.datasets()] == [shown]
    assert [f.name for f in (workspace.root / "datasets").iterdir()] == [added.dataset.fingerprint]


@pytest.mark.parametrize("name", ["", ".", "..", "/", "../datasets", "x" * 5000, "a\0b", "~nobody", "names.json"])
def test_strange_names_are_just_unknown(workspace, name):
    workspace.add_rows(rows(["a"]), "mine")
    with pytest.raises(CurationError, match="no dataset"):
        workspace.dataset(name)
    assert not workspace.has(name)
    with pytest.raises(CurationError, match="no result"):
        workspace.load(name)


def test_two_names_of_the_same_rows_are_both_kept_as_given(workspace):
    workspace.add_rows(rows(["a"]), "one")
    assert workspace.add_rows(rows(["a"]), "two").dataset.name == "two"
    assert workspace.add_rows(rows(["a"]), "one").dataset.name == "one"


def test_stray_and_damaged_files_do_not_break_the_lists(workspace):
    workspace.add_rows(rows(["a"]), "mine")
    workspace.publish("1" * 32, score([1.0]), {"use": "scorer/x"})
    for area in ("datasets", "results", "orders", "rows", "jobs"):
        (workspace.root / area / ".DS_Store").write_text("x")
        (workspace.root / area / "empty").mkdir()
    (workspace.root / "results" / ("2" * 32)).mkdir()
    (workspace.root / "results" / ("2" * 32) / "manifest.json").write_text('{"kind": "sco')
    (workspace.root / "jobs" / "j").mkdir()
    (workspace.root / "jobs" / "j" / "status.json").write_text("")
    assert [d.name for d in workspace.datasets()] == ["mine"]
    assert [r.key for r in workspace.results()] == ["1" * 32]
    assert workspace.usage()["results"] > 0
    workspace.prune()
    assert [d.name for d in workspace.datasets()] == ["mine"]


def test_a_damaged_result_is_replaced(workspace):
    folder = workspace.root / "results" / ("k" * 32)
    folder.mkdir()
    (folder / "values.npy").write_bytes(b"half")
    assert not workspace.has("k" * 32)
    workspace.publish("k" * 32, score([4.0]), {})
    assert workspace.load("k" * 32).values[0] == 4.0


def test_everything_written_is_valid_json_and_floats_come_back(workspace):
    made = Coverage("d", {"radius": float("nan"), "top": float("inf")}, np.array([1]), info={"low": -float("inf")})
    workspace.publish("c" * 32, made, {"seconds": float("nan"), "parameters": {"x": np.float32("inf"), "s": "\ud800"}})

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    for file in (workspace.root / "results" / ("c" * 32)).glob("*.json"):
        json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)
    back = workspace.load("c" * 32)
    assert np.isnan(back.table["radius"])
    assert (back.table["top"], back.info["low"]) == (float("inf"), -float("inf"))


def test_timings_survive_a_cut_line_and_garbage(workspace):
    workspace.record_timing({"use": "a", "seconds": float("nan")})
    with (workspace.root / "timings.jsonl").open("ab") as file:
        file.write(b'{"use": "b", "seco')
    workspace.record_timing({"use": "c"})
    with (workspace.root / "timings.jsonl").open("ab") as file:
        file.write(b"\0\0\0\n[1]\n7\n\xff\xfe\n")
    workspace.record_timing({"use": "d"})
    assert [t["use"] for t in workspace.timings()] == ["a", "c", "d"]


def status(workspace: Workspace, name: str, **facts: object) -> None:
    folder = workspace.root / "jobs" / name
    folder.mkdir(exist_ok=True)
    (folder / "status.json").write_text(json.dumps({"id": name, "title": name, "steps": [], **facts}))


def me() -> dict[str, float]:
    import psutil

    return {"pid": os.getpid(), "pid_created": psutil.Process().create_time()}


def test_prune_while_a_job_runs_touches_nothing_that_it_may_need(workspace):
    workspace.publish("1" * 32, score([1.0]), {})
    workspace.row_store("r" * 32).append(np.array([b"x" * 16]), score([1.0]))
    status(workspace, "running", state="running", **me())
    workspace.prune()
    assert workspace.has("1" * 32)
    assert (workspace.root / "rows" / ("r" * 32)).exists()
    status(workspace, "running", state="running", pid=os.getpid(), pid_created=1.0)  # another process had this number
    workspace.prune()
    assert not workspace.has("1" * 32)
    assert not (workspace.root / "rows" / ("r" * 32)).exists()


def test_prune_keeps_what_a_killed_job_would_need_again(workspace):
    workspace.row_store("r" * 32).append(np.array([b"x" * 16]), score([1.0]))
    workspace.row_store("s" * 32).append(np.array([b"x" * 16]), score([1.0]))
    status(workspace, "lost", state="running", pid=2**22 + 1, pid_created=1.0, keys=["r" * 32])
    workspace.prune()
    assert [f.name for f in (workspace.root / "rows").iterdir()] == ["r" * 32]


def test_prune_clears_scratch_of_dead_processes_only(workspace):
    import psutil

    tmp = workspace.root / "tmp"
    mine, dead, reused = tmp / f"{os.getpid()}-a", tmp / "999999999-b", tmp / f"{os.getpid()}-c"
    for folder in (mine, dead, reused):
        folder.mkdir()
    before = psutil.Process().create_time() - 3600
    os.utime(reused, (before, before))  # made an hour before this process began
    workspace.prune()
    assert mine.exists()
    assert not dead.exists()
    assert not reused.exists()


def test_a_dataset_in_use_is_not_removed(workspace):
    fingerprint = workspace.add_rows(rows(["a"]), "mine").dataset.fingerprint
    status(workspace, "busy", state="running", datasets=[fingerprint], **me())
    with pytest.raises(CurationError, match="the job busy works on 'mine'"):
        workspace.remove_dataset("mine")
    status(workspace, "busy", state="done", datasets=[fingerprint], **me())
    workspace.remove_dataset("mine")
    assert workspace.datasets() == []


def test_a_thousand_results_are_listed_at_once(workspace):
    workspace.publish("0" * 32, score([1.0]), {"recipe": "x" * 2000})
    text = (workspace.root / "results" / ("0" * 32) / "manifest.json").read_text()
    for i in range(1, 1000):
        folder = workspace.root / "results" / f"{i:032d}"
        folder.mkdir()
        (folder / "manifest.json").write_text(text)
    assert len(workspace.results()) == 1000
    start = time.process_time()
    assert len(workspace.results("d")) == 1000
    assert time.process_time() - start < 0.1  # manifests are read once


def test_a_half_made_workspace_is_finished(tmp_path):
    ws = Workspace.open(tmp_path / "with spaces")
    (ws.root / "workspace.json").unlink()
    (ws.root / "tmp").rmdir()
    assert Workspace.open(ws.root).datasets() == []
    (ws.root / "workspace.json").write_text("")
    with pytest.raises(CurationError, match="damaged"):
        Workspace.open(ws.root)


def test_parts_of_parts_read_the_right_rows(workspace):
    whole = workspace.add_rows(rows([f"t{i}" for i in range(9000)]), "d").dataset
    picked = np.array([8999, 5, 4096, 4095, 5])
    part = whole.take(picked).take(np.array([4, 0, 2]))
    assert part.texts("prompt") == ["t5", "t8999", "t4096"]
    assert [m["content"] for m in part.messages(1)] == ["t8999", "a"]
    assert [r["q"] for r in part.records()] == ["t5", "t8999", "t4096"]
    assert part.row_ids() == [whole.row_id(5), whole.row_id(8999), whole.row_id(4096)]
    assert part.lengths().tolist() == [3, 6, 6]
    assert part.table.num_rows == 3
    with pytest.raises(IndexError):
        whole.take(np.array([9000]))


def test_row_store_with_columns_that_come_and_go(workspace):
    store = workspace.row_store("r" * 32)
    ids = np.array([b"a" * 16, b"b" * 16])
    plain = Score("d", np.array([1.0]), Missing.none(1), "x")
    store.append(ids[:1], plain)
    store.append(ids[1:], score([2.0]))
    made = store.gather(ids, "e")
    assert made.dataset == "e"
    assert made.columns["twice"].tolist()[1] == 4.0
    assert np.isnan(made.columns["twice"][0])
