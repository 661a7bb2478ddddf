"""The classifier head as a step: what it records, whom it leaves out, going on after a stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Features, Labels, Missing, Model
from curation.core.dataset import from_pairs
from curation.core.errors import DataError, JobCancelled
from curation.core.method import Size
from curation.core.runtime import Runtime
from curation.models.heads import MEASURES, load_heads, predict
from curation.trainers.classifier import Classifier


@pytest.fixture(autouse=True)
def _files_of_models_go_with_the_test(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


class Given:
    """Labelled blobs in three classes."""

    def __init__(self, n=90, seed=0, spread=0.6, text="prompt"):
        rng = np.random.default_rng(seed)
        self.codes = np.arange(n) % 3
        points = rng.normal(size=(3, 5))[self.codes] * 2 + spread * rng.normal(size=(n, 5))
        self.pool = from_pairs([(f"question {i}", "") for i in range(n)])
        self.names = np.array(["zebra", "ant", "cow"])[self.codes]
        self.features = Features(
            self.pool.fingerprint, points.astype(np.float32), Missing.none(n), info={"encoder": "made", "text": text}
        )
        self.labels = Labels.from_values(self.pool.fingerprint, list(self.names))

    def train(self, runtime=None, **parameters):
        method = Classifier(**{"runs": 2, "epochs": 3, "learning_rate": 0.05, **parameters})
        return method.train(self.pool, runtime or Runtime(), features=self.features, labels=self.labels)


def test_all_rows_of_all_runs_are_measured_after_each_epoch():
    made = Given().train(epochs=8)
    assert isinstance(made, Model)
    assert made.role == "classifier"
    assert made.name == "linear head on 90 rows"
    assert set(made.measures) == set(MEASURES)
    assert all(values.shape == (2, 8, 90) and values.dtype == np.float32 for values in made.measures.values())
    assert made.epochs.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert not made.missing.mask.any()
    assert made.info["accuracy"] > 0.95
    assert made.info["features"]["encoder"] == "made"
    assert "caution" not in made.info


def test_the_model_predicts_new_rows():
    given, fresh = Given(), Given(n=30, seed=0)
    made = given.train(epochs=10)
    found = predict(made.folder(), fresh.features.values)
    assert load_heads(made.folder()).classes == ("ant", "cow", "zebra")
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    assert (np.array(["ant", "cow", "zebra"])[found.argmax(axis=1)] == fresh.names).mean() > 0.9


def test_the_stored_model_is_found_again(tmp_path):
    given = Given()
    made = given.train()
    (tmp_path / "result").mkdir()
    made.save(tmp_path / "result")
    loaded = Model.load(tmp_path / "result")
    np.testing.assert_array_equal(
        predict(loaded.folder(), given.features.values), predict(made.folder(), given.features.values)
    )


def test_rows_without_a_label_or_features_are_not_trained_on():
    given, part = Given(), Given()
    points, missing = np.array(given.features.values), np.zeros(90, bool)
    points[4], missing[4] = np.nan, True
    given.features = Features(given.pool.fingerprint, points, Missing.where(missing, "no text"), info={})
    values = [None if i == 10 else name for i, name in enumerate(given.names)]
    given.labels = Labels.from_values(given.pool.fingerprint, values, "empty")
    given.labels.codes[20] = -1  # noise of a clustering: present, but no class
    made = given.train()
    assert [made.missing.reason(row) for row in (4, 10, 20)] == ["no text", "no label: empty", "no label"]
    assert made.missing.mask.sum() == 3
    assert np.isnan(made.measures["el2n"][:, :, [4, 10, 20]]).all()
    # it is as if these rows were not there
    rows = np.setdiff1d(np.arange(90), [4, 10, 20])
    part.pool = part.pool.take(rows)
    part.features = part.features.take(rows, part.pool.fingerprint)
    part.labels = part.labels.take(rows, part.pool.fingerprint)
    np.testing.assert_array_equal(made.measures["margin"][:, :, rows], part.train().measures["margin"])


def test_only_classes_that_occur_are_outputs():
    given = Given()
    given.labels = Labels(
        given.pool.fingerprint, given.codes.astype(np.int32), ("x", "y", "z", "never"), Missing.none(90)
    )
    made = given.train()
    assert load_heads(made.folder()).classes == ("x", "y", "z")
    assert made.info["classes"] == 3


class Stopping:
    """Progress that stops a training at some share of it; counts the runs that began."""

    def __init__(self, at):
        self.at, self.notes = at, []

    def __call__(self, done, total, note=""):
        self.notes.append(note)
        if done / total > self.at:
            raise JobCancelled("stopped")


def test_a_stopped_training_goes_on_with_the_next_run_and_ends_the_same(tmp_path):
    given, keep = Given(), tmp_path / "keep"
    keep.mkdir()
    whole = given.train(runs=4)
    with pytest.raises(JobCancelled):
        given.train(Runtime(keep=keep, progress=Stopping(0.6)), runs=4)
    assert sorted(p.name for p in keep.iterdir()) == ["run-0.safetensors", "run-1.safetensors"]
    metrics = []
    made = given.train(Runtime(keep=keep, record=metrics.append), runs=4)
    assert {m["run"] for m in metrics} == {3.0, 4.0}, "finished runs are not trained again"
    for name in MEASURES:
        np.testing.assert_array_equal(made.measures[name], whole.measures[name])
    points = given.features.values
    np.testing.assert_array_equal(predict(made.folder(), points), predict(whole.folder(), points))


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from curation.core.artifacts import Features, Labels, Missing
from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.trainers.classifier import Classifier

points, n = np.load(sys.argv[1]), 90
pool = from_pairs([(f"question {i}", "") for i in range(n)])
labels = Labels.from_values(pool.fingerprint, [("zebra", "ant", "cow")[i % 3] for i in range(n)])

def progress(done, total, note=""):
    if done > 1.5:
        os.kill(os.getpid(), signal.SIGKILL)

features = Features(pool.fingerprint, points, Missing.none(n))
method = Classifier(runs=3, epochs=3, learning_rate=0.05)
method.train(pool, Runtime(keep=Path(sys.argv[2]), progress=progress), features=features, labels=labels)
"""


def test_a_killed_training_ends_the_same(tmp_path):
    given, keep = Given(), tmp_path / "keep"
    keep.mkdir()
    np.save(tmp_path / "points.npy", given.features.values)
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "points.npy"), str(keep)], capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert [p.name for p in keep.iterdir()] == ["run-0.safetensors"]
    written = (keep / "run-0.safetensors").read_bytes()
    made, whole = given.train(Runtime(keep=keep), runs=3), given.train(runs=3)
    assert (keep / "run-0.safetensors").read_bytes() == written
    for name in MEASURES:
        np.testing.assert_array_equal(made.measures[name], whole.measures[name])


def test_metrics_of_every_pass_are_recorded():
    metrics = []
    Given().train(Runtime(record=metrics.append))
    assert [m["epoch"] for m in metrics] == [1, 2, 3, 1, 2, 3]
    assert all({"step", "loss", "accuracy", "run"} <= set(m) for m in metrics)
    assert metrics[2]["loss"] < metrics[0]["loss"]


def test_runs_differ_and_another_seed_is_another_training():
    given = Given()
    made, other = given.train(), given.train(seed=1)
    assert not np.array_equal(made.measures["margin"][0], made.measures["margin"][1])
    assert not np.array_equal(made.measures["margin"], other.measures["margin"])
    more = given.train(runs=3)
    np.testing.assert_array_equal(more.measures["margin"][:2], made.measures["margin"])


def test_the_scale_of_the_features_does_not_matter_when_they_are_standardised():
    given, large = Given(), Given()
    large.features = Features(
        large.pool.fingerprint, given.features.values * np.float32(1024) + 512, Missing.none(90), info={}
    )
    np.testing.assert_allclose(given.train().measures["p_true"], large.train().measures["p_true"], rtol=1e-3, atol=1e-4)
    raw = large.train(standardise=False, learning_rate=1e-3)
    assert not np.allclose(raw.measures["p_true"], given.train().measures["p_true"], atol=1e-2)


def test_vectors_of_another_width_of_number_are_read_as_float32():
    given, wide = Given(), Given()
    wide.features = Features(wide.pool.fingerprint, given.features.values.astype(np.float64), Missing.none(90), info={})
    np.testing.assert_array_equal(wide.train().measures["margin"], given.train().measures["margin"])


def test_features_that_may_hold_the_label_are_named():
    assert "the head reads it" in Given(text="both").train().info["caution"]


def test_one_class_or_no_label_is_an_error():
    given = Given()
    given.labels = Labels.from_values(given.pool.fingerprint, ["same"] * 90)
    with pytest.raises(DataError, match="all 90 labelled rows are of one class, 'same'"):
        given.train()
    given.labels = Labels.from_values(given.pool.fingerprint, [None] * 90, "no value")
    with pytest.raises(DataError, match="no row has features and a label .no value."):
        given.train()


def test_a_hidden_layer_measures_all_parameters_on_request():
    given = Given()
    last, whole = (given.train(hidden=6, grand_scope=scope) for scope in ("last-layer", "all"))
    assert (whole.measures["grand"] >= last.measures["grand"]).all()
    assert whole.measures["grand"].mean() > 1.05 * last.measures["grand"].mean()
    np.testing.assert_array_equal(whole.measures["margin"], last.measures["margin"])
    assert Path(whole.path).is_dir()


def test_work_grows_as_time_does():
    """Per run, pass and row alike; steps count updates, whatever the rows."""
    size = Size(3200, 100_000, 384)
    short = Classifier().shortened()
    assert (short.runs, short.epochs) == (1, 1)
    assert Classifier(runs=5, epochs=10).work(size) == pytest.approx(50 * short.work(size))
    assert Classifier(steps=1000).work(size) == pytest.approx(Classifier(epochs=10).work(size))
    assert Classifier(hidden=512).work(size) > Classifier().work(size)
