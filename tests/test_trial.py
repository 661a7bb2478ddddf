"""The trial itself: what enters the arms, what is measured, and that a kill loses one training."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Features, Labels, Missing, Model, Selection
from curation.core.dataset import Row, from_pairs, in_memory
from curation.core.errors import CurationError, JobCancelled
from curation.core.method import Size, find
from curation.core.runtime import Runtime
from curation.trial import TrialAgainstRandom, arm_table

CHEAP = {"steps": 40, "seeds": 2, "random_seeds": 4, "length_matched": 0, "full": False, "evaluation_rows": 120}
TINY = {"steps": 2, "seeds": 1, "random_seeds": 3, "length_matched": 2, "batch_rows": 4, "max_tokens": 48}


WORDS = ["a", "river", "runs", "over", "green", "stone", "and", "the", "lamp", "is", "seven"]


def selected(pool, rows):
    return Selection(pool.fingerprint, len(pool), np.asarray(rows, np.int64))


@pytest.fixture(scope="module")
def blobs():
    """600 rows in four classes; half of the labels of rows 120 to 359 are wrong, rows 0 to 119 are trusted."""
    rng = np.random.default_rng(0)
    codes = rng.integers(4, size=600)
    points = (2.2 * rng.normal(size=(4, 8))[codes] + rng.normal(size=(600, 8))).astype(np.float32)
    told = codes.copy()
    wrong = np.arange(120, 360)[rng.permutation(240)[:200]]
    told[wrong] = (told[wrong] + 1) % 4
    pool = from_pairs([(f"row {i}", "word " * (1 + i % 17)) for i in range(600)])
    none = Missing.none(600)
    features = Features(pool.fingerprint, points, none)
    labels = Labels(pool.fingerprint, told.astype(np.int32), ("a", "b", "c", "d"), none)
    rest = np.setdiff1d(np.arange(120, 600), wrong)
    good, bad = selected(pool, rng.permutation(rest)[:150]), selected(pool, rng.permutation(wrong)[:150])
    return {"pool": pool, "features": features, "labels": labels, "good": good, "bad": bad}


def ported(blobs):
    return {"features": blobs["features"], "labels": blobs["labels"]}


def test_a_good_selection_beats_random_and_a_bad_one_is_worse(blobs):
    pool = blobs["pool"]
    report = TrialAgainstRandom(**CHEAP).run(
        pool,
        Runtime(),
        selections={"good": blobs["good"], "bad": blobs["bad"]},
        evaluation=selected(pool, np.arange(120)),
        **ported(blobs),
    )
    assert (report.measure, report.trusted, report.values.shape) == ("accuracy", True, (1 + 4 + 4, 120))
    assert [v["verdict"] for v in report.verdicts] == ["beats random", "worse than random"]
    table = {a["arm"]: a for a in arm_table(report.arms, report.values)}
    assert table["good"]["mean"] > table["random"]["mean"] > table["bad"]["mean"]
    assert table["untrained"]["mean"] == pytest.approx(0.25)
    assert report.info["steps"] == 40


def test_the_same_again_gives_the_same_and_another_seed_does_not(blobs):
    def run(seed):
        method = TrialAgainstRandom(**CHEAP, seed=seed)
        return method.run(blobs["pool"], Runtime(), selections={"good": blobs["good"]}, **ported(blobs))

    one, two, other = run(0), run(0), run(1)
    np.testing.assert_array_equal(one.values, two.values)
    assert (one.arms, one.verdicts) == (two.arms, two.verdicts)
    assert one.values.shape != other.values.shape or not np.array_equal(one.values, other.values)


def test_without_trusted_rows_a_share_is_held_out_and_nothing_is_beaten(blobs):
    report = TrialAgainstRandom(**CHEAP, held_out_share=0.2).run(
        blobs["pool"], Runtime(), selections={"good": blobs["good"]}, **ported(blobs)
    )
    assert not report.trusted
    assert report.info["taken_away"]["evaluation rows"] == pytest.approx(120, abs=40)
    assert report.values.shape[1] <= 120
    assert all("resembles the pool" in v["verdict"] for v in report.verdicts)


def test_evaluation_rows_copies_near_duplicates_and_rows_without_a_label_are_in_no_arm(monkeypatch):
    rng = np.random.default_rng(1)
    texts = [(f"question {i}", f"answer {i}") for i in range(80)]
    texts[50], texts[51] = texts[3], texts[4]  # copies of evaluation rows
    pool = from_pairs(texts)
    groups = np.full(80, -1, np.int32)
    groups[[5, 52]], groups[[60, 61]] = 0, 1  # row 52 is near evaluation row 5; 60 and 61 are near each other
    codes = rng.integers(3, size=80).astype(np.int32)
    codes[55] = -1
    values = rng.normal(size=(80, 4)).astype(np.float32)
    values[56] = np.nan
    seen = []

    from curation.trial import _training

    original = _training.HeadLearner.run
    monkeypatch.setattr(
        _training.HeadLearner, "run", lambda self, rows, *a: (seen.append(rows), original(self, rows, *a))[1]
    )
    report = TrialAgainstRandom(**{**CHEAP, "full": True, "length_matched": 2, "steps": 3}).run(
        pool,
        Runtime(),
        selections={"mine": selected(pool, [70, 52, 5, 51, 55, 56, 60, 61, 75])},
        features=Features(pool.fingerprint, values, Missing.where(np.isnan(values[:, 0]), "made so")),
        labels=Labels(pool.fingerprint, codes, ("a", "b", "c"), Missing.where(codes < 0, "made so")),
        evaluation=selected(pool, np.arange(20)),
        duplicates=Labels(pool.fingerprint, groups, ("g", "h"), Missing.none(80)),
    )
    away = {*range(20), 50, 51, 52, 55, 56}
    assert seen
    assert not away & set(np.concatenate(seen).tolist())
    assert {len(rows) for rows in seen} == {4, 80 - len(away)}
    assert report.info["removed"]["mine"] == {
        "evaluation row, or a copy of one": 3,
        "no label": 1,
        "no vector": 1,
    }
    assert report.info["taken_away"] == {
        "evaluation rows": 20,
        "copies of evaluation rows": 2,
        "near-duplicates of evaluation rows": 1,
    }
    assert report.values.shape[1] == 20
    assert not report.info["warnings"]
    overlap = [a["overlap"] for a in report.arms if a["kind"] == "length-matched"]
    assert len(overlap) == 2
    assert all(0 <= o <= 1 for o in overlap)


def test_weights_of_a_selection_are_said_to_be_unused(blobs):
    pool, rows = blobs["pool"], blobs["good"].order

    def warnings(weights):
        one = dataclasses.replace(blobs["good"], weights=np.asarray(weights, float))
        report = TrialAgainstRandom(**{**CHEAP, "steps": 2}).run(
            pool, Runtime(), selections={"good": one}, evaluation=selected(pool, np.arange(120)), **ported(blobs)
        )
        return [w for w in report.info["warnings"] if "weights" in w]

    assert warnings(np.arange(len(rows)) + 1.0) == ["the weights of good were not used: every row counts alike"]
    assert warnings(np.full(len(rows), 2.0)) == warnings([]) == []


def test_groups_come_from_sources_and_labels(blobs):
    rows = [
        Row(
            [{"role": "user", "content": f"{i}"}, {"role": "assistant", "content": "x"}], "{}", f"f{i % 2}.json", i, "a"
        )
        for i in range(600)
    ]
    pool = in_memory(rows)
    named = Labels(pool.fingerprint, (np.arange(600) % 3 - 1).astype(np.int32), ("p", "q"), Missing.none(600))
    moved = {
        name: dataclasses.replace(blobs[name], dataset=pool.fingerprint) for name in ("features", "labels", "good")
    }
    report = TrialAgainstRandom(**CHEAP).run(
        pool,
        Runtime(),
        selections={"good": moved["good"]},
        features=moved["features"],
        labels=moved["labels"],
        evaluation=selected(pool, np.arange(120)),
        groups={"cluster": named},
    )
    assert {v["group"] for v in report.verdicts if v["grouping"] == "source"} == {"f0.json", "f1.json"}
    assert {v["group"] for v in report.verdicts if v["grouping"] == "cluster"} == {"noise", "p", "q"}
    assert sum(v["rows"] for v in report.verdicts if v["grouping"] == "cluster") == 120


def test_what_cannot_be_tried_is_said(blobs):
    pool, good = blobs["pool"], blobs["good"]
    method = TrialAgainstRandom(**CHEAP)
    with pytest.raises(CurationError, match="needs a model"):
        method.run(pool, Runtime(), selections={"good": good})
    with pytest.raises(CurationError, match="1 to 6 selections, here are 7"):
        method.run(pool, Runtime(), selections={str(i): good for i in range(7)}, **ported(blobs))
    with pytest.raises(CurationError, match="no row is left to train on of the selection 'good'"):
        method.run(pool, Runtime(), selections={"good": good}, evaluation=good, **ported(blobs))
    with pytest.raises(CurationError, match="1 rows that can be measured"):
        method.run(pool, Runtime(), selections={"good": good}, evaluation=selected(pool, [3]), **ported(blobs))
    with pytest.raises(CurationError, match="no vectors and labels"):
        method.run(pool, Runtime(), selections={"good": good}, evaluation_file=pool, **ported(blobs))
    with pytest.raises(CurationError, match="one length-matched draw"):
        TrialAgainstRandom(length_matched=1).run(pool, Runtime(), selections={"good": good}, **ported(blobs))


def test_progress_counts_trainings_metrics_are_recorded_and_a_cancel_stops(blobs):
    ticks, metrics = [], []

    def progress(done, total, note=""):
        ticks.append((done, total, note))
        if note.startswith("training 3"):
            raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        TrialAgainstRandom(**CHEAP).run(
            blobs["pool"],
            Runtime(progress=progress, record=metrics.append),
            selections={"good": blobs["good"]},
            **ported(blobs),
        )
    assert {total for _, total, _ in ticks} == {7}
    assert [done for done, _, _ in ticks] == sorted(done for done, _, _ in ticks)
    assert "training 2 of 7: random" in {note for *_, note in ticks}
    assert [m["run"] for m in metrics if "evaluation_accuracy" in m] == [0, 1]


def test_finished_trainings_are_read_and_others_are_not(blobs, tmp_path, monkeypatch):
    from curation.trial import _training

    trained = []
    original = _training.HeadLearner.run
    monkeypatch.setattr(
        _training.HeadLearner,
        "run",
        lambda self, rows, seed, *a: (trained.append(seed), original(self, rows, seed, *a))[1],
    )

    def run(**changes):
        trained.clear()
        method = TrialAgainstRandom(**{**CHEAP, **changes})
        report = method.run(blobs["pool"], Runtime(keep=tmp_path), selections={"good": blobs["good"]}, **ported(blobs))
        return report, len(trained)

    first, count = run()
    assert count == 6
    again, count = run()
    assert count == 0
    np.testing.assert_array_equal(first.values, again.values)
    assert first.verdicts == again.verdicts
    (tmp_path / "run-003.json").unlink()  # as if killed before the file that says it is whole
    again, count = run()
    assert count == 1
    np.testing.assert_array_equal(first.values, again.values)
    assert run(steps=41)[1] == 6  # other settings are other trainings


# ---------------------------------------------------------------------- language models


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    words = np.array(WORDS)
    return from_pairs([(f"say {i}", " ".join(rng.choice(words, 2 + i % 6))) for i in range(60)])


def causal(pool, path, **more):
    return Model(pool.fingerprint, Missing.none(len(pool)), path=str(path), name="tiny", owned=False, **more)


def test_a_language_model_is_tuned_and_measured_by_loss(texts, tiny_causal):
    method = TrialAgainstRandom(**{**TINY, "learning_rate": 0.01})
    model = causal(texts, tiny_causal, weak=True, seen=texts.contents[[0, 1, 40]])
    report = method.run(
        texts,
        Runtime(),
        selections={"mine": selected(texts, np.arange(30, 50))},
        model=model,
        evaluation=selected(texts, np.arange(12)),
    )
    assert report.measure == "loss"
    assert report.values.shape == (1 + 3 + 1 + 2 + 1, 10)  # two of the trusted rows were seen in pre-training
    assert np.isfinite(report.values).all()
    assert report.info["removed"]["mine"] == {"the model was pre-trained on it": 1}
    assert report.info["eligible"] == 60 - 12 - 1
    assert any("no evidence about a real model" in w for w in report.info["warnings"])
    table = {a["kind"]: a for a in arm_table(report.arms, report.values)}
    assert table["selection"]["rows"] == table["random"]["rows"] == 19
    assert table["random"]["mean"] != table["untrained"]["mean"]
    assert table["untrained"]["tokens"] == 0 < table["random"]["tokens"]
    assert {a["steps"] for a in report.arms if a["kind"] != "untrained"} == {2}


def test_the_untrained_arm_is_the_models_own_loss(texts, tiny_causal):
    from curation.models.causal import load_causal, row_measures
    from curation.models.rendering import encode_rows

    evaluation = np.arange(8)
    report = TrialAgainstRandom(**TINY).run(
        texts,
        Runtime(),
        selections={"mine": selected(texts, np.arange(30, 40))},
        model=causal(texts, tiny_causal),
        evaluation=selected(texts, evaluation),
    )
    lm = load_causal(tiny_causal)
    rows = encode_rows(lm, texts.take(evaluation), max_tokens=48)
    np.testing.assert_allclose(report.values[0], row_measures(lm, rows, Runtime())["loss"], rtol=1e-5)


def test_a_trusted_file_is_measured_and_its_near_duplicates_leave_the_pool(texts, tiny_causal):
    mine = texts.texts("response")
    long = " ".join(f"word{i}" for i in range(30))
    pool = from_pairs([*((f"say {i}", mine[i]) for i in range(40)), ("tell me", f"{long} end")])
    trusted = from_pairs([("say 3", mine[3]), ("tell me", f"{long} stop"), ("what", "a lamp")], "trusted")
    report = TrialAgainstRandom(**TINY).run(
        pool,
        Runtime(),
        selections={"mine": selected(pool, [3, 40, *range(20, 30)])},
        model=causal(pool, tiny_causal),
        evaluation_file=trusted,
    )
    assert report.trusted
    assert report.values.shape[1] == 3
    assert report.info["removed"]["mine"] == {"evaluation row, or a copy of one": 2}
    assert report.info["evaluation"] == "3 of 3 rows of a trusted file"


def test_models_that_are_not_one_causal_model_are_refused(texts, tiny_causal):
    method, selections = TrialAgainstRandom(**TINY), {"mine": selected(texts, np.arange(30, 50))}
    with pytest.raises(CurationError, match="this is a classifier"):
        method.run(texts, Runtime(), selections=selections, model=causal(texts, tiny_causal, role="classifier"))
    with pytest.raises(CurationError, match="several models"):
        method.run(texts, Runtime(), selections=selections, model=causal(texts, tiny_causal, folds=2))


@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({"steps": 7}, 7),
        ({"passes": 2.0, "batch_rows": 4}, 10),
        ({"train_tokens": 400, "batch_rows": 4, "passes": 1000.0}, None),
    ],
)
def test_steps_follow_from_tokens_and_passes(texts, tiny_causal, fields, steps):
    from curation.trial._tasks import language_task

    method = TrialAgainstRandom(**{**TINY, "steps": None, **fields})
    given = {"named": selected(texts, np.arange(10)), "file": None, "duplicates": None}
    task = language_task(method, texts, causal(texts, tiny_causal), given, Runtime())
    found = task.learner(20).steps
    if steps is None:
        assert found == int(400 / (4 * task.info["tokens_per_row"])) > 1
    else:
        assert found == steps


def small_trial(folder, path, progress=None):
    """A trial of four trainings that keeps what it has in a folder."""
    rng = np.random.default_rng(0)
    pool = from_pairs([(f"say {i}", " ".join(rng.choice(WORDS, 2 + i % 6))) for i in range(60)])
    fields = {"steps": 3, "seeds": 1, "random_seeds": 3, "length_matched": 0, "full": False, "untrained": False}
    return TrialAgainstRandom(**fields, batch_rows=4, max_tokens=48).run(
        pool,
        Runtime(keep=Path(folder), **({} if progress is None else {"progress": progress})),
        selections={"mine": selected(pool, np.arange(30, 50))},
        model=causal(pool, path),
        evaluation=selected(pool, np.arange(10)),
    )


KILLED = """
import os, signal, sys
import torch
torch.set_num_threads(int(sys.argv[3]))
from tests.test_trial import small_trial

def progress(done, total, note=""):
    if note.startswith("training 3") and done > 2:
        os.kill(os.getpid(), signal.SIGKILL)

small_trial(sys.argv[1], sys.argv[2], progress)
"""


def test_a_trial_killed_in_a_training_goes_on_and_ends_the_same(tmp_path, tiny_causal):
    import torch

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    command = [sys.executable, "-c", KILLED, str(killed), str(tiny_causal), str(torch.get_num_threads())]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=240, cwd=Path(__file__).parents[1]
    )
    assert done.returncode == -9, done.stderr
    assert sorted(p.name for p in killed.glob("run-*.json")) == ["run-000.json", "run-001.json"]
    before = {p.name: p.stat().st_mtime_ns for p in killed.glob("run-*.npy")}
    resumed, expected = small_trial(killed, tiny_causal), small_trial(whole, tiny_causal)
    assert {name: (killed / name).stat().st_mtime_ns for name in before} == before  # not trained again
    np.testing.assert_array_equal(resumed.values, expected.values)
    assert (resumed.arms, resumed.verdicts) == (expected.arms, expected.verdicts)
    assert not list(killed.glob("training-*"))  # checkpoints go when a training is finished


# ---------------------------------------------------------------------- declarations


def test_its_name_and_its_costs():
    assert find("trial") is TrialAgainstRandom
    method = TrialAgainstRandom()
    assert method.runs(2) == 2 * (3 + 5) + 10 + 3
    text = Size(1000, 300_000, 0, 0, 1e6)
    assert method.work(Size(1000, 300_000, 0, 0, 2e6)) > 1.9 * method.work(text)
    assert method.shortened().work(text) < 0.1 * method.work(text)
    more = TrialAgainstRandom(random_seeds=50)
    assert more.work(text) > 2 * method.work(text)
    assert TrialAgainstRandom().work(Size(1000, 300_000, 64)) < TrialAgainstRandom().work(Size(1000, 300_000, 384))
