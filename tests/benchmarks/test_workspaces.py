"""The workspaces that `benchmarks/browser.py` opens, made small."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from curation import jobs
from curation.core.artifacts import Features, Labels, Layout, Score, Selection
from curation.recipe import Recipe
from curation.workspace import Workspace

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def workspaces():
    sys.path.append(str(BENCHMARKS))  # last, for one of the scripts is called like a module of the standard library
    try:
        import _workspaces

        yield _workspaces
    finally:
        sys.path.remove(str(BENCHMARKS))


def quiet(text: str) -> None:
    pass


@pytest.fixture(scope="module")
def synthetic(workspaces, tmp_path_factory):
    return workspaces.million(tmp_path_factory.mktemp("synthetic") / "ws", rows=3000, say=quiet)


def only(workspace, dataset, kind, use):
    (found,) = [r for r in workspace.results(dataset) if r.kind == kind and r.use == use]
    return workspace.load(found.key)


def test_the_synthetic_workspace_holds_what_the_pages_show(synthetic, workspaces):
    workspace = Workspace.open(synthetic.root)
    dataset = workspace.dataset(synthetic.name)
    assert (len(dataset), dataset.fingerprint) == (3000, synthetic.dataset)
    layout = only(workspace, synthetic.dataset, "layout", "layout")
    assert isinstance(layout, Layout)
    assert (layout.xy.shape, layout.xy.dtype, layout.preview) == ((3000, 2), np.float32, False)
    features = only(workspace, synthetic.dataset, "features", "encoder/tfidf")
    assert isinstance(features, Features)
    assert (features.values.shape, features.values.dtype) == ((3000, 64), np.float16)
    assert np.allclose(np.linalg.norm(features.values.astype(float), axis=1), 1, atol=1e-2)
    clusters = only(workspace, synthetic.dataset, "labels", "labeller/clusters")
    assert isinstance(clusters, Labels)
    sizes = np.bincount(clusters.codes[clusters.codes >= 0])
    assert len(clusters.names) == workspaces.CLUSTERS
    assert (clusters.codes == -1).any()
    assert sizes[0] > 2 * sizes[-1]


def test_its_numbers_are_those_of_its_records(synthetic, workspaces, tmp_path):
    """Stored as the column scorer would have made them: run by the engine on the same rows, it makes the same."""
    workspace = Workspace.open(synthetic.root)
    dataset = workspace.dataset(synthetic.name)
    other = Workspace.open(tmp_path / "again")
    rows = workspaces._rows_of(dataset, np.arange(len(dataset)))
    again = other.add_rows(rows, "again").dataset
    assert again.fingerprint == dataset.fingerprint
    stored = {
        r.key: r
        for r in workspace.results(
            synthetic.dataset,
        )
        if r.kind == "score"
    }
    assert len(stored) == len(workspaces.SCORES)
    for field, step in workspaces.score_steps().items():
        recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": {field: step}, "result": f"${field}"})
        _, outcome = jobs.run_here(other, recipe, {"pool": again.fingerprint}, device="cpu")
        made = outcome.artifact(field)
        assert outcome.steps[-1].key in stored, "the key that the app would look for"
        found = workspace.load(outcome.steps[-1].key)
        assert isinstance(found, Score)
        assert (found.name, found.higher_is_better) == (made.name, made.higher_is_better)
        assert np.array_equal(found.values, made.values, equal_nan=True)
        assert np.isnan(found.values).any() == (field == "toxicity")
        assert (np.nanstd(found.values) == 0) == (field == "reviewed")


def test_its_orders_are_the_engines(synthetic):
    workspace = Workspace.open(synthetic.root)
    best = only(workspace, synthetic.dataset, "selection", "selector/top-k")
    assert isinstance(best, Selection)
    quality = next(
        workspace.load(r.key).values
        for r in workspace.results(synthetic.dataset)
        if r.kind == "score" and r.manifest["parameters"]["field"] == "quality"
    )
    assert len(best) == 300
    assert quality[best.order].min() >= np.sort(quality)[-300]
    assert len(only(workspace, synthetic.dataset, "selection", "selector/random")) == 300


def test_its_texts_are_hostile(synthetic, workspaces):
    dataset = Workspace.open(synthetic.root).dataset(synthetic.name)
    texts = dataset.texts("prompt")
    assert all(any(h in text for h in workspaces.HOSTILE) for text in texts)
    assert len(set(dataset.sources)) == 3


def test_the_same_rows_every_time(synthetic, workspaces, tmp_path):
    again = workspaces.million(tmp_path / "ws", rows=3000, say=quiet)
    assert again.dataset == synthetic.dataset


def test_a_finished_workspace_is_found_and_an_unfinished_one_made_again(workspaces, tmp_path):
    root = tmp_path / "ws"
    made = workspaces.million(root, rows=500, say=quiet)
    before = (root / "workspace.json").stat().st_ino, (root / workspaces.MADE).stat().st_mtime_ns
    assert workspaces.million(root, rows=500, say=quiet) == made
    assert ((root / "workspace.json").stat().st_ino, (root / workspaces.MADE).stat().st_mtime_ns) == before
    assert workspaces.million(root, rows=600, say=quiet).rows == 600
    (root / workspaces.MADE).rename(root / workspaces.MAKING)  # as a kill leaves it
    assert workspaces.million(root, rows=600, say=quiet).rows == 600
    assert not (root / workspaces.MAKING).exists()


def test_a_folder_with_other_things_is_left_alone(workspaces, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(SystemExit, match="something else"):
        workspaces.million(tmp_path, rows=500, say=quiet)
    assert (tmp_path / "mine.txt").read_text() == "precious"


# ------------------------------------------------------------------ real rows


@pytest.fixture
def data(tmp_path, demo_file):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "alpaca_9k.json").write_text(json.dumps(json.loads(demo_file.read_text())[:150]))
    return folder


def test_real_rows_are_repeated_beside_the_rows_they_repeat(data, workspaces, tmp_path):
    made = workspaces.real_50k(tmp_path / "ws", data, rows=200, say=quiet)
    workspace = Workspace.open(made.root)
    dataset = workspace.dataset(made.name)
    assert len(dataset) == 200
    assert "50 of them repeated" in made.note
    of = workspaces._repeats(150, 200)
    texts = dataset.texts()
    assert [texts[i] for i in range(150, 200)] == [texts[of[i]] for i in range(150, 200)]
    xy = only(workspace, made.dataset, "layout", "layout").xy
    width = np.ptp(xy, axis=0).max()
    moved = np.linalg.norm(xy[150:] - xy[of[150:]], axis=1)
    assert 0 < moved.min() < moved.max() < 0.05 * width
    vectors = only(workspace, made.dataset, "features", "encoder/tfidf").values
    cosine = (vectors[150:] * vectors[of[150:]]).sum(1)
    assert 0.99 < cosine.min() <= cosine.max() < 1
    kinds = {(r.kind, r.use) for r in workspace.results(made.dataset)}
    assert sum(kind == "score" for kind, _ in kinds) >= 6
    assert {("selection", "selector/k-center"), ("labels", "labeller/clusters")} <= kinds
    assert ("labels", "labeller/near-duplicates") in kinds


def test_fewer_rows_than_there_are_repeat_none(data, workspaces, tmp_path):
    made = workspaces.real_50k(tmp_path / "ws", data, rows=120, say=quiet)
    assert (made.rows, "repeated" in made.note) == (120, False)


def test_without_data_it_says_which_files_are_wanted(workspaces, tmp_path):
    with pytest.raises(SystemExit, match=r"alpaca_9k\.json"):
        workspaces.real_50k(tmp_path / "ws", tmp_path / "nothing", say=quiet)
