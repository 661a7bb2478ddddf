"""trainer/encoder: what it reads from rows, what it records, and that a killed one goes on; with a tiny random BERT."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from curation.core.artifacts import Dynamics, Labels, Missing, Model
from curation.core.dataset import Row, from_pairs, in_memory
from curation.core.errors import CurationError, DataError, JobCancelled
from curation.core.runtime import Runtime
from curation.models.encoder_tuning import load_tuned
from curation.trainers.encoder import Encoder

INTENTS = ("book", "play")
FAST = {"epochs": 3, "batch_rows": 4, "learning_rate": 3e-3}


def utterances(n=24, seed=0):
    """Rows as the slots form has them: the intent is the first word, the last word is a thing."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        intent = INTENTS[int(rng.integers(2))]
        middle = [str(w) for w in rng.choice(["the", "now", "for"], rng.integers(0, 3))]
        tokens = [intent, *middle, str(rng.choice(["song", "table"]))]
        tags = ["O"] * (len(tokens) - 1) + ["B-thing"]
        record = {"tokens": tokens, "tags": tags, "intent": intent, "line": i}
        made.append((tokens, record))
    return made


def pool_of(made):
    rows = []
    for i, (tokens, record) in enumerate(made):
        messages = [
            {"role": "user", "content": " ".join(tokens)},
            {"role": "assistant", "content": str(record.get("intent") or "")},
        ]
        rows.append(Row(messages, json.dumps(record), "planted.jsonl", i, "slots"))
    return in_memory(rows, "planted")


def labels_of(pool):
    return Labels.from_values(pool.fingerprint, pool.field("intent"), "no intent in the file")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Sums depend on how they are shared out, and earlier tests may have left another number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pool():
    return pool_of(utterances())


@pytest.fixture(scope="module")
def trained(pool, tiny_encoder):
    method = Encoder(model=str(tiny_encoder), slots="tags", words="tokens", runs=2, **FAST)
    return method.train(pool, Runtime(), labels=labels_of(pool))


def test_the_model_and_what_was_recorded(trained):
    assert isinstance(trained, Model)
    assert isinstance(trained, Dynamics)
    assert (trained.role, trained.weak, trained.folds) == ("encoder", False, 1)
    assert not trained.missing.mask.any()
    assert trained.epochs.tolist() == [1, 2, 3]
    names = {"loss", "p_true", "correct", "el2n", "margin", "entropy", "slots_correct", "score", "kept"}
    assert set(trained.measures) == names
    assert all(v.shape == (2, 3, 24) and v.dtype == np.float32 for v in trained.measures.values())
    kept = trained.measures["kept"]
    assert kept.sum(axis=2).tolist() == [[24, 12, 12], [24, 12, 12]]
    assert not np.array_equal(trained.measures["loss"][0], trained.measures["loss"][1])
    assert trained.info["examples processed"] == 24 + 2 * 12
    assert trained.info["examples without pruning"] == 72
    assert (trained.info["scoring passes"], trained.info["examples scored"]) == (3, 72)
    assert (trained.info["intents"], trained.info["tags"]) == (2, 2)
    returned = (kept[0][2] > kept[0][1]).sum()
    assert trained.info["rows that came back at each choice"] == [0, returned]
    assert trained.info["rows that came back"] == returned


def test_the_network_is_stored_with_it_and_predicts(trained, tmp_path):
    trained.save(tmp_path)
    back = Model.load(tmp_path)
    encoder = load_tuned(back.folder())
    assert (encoder.intents, encoder.tags) == (INTENTS, ("O", "B-thing"))
    found = encoder.predict([["play", "the", "song"], ["book"]])
    assert set(found.intents) <= set(INTENTS)
    assert [len(tags) for tags in found.tags] == [3, 1]
    np.testing.assert_array_equal(back.measures["score"], trained.measures["score"])


def test_the_first_run_is_the_one_without_more_runs(trained, pool, tiny_encoder):
    one = Encoder(model=str(tiny_encoder), slots="tags", words="tokens", **FAST)
    alone = one.train(pool, Runtime(), labels=labels_of(pool))
    for name in trained.measures:
        np.testing.assert_array_equal(alone.measures[name][0], trained.measures[name][0])
    assert (alone.folder() / "model.safetensors").read_bytes() == (trained.folder() / "model.safetensors").read_bytes()


def test_slots_alone_and_words_cut_at_blanks(pool, tiny_encoder):
    named = Encoder(model=str(tiny_encoder), slots="tags", words="tokens", **FAST).train(pool, Runtime())
    split = Encoder(model=str(tiny_encoder), slots="tags", **FAST).train(pool, Runtime())
    assert "slots_correct" not in named.measures
    for name in named.measures:
        np.testing.assert_array_equal(named.measures[name], split.measures[name])


def test_labels_alone_read_the_prompt_only(pool, tiny_encoder):
    method = Encoder(model=str(tiny_encoder), **FAST)
    model = method.train(pool, Runtime(), labels=labels_of(pool))
    assert "caution" not in model.info
    renamed = pool_of([(tokens, {**record, "intent": record["intent"].upper()}) for tokens, record in utterances()])
    again = method.train(renamed, Runtime(), labels=labels_of(renamed))
    np.testing.assert_array_equal(model.measures["loss"], again.measures["loss"])
    both = Encoder(model=str(tiny_encoder), text="both", **FAST).train(pool, Runtime(), labels=labels_of(pool))
    assert "reads the answer" in both.info["caution"]


def test_rows_that_cannot_be_learnt_from_are_missing_with_a_reason(tiny_encoder):
    made = utterances(12)
    broken = [
        {"tokens": ["play", "song"], "tags": ["O"], "intent": "play"},
        {"tokens": ["play"], "tags": None, "intent": "play"},
        {"tokens": ["play"], "tags": [["O"]], "intent": "play"},
        {"tokens": 7, "tags": ["O"], "intent": "play"},
        {"tokens": [], "tags": [], "intent": "play"},
        {"tokens": ["play", "song"], "tags": ["O", "B-thing"], "intent": None},
        {"tokens": ["play", "song"], "tags": "O B-thing", "intent": "play"},
    ]
    pool = pool_of([*made, *((["play", "song"], record) for record in broken)])
    method = Encoder(model=str(tiny_encoder), slots="tags", words="tokens", **FAST)
    model = method.train(pool, Runtime(), labels=labels_of(pool))
    reasons = [model.missing.reason(12 + i) for i in range(len(broken))]
    assert reasons == [
        "not as many tags as words",
        "no tags in the field",
        "neither a list of tags nor a text of them",
        "no words in the field",
        "no text",
        "no label: no intent in the file",
        None,
    ]
    assert np.isnan(model.measures["score"][:, :, 12:18]).all()
    assert np.isfinite(model.measures["score"][:, :, 18]).all()
    assert model.info["rows"] == 13
    # the broken rows change nothing for the others
    clean = pool_of([*made, (["play", "song"], broken[-1])])
    expected = method.train(clean, Runtime(), labels=labels_of(clean))
    np.testing.assert_array_equal(expected.measures["score"][0, :, :12], model.measures["score"][0, :, :12])


def test_tags_of_rows_without_an_intent_are_no_outputs(tiny_encoder):
    """Such a row is not learnt from, so a tag that it alone has must not change the others."""
    made = utterances(12)
    rare = (["play", "song"], {"tokens": ["play", "song"], "tags": ["O", "B-rare"], "intent": None})
    method = Encoder(model=str(tiny_encoder), slots="tags", words="tokens", **FAST)
    pool, clean = pool_of([*made, rare]), pool_of(made)
    model, expected = (method.train(p, Runtime(), labels=labels_of(p)) for p in (pool, clean))
    assert load_tuned(model.folder()).tags == ("O", "B-thing")
    assert model.info["tags"] == 2
    np.testing.assert_array_equal(model.measures["score"][:, :, :12], expected.measures["score"])


def test_rows_of_which_no_word_is_read_are_missing(tiny_encoder):
    rows = [*utterances(8), (["\u200b"], {"tokens": ["\u200b"], "tags": ["O"], "intent": "play"})]
    pool = pool_of(rows)
    model = Encoder(model=str(tiny_encoder), slots="tags", words="tokens", **FAST).train(pool, Runtime())
    assert model.missing.reason(8) == "no tagged word is read"


def test_what_cannot_work_is_refused_with_a_hint(pool, tiny_encoder):
    conversations = from_pairs([("Say hello", "Hello."), ("Say bye", "Bye.")])
    method = Encoder(model=str(tiny_encoder), **FAST)
    with pytest.raises(CurationError, match="neither") as error:
        method.train(conversations, Runtime())
    assert "trainer/causal" in error.value.hint
    fingerprint = conversations.fingerprint
    nothing = Labels(fingerprint, np.array([-1, -1], np.int32), (), Missing.where(np.ones(2, bool), "no value"))
    with pytest.raises(DataError, match="no label: no value: 2"):
        method.train(conversations, Runtime(), labels=nothing)
    alike = Labels.from_values(fingerprint, ["x", "x"])
    with pytest.raises(CurationError, match="same intent, 'x'"):
        method.train(conversations, Runtime(), labels=alike)
    with pytest.raises(DataError, match="no record has the field 'tag'"):
        Encoder(model=str(tiny_encoder), slots="tag", **FAST).train(pool, Runtime())
    with pytest.raises(ValidationError, match="more than all rows"):
        Encoder(keep_fraction=0.9, offset=0.2)


def test_rows_with_a_wrong_intent_come_out_on_top(tiny_encoder):
    made = utterances(80, seed=1)
    wrong = list(range(0, 80, 10))
    for i in wrong:
        tokens, record = made[i]
        made[i] = (tokens, {**record, "intent": INTENTS[record["intent"] == "book"]})
    pool = pool_of(made)
    method = Encoder(model=str(tiny_encoder), epochs=4, batch_rows=8, learning_rate=3e-3, keep_fraction=1.0)
    score = method.train(pool, Runtime(), labels=labels_of(pool)).measures["score"][0, -1]
    top = np.argsort(-score, kind="stable")[:16]
    assert np.isin(wrong, top).mean() >= 0.8


def test_keeping_all_rows_is_the_same_whatever_the_cycles(pool, tiny_encoder):
    def loss(**more):
        method = Encoder(model=str(tiny_encoder), keep_fraction=1.0, **FAST, **more)
        return method.train(pool, Runtime(), labels=labels_of(pool)).measures["loss"]

    np.testing.assert_array_equal(loss(), loss(warm_epochs=0, cycle=2, smoothing="latest"))


@pytest.mark.parametrize("calls", [5, 16])
def test_an_interrupted_training_ends_the_same(pool, tiny_encoder, tmp_path, calls, trained):
    """In the first run, and in the second one; six steps and a scoring make an epoch on all rows."""
    method = Encoder(model=str(tiny_encoder), slots="tags", words="tokens", runs=2, **FAST)
    count = 0

    def progress(done, total, note=""):
        nonlocal count
        count += 1
        if count > calls:
            raise JobCancelled("stop")

    runtime = Runtime(keep=tmp_path, progress=progress)
    with pytest.raises(JobCancelled):
        method.train(pool, runtime, labels=labels_of(pool))
    told = []
    runtime = dataclasses.replace(runtime, progress=lambda done, total, note="": told.append((done / total, note)))
    model = method.train(pool, runtime, labels=labels_of(pool))
    assert list(model.measures) == list(trained.measures)
    for name in trained.measures:
        np.testing.assert_array_equal(model.measures[name], trained.measures[name])
    assert (model.folder() / "model.safetensors").read_bytes() == (trained.folder() / "model.safetensors").read_bytes()
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1, abs=0.05)
    assert told[-1][1] == "run 2 of 2, epoch 3 of 3"
    assert not list(tmp_path.glob("run-*/checkpoint-*"))


def stored(model, folder):
    """What lies on disk of a model: name → bytes."""
    folder.mkdir()
    model.save(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(pool, tiny_encoder, tmp_path_factory):
    """The files of a training that was never stopped."""
    method = Encoder(model=str(tiny_encoder), slots="tags", words="tokens", runs=2, **FAST)
    keep = tmp_path_factory.mktemp("keep")
    return stored(method.train(pool, Runtime(keep=keep), labels=labels_of(pool)), keep / "stored")


KILLED = """
import os, runpy, signal, sys
from pathlib import Path
import torch

here = runpy.run_path(sys.argv[1])

def train(keep, until):
    torch.set_num_threads(1)  # after the fork
    calls = 0

    def progress(done, total, note=""):
        nonlocal calls
        calls += 1
        if calls > until:
            os.kill(os.getpid(), signal.SIGKILL)

    pool = here["pool_of"](here["utterances"]())
    method = here["Encoder"](model=sys.argv[2], slots="tags", words="tokens", runs=2, **here["FAST"])
    method.train(pool, here["Runtime"](keep=keep, progress=progress), labels=here["labels_of"](pool))

for until in map(int, sys.argv[4:]):  # one import of torch serves all
    keep = Path(sys.argv[3]) / str(until)
    keep.mkdir()
    child = os.fork()
    if not child:
        train(keep, until)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, until
"""
STEP, SCORING, SECOND_RUN = 8, 10, 18
"""A run tells of 6 steps and a scoring, then twice of 3 steps and a scoring: 15 times."""


@pytest.fixture(scope="module")
def killed(tiny_encoder, tmp_path_factory):
    """Folders of trainings that were killed in a step of the second epoch, in the scoring after it, and later."""
    folder = tmp_path_factory.mktemp("killed")
    where = map(str, (STEP, SCORING, SECOND_RUN))
    command = [sys.executable, "-c", KILLED, __file__, str(tiny_encoder), str(folder), *where]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("until", [STEP, SCORING, SECOND_RUN])
def test_killed_anywhere_it_stores_the_same_files(pool, tiny_encoder, tmp_path, whole, killed, until):
    keep = killed / str(until)
    later = until == SECOND_RUN
    assert (keep / "run-0" / "tuning.json").exists() == later
    assert bool(list(keep.glob("run-0/checkpoint-*"))) != later
    told = []
    runtime = Runtime(keep=keep, progress=lambda done, total, note="": told.append(note))
    method = Encoder(model=str(tiny_encoder), slots="tags", words="tokens", runs=2, **FAST)
    model = method.train(pool, runtime, labels=labels_of(pool))
    assert "run 1 of 2, epoch 1 of 3" not in told
    assert stored(model, tmp_path / "stored") == whole


def test_the_seconds_of_scoring_are_recorded(pool, tiny_encoder):
    records = []
    method = Encoder(model=str(tiny_encoder), **FAST)
    method.train(pool, Runtime(record=records.append), labels=labels_of(pool))
    ends = [r for r in records if "seconds_scoring" in r]
    assert [r["examples"] for r in ends] == [24, 36, 48]
    seconds = [r["seconds_scoring"] for r in ends]
    assert 0 < seconds[0] < seconds[1] < seconds[2]


def test_a_short_one_does_less():
    from curation.core.method import Size

    size = Size(1000, 100_000)
    full = Encoder(runs=3, epochs=10)
    assert full.shortened().work(size) < 0.1 * full.work(size)
    assert Encoder(keep_fraction=0.3).work(size) < Encoder(keep_fraction=1.0).work(size)


def test_the_revision_enters_the_recipe(tiny_encoder):
    method = Encoder(model=str(tiny_encoder)).resolve(Runtime())
    assert len(method.revision) == 16
    assert method.resolve(Runtime()) == method
