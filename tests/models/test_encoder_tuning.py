"""Fine-tuning of an encoder with heads: data, scores, pruning, resume; on a tiny random BERT."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from curation.core.errors import JobCancelled, ModelError
from curation.core.runtime import Runtime
from curation.models.encoder_tuning import (
    TuneSettings,
    load_tuned,
    new_encoder,
    score_rows,
    tune_encoder,
)
from curation.models.pruning import IGNORED, PruningSettings, intent_scores, joint_scores

INTENTS, TAGS = ("book", "play"), ("O", "B-thing")
SHOWN = ("play the song now", "book a table for 2", "play songs", "booking the table, now")


def planted(n=24, seed=0):
    """Rows of words; the intent is the first word, the last word is a thing."""
    rng = np.random.default_rng(seed)
    words, intents, tags = [], [], []
    for _ in range(n):
        intent = int(rng.integers(2))
        middle = list(rng.choice(["the", "now", "for", "a", "rainy"], rng.integers(0, 5)))
        words.append([INTENTS[intent], *middle, str(rng.choice(["song", "table", "rains"]))])
        intents.append(intent)
        tags.append([0] * (len(middle) + 1) + [1])
    return words, intents, tags


def made(folder, heads="both", **more):
    return new_encoder(
        str(folder),
        intents=INTENTS if heads in ("both", "intent") else (),
        tags=TAGS if heads in ("both", "slots") else (),
        **more,
    )


def rows_of(encoder, n=24):
    words, intents, tags = planted(n)
    return encoder.encode(
        words if encoder.tags else [" ".join(w) for w in words],
        intents if encoder.intents else None,
        tags if encoder.tags else None,
    )


def weights(encoder):
    return {name: value.detach().clone() for name, value in encoder.net.named_parameters()}


def assert_same(one, two):
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


FAST = TuneSettings(epochs=4, batch_rows=4, learning_rate=3e-3)
HALF = PruningSettings(keep_fraction=0.5)

# ---------------------------------------------------------------------- rows


def test_each_word_is_read_at_its_first_sub_word(tiny_encoder):
    encoder = made(tiny_encoder, "slots")
    (row,) = encoder.encode([["songs", "", "for", "x9"]], tags=[[1, 0, 0, 1]])
    pieces = encoder.tokenizer.convert_ids_to_tokens(row.ids.tolist())
    assert pieces == ["[CLS]", "song", "##s", "for", "x", "##9", "[SEP]"]
    assert [pieces[i] for i in row.first] == ["song", "for", "x"]
    assert row.words.tolist() == [0, 2, 3]  # the empty word has no place
    assert row.tags.tolist() == [1, 0, 1]


def test_words_beyond_the_cut_are_not_scored(tiny_encoder):
    encoder = made(tiny_encoder, "slots", max_tokens=6)
    (row,) = encoder.encode([["play", "songs", "xyz", "now"]], tags=[[0, 1, 0, 0]])
    assert len(row.ids) == 6
    assert row.words.tolist() == [0, 1, 2]  # "xyz" has only its first piece there
    assert encoder.predict([["play", "songs", "xyz", "now"]]).tags[0][3] is None


def test_plain_text_and_the_limit_of_the_model(tiny_encoder):
    encoder = made(tiny_encoder, "intent", max_tokens=1000)
    assert encoder.max_tokens == 64
    (row,) = encoder.encode(["play " * 100], intents=[1])
    assert (len(row.ids), len(row.first), row.intent) == (64, 0, 1)


# ---------------------------------------------------------------------- scores


def scores_naive(encoder, rows, how):
    """One row at a time, without padding, from the logits of the module itself."""
    encoder.net.eval()
    chi = []
    for row in rows:
        with torch.no_grad():
            intent, slots = encoder.logits([row])
        scored = row.tags != IGNORED
        one = None if intent is None else intent_scores(intent.numpy(), np.array([row.intent]))
        many = None if slots is None else intent_scores(slots.numpy()[scored], row.tags[scored])[None]
        chi.append(float(joint_scores(one, many, how)[0]))
    return np.array(chi)


@pytest.mark.parametrize("heads", ["intent", "slots", "both"])
@pytest.mark.parametrize("how", ["norm", "sum", "mean"])
def test_scores_are_those_of_one_row_at_a_time(tiny_encoder, heads, how):
    encoder = made(tiny_encoder, heads)
    rows = rows_of(encoder)
    if encoder.tags:
        rows[3] = dataclasses.replace(rows[3], tags=np.where(np.arange(len(rows[3].tags)) == 0, IGNORED, rows[3].tags))
    found = score_rows(encoder, rows, how=how)
    np.testing.assert_allclose(found.chi, scores_naive(encoder, rows, how), atol=1e-5)
    np.testing.assert_array_equal(found.chi, found.measures["el2n"])
    back = score_rows(encoder, rows[::-1], how=how)
    np.testing.assert_allclose(back.chi[::-1], found.chi, atol=1e-5)


def test_the_other_measures(tiny_encoder):
    encoder = made(tiny_encoder)
    rows = rows_of(encoder, 5)
    found = score_rows(encoder, rows, how="ce", intent_share=0.25).measures
    for i, row in enumerate(rows):
        with torch.no_grad():
            intent, slots = encoder.logits([row])
        p = torch.softmax(intent[0].double(), 0)
        ce_intent = -float(torch.log(p[row.intent]))
        ce_slots = -torch.log_softmax(slots.double(), 1)[torch.arange(len(row.tags)), torch.from_numpy(row.tags)]
        assert found["p_true"][i] == pytest.approx(float(p[row.intent]), abs=1e-5)
        assert found["correct"][i] == float(p.argmax() == row.intent)
        assert found["slots_correct"][i] == pytest.approx(float((slots.argmax(1).numpy() == row.tags).mean()))
        assert found["loss"][i] == pytest.approx(0.25 * ce_intent + 0.75 * float(ce_slots.mean()), abs=1e-5)
        assert found["el2n"][i] == pytest.approx(0.25 * ce_intent + 0.75 * float(ce_slots.sum()), abs=1e-5)


def test_mc_dropout_is_explicit_and_averages(tiny_encoder):
    encoder = made(tiny_encoder, "intent")
    rows = rows_of(encoder)
    still = score_rows(encoder, rows).chi
    np.testing.assert_array_equal(still, score_rows(encoder, rows, seed=9).chi)
    assert not encoder.net.training
    one, again = (
        score_rows(encoder, rows, mc_dropout=1, seed=3).chi,
        score_rows(encoder, rows, mc_dropout=1, seed=3).chi,
    )
    np.testing.assert_array_equal(one, again)
    many = score_rows(encoder, rows, mc_dropout=40, seed=3).chi
    assert not np.array_equal(one, still)
    assert np.abs(many - still).max() < np.abs(one - still).max()


# ---------------------------------------------------------------------- training


@pytest.mark.parametrize("heads", ["intent", "slots", "both"])
def test_it_learns_what_is_planted(tiny_encoder, heads):
    encoder = made(tiny_encoder, heads)
    done = tune_encoder(encoder, rows_of(encoder, 32), TuneSettings(epochs=10, batch_rows=4, learning_rate=5e-3))
    assert done.loss[-1] < 0.3 * done.loss[0]
    words, intents, tags = planted(12, seed=1)
    found = encoder.predict(words if encoder.tags else [" ".join(w) for w in words])
    if encoder.intents:
        assert np.mean([INTENTS.index(i) == k for i, k in zip(found.intents, intents, strict=True)]) >= 0.9
    if encoder.tags:
        right = [
            TAGS.index(a) == b
            for mine, there in zip(found.tags, tags, strict=True)
            for a, b in zip(mine, there, strict=True)
        ]
        assert np.mean(right) >= 0.9


def test_one_step_is_that_of_a_plain_loop(tiny_encoder):
    encoder, other = made(tiny_encoder, dropout=0.0), made(tiny_encoder, dropout=0.0)
    for module in (*encoder.net.modules(), *other.net.modules()):
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    rows = rows_of(encoder, 6)
    tune_encoder(encoder, rows, TuneSettings(epochs=1, batch_rows=6, learning_rate=1e-3, intent_share=0.3))
    optimizer = torch.optim.AdamW(other.net.parameters(), lr=1e-3, weight_decay=0.0)
    terms = []
    for row in rows:
        intent, slots = other.logits([row])
        ce = torch.nn.functional.cross_entropy(slots, torch.from_numpy(row.tags), reduction="sum")
        own = torch.nn.functional.cross_entropy(intent, torch.tensor([row.intent]))
        terms.append(0.3 * own / 6 + 0.7 * ce / sum(len(r.tags) for r in rows))
    loss = torch.stack(terms).sum()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(other.net.parameters(), 1.0)
    optimizer.step()
    for name, value in weights(encoder).items():
        torch.testing.assert_close(value, dict(other.net.named_parameters())[name], atol=2e-6, rtol=1e-4)


def test_steps_have_dropout_and_scoring_has_none(tiny_encoder, monkeypatch):
    encoder = made(tiny_encoder)
    forward, seen = encoder.net.forward, []

    def watched(*inputs):
        inside = [module.training for module in encoder.net.modules() if isinstance(module, torch.nn.Dropout)]
        assert len(set(inside)) == 1
        seen.append(("step" if torch.is_grad_enabled() else "scoring", inside[0]))
        return forward(*inputs)

    monkeypatch.setattr(encoder.net, "forward", watched)
    tune_encoder(encoder, rows_of(encoder, 8), FAST.model_copy(update={"epochs": 2}), HALF)
    assert seen == [*[("step", True)] * 2, ("scoring", False), ("step", True), ("scoring", False)]
    assert not encoder.net.training


def test_keeping_all_rows_is_the_same_training_as_no_pruning(tiny_encoder):
    plain, all_kept, half = made(tiny_encoder), made(tiny_encoder), made(tiny_encoder)
    rows = rows_of(plain)
    tune_encoder(plain, rows, FAST)
    done = tune_encoder(all_kept, rows, FAST.model_copy(update={"measure": "cycle"}), PruningSettings(keep_fraction=1))
    assert_same(weights(plain), weights(all_kept))
    assert (done.passes, done.processed) == (1, 4 * 24)
    tune_encoder(half, rows, FAST, HALF)
    assert not torch.equal(weights(half)["intent.weight"], weights(plain)["intent.weight"])


def test_what_a_pruned_training_records(tiny_encoder):
    encoder = made(tiny_encoder)
    rows = rows_of(encoder, 25)
    records, told = [], []
    runtime = Runtime(record=records.append, progress=lambda done, total, note="": told.append((done, total, note)))
    pruning = PruningSettings(warm_epochs=1, cycle=2, keep_fraction=0.4)
    done = tune_encoder(encoder, rows, FAST.model_copy(update={"epochs": 5}), pruning, runtime)
    assert done.epochs == [1, 2, 3, 4, 5]
    assert {"loss", "p_true", "correct", "el2n", "margin", "entropy", "score", "kept"} < set(done.measures)
    assert all(v.shape == (5, 25) and v.dtype == np.float32 for v in done.measures.values())
    kept = done.measures["kept"]
    assert kept.sum(axis=1).tolist() == [25, 10, 10, 10, 10]
    assert (kept[1] == kept[2]).all()
    assert (kept[3] == kept[4]).all()
    assert done.processed == 25 + 4 * 10
    assert len(done.re_entered) == 2
    assert done.re_entered[1] == (kept[3] > kept[2]).sum()
    # rows are chosen by the smoothed scores, whose history has one entry a cycle
    chosen = np.argsort(-done.measures["score"][0], kind="stable")[:10]
    assert sorted(chosen) == np.flatnonzero(kept[1]).tolist()
    first, second = done.measures["el2n"][0].astype(float), done.measures["el2n"][2].astype(float)
    np.testing.assert_array_equal(done.measures["score"][0], done.measures["el2n"][0])
    np.testing.assert_array_equal(done.measures["score"][1], done.measures["score"][0])
    spread = np.sqrt(0.5 * (first - second) ** 2)  # of two values, whatever their weights
    np.testing.assert_allclose(done.measures["score"][2], 0.2 * first + 0.8 * second + spread, rtol=1e-5)
    np.testing.assert_array_equal(done.smoothed.astype(np.float32), done.measures["score"][-1])
    assert (done.passes, done.scored) == (5, 5 * 25)
    last = records[-1]
    assert (last["examples"], last["share_kept"], last["epoch"]) == (65, 0.4, 5)
    assert any("loss" in r for r in records)
    assert told[-1][0] == pytest.approx(told[-1][1], rel=0.1)
    assert [t[0] for t in told] == sorted(t[0] for t in told)
    assert told[-1][2] == "epoch 5 of 5"


def test_scoring_only_where_pruning_needs_it(tiny_encoder):
    encoder = made(tiny_encoder, "intent")
    settings = FAST.model_copy(update={"epochs": 6, "measure": "cycle"})
    done = tune_encoder(encoder, rows_of(encoder), settings, PruningSettings(warm_epochs=2, cycle=3, keep_fraction=0.5))
    assert done.epochs == [2, 5, 6]
    random = made(tiny_encoder, "intent")
    assert tune_encoder(random, rows_of(random), settings, PruningSettings(pick="random")).epochs == [6]


def test_the_global_random_state_is_left_alone(tiny_encoder):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    encoder = made(tiny_encoder, "intent")
    tune_encoder(encoder, rows_of(encoder, 8), FAST.model_copy(update={"epochs": 1, "mc_dropout": 1}))
    assert torch.equal(torch.rand(3), expected)


def test_fresh_layers_begin_anew_and_the_rest_does_not(tiny_encoder):
    plain, fresh, again = (weights(made(tiny_encoder, fresh_layers=k, seed=1)) for k in (0, 1, 1))
    assert_same(fresh, again)
    differ = {name for name in plain if not torch.equal(plain[name], fresh[name]) and name.startswith("backbone")}
    assert differ
    assert all(".layer.1." in name for name in differ)
    with pytest.raises(ModelError, match="no 9 layers"):
        made(tiny_encoder, fresh_layers=9)


def test_saved_and_read_back_it_says_the_same(tiny_encoder, tmp_path):
    encoder = made(tiny_encoder, pooling="first")
    tune_encoder(encoder, rows_of(encoder, 8), FAST.model_copy(update={"epochs": 1}))
    encoder.save(tmp_path / "model")
    back = load_tuned(tmp_path / "model")
    assert_same(weights(encoder), weights(back))
    assert (back.intents, back.tags, back.pooling) == (INTENTS, TAGS, "first")
    words = planted(5, seed=2)[0]
    assert back.predict(words) == encoder.predict(words)
    assert {p.suffix for p in (tmp_path / "model").iterdir()} == {".json", ".safetensors"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no tuned encoder"):
        load_tuned(tmp_path / "empty")


def without(folder, target, part):
    """A copy of a model's folder whose weights lack all names with `part`."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, target)
    kept = {name: value for name, value in load_file(target / "model.safetensors").items() if part not in name}
    save_file(kept, target / "model.safetensors", metadata={"format": "pt"})
    return target


def test_a_pooler_that_the_files_lack_is_drawn_by_the_seed(tiny_encoder, tmp_path):
    """Files of a masked language model have none, such as roberta-base; nothing reads it, but it is stored."""
    folder = without(tiny_encoder, tmp_path / "no-pooler", "pooler")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = made(folder)
    assert torch.equal(torch.rand(3), expected)
    assert_same(weights(one), weights(made(folder)))
    whole = weights(made(tiny_encoder))
    assert torch.equal(weights(one)["intent.weight"], whole["intent.weight"])


def test_weights_that_are_missing_are_not_made_up(tiny_encoder, tmp_path):
    from safetensors.torch import load_file, save_file

    with pytest.raises(ModelError, match=r"lack 16 weights, such as encoder\.layer\.1\."):
        made(without(tiny_encoder, tmp_path / "one-layer", ".layer.1."))
    made(tiny_encoder).save(tmp_path / "model")
    heads = load_file(tmp_path / "model" / "tuned.safetensors")
    save_file({name: heads[name] for name in heads if name != "slots.weight"}, tmp_path / "model" / "tuned.safetensors")
    with pytest.raises(ModelError, match=r"not those of its tuned\.json: slots\.weight"):
        load_tuned(tmp_path / "model")
    (tmp_path / "model" / "tuned.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match="heads in .* cannot be read"):
        load_tuned(tmp_path / "model")


def test_what_cannot_be_learnt_is_said(tiny_encoder):
    with pytest.raises(ModelError, match="neither an intent nor a tag"):
        new_encoder(str(tiny_encoder))
    with pytest.raises(ModelError, match="same intent, 'x'"):
        new_encoder(str(tiny_encoder), intents=["x"])
    encoder = made(tiny_encoder, "intent")
    with pytest.raises(ModelError, match="row 0 has no intent"):
        tune_encoder(encoder, encoder.encode(["play"]), FAST)
    with pytest.raises(ModelError, match="no rows"):
        tune_encoder(encoder, [], FAST)
    slots = made(tiny_encoder, "slots")
    with pytest.raises(ModelError, match="no tagged word"):
        tune_encoder(slots, slots.encode([["play"]]), FAST)
    with torch.no_grad():
        encoder.net.intent.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="nan in epoch 1, step 1"):
        tune_encoder(encoder, rows_of(encoder), FAST)


# ---------------------------------------------------------------------- interrupted


def interrupted_after(calls):
    count = 0

    def progress(done, total, note=""):
        nonlocal count
        count += 1
        if count > calls:
            raise JobCancelled("stop")

    return Runtime(progress=progress)


@pytest.mark.parametrize("calls", [2, 8, 13, 17])
def test_a_training_goes_on_to_the_same_end(tiny_encoder, tmp_path, calls):
    """Interrupted in the middle of an epoch, while scoring, and later."""
    whole, part = made(tiny_encoder), made(tiny_encoder)
    rows = rows_of(whole)
    expected = tune_encoder(whole, rows, FAST, HALF)
    with pytest.raises(JobCancelled):
        tune_encoder(part, rows, FAST, HALF, interrupted_after(calls), keep=tmp_path, every_seconds=0)
    again = made(tiny_encoder)
    found = tune_encoder(again, rows, FAST, HALF, keep=tmp_path, every_seconds=0)
    assert_same(weights(whole), weights(again))
    assert list(found.measures) == list(expected.measures)
    for name in expected.measures:
        np.testing.assert_array_equal(found.measures[name], expected.measures[name])
    assert (found.processed, found.re_entered, found.loss) == (expected.processed, expected.re_entered, expected.loss)


def test_a_checkpoint_of_another_training_is_not_taken_up(tiny_encoder, tmp_path):
    encoder = made(tiny_encoder, "intent")
    rows = rows_of(encoder)
    with pytest.raises(JobCancelled):
        tune_encoder(encoder, rows, FAST, HALF, interrupted_after(9), keep=tmp_path, every_seconds=0)
    other, fresh = made(tiny_encoder, "intent"), made(tiny_encoder, "intent")
    settings = FAST.model_copy(update={"seed": 1})
    tune_encoder(other, rows, settings, HALF, keep=tmp_path)
    tune_encoder(fresh, rows, settings, HALF)
    assert_same(weights(other), weights(fresh))


def test_a_step_that_does_not_fit_into_memory_says_what_to_change(tiny_encoder, monkeypatch):
    encoder = made(tiny_encoder, "intent")

    def forward(*inputs):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(encoder.net, "forward", forward)
    with pytest.raises(ModelError, match="4 rows does not fit") as error:
        tune_encoder(encoder, rows_of(encoder), FAST)
    assert "batch_rows" in error.value.hint


def test_it_stops_when_it_is_cancelled(tiny_encoder):
    encoder = made(tiny_encoder)
    with pytest.raises(JobCancelled):
        tune_encoder(encoder, rows_of(encoder), FAST, HALF, interrupted_after(3))


PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
from curation.core.runtime import Runtime
from curation.models.encoder_tuning import TuneSettings, new_encoder, tune_encoder
from curation.models.pruning import PruningSettings

folder, keep, slow = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
rng = np.random.default_rng(0)
texts = [("play " if i % 2 else "book ") + " ".join(rng.choice(["the", "now", "song"], 3)) for i in range(24)]
encoder = new_encoder(folder, intents=("book", "play"))
rows = encoder.encode(texts, [i % 2 for i in range(24)])

def progress(done, total, note=""):
    print(note, flush=True)
    time.sleep(slow)

done = tune_encoder(
    encoder, rows, TuneSettings(epochs=4, batch_rows=4, learning_rate=3e-3), PruningSettings(keep_fraction=0.5),
    Runtime(progress=progress), keep=keep, every_seconds=0,
)
encoder.save(keep / "model")
np.save(keep / "scores.npy", done.measures["score"])
"""


def test_killed_in_the_third_epoch_it_ends_the_same(tiny_encoder, tmp_path):
    def start(name, slow):
        (tmp_path / name).mkdir(exist_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", PROGRAM, str(tiny_encoder), str(tmp_path / name), str(slow)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    killed = start("killed", 0.1)
    for line in killed.stdout:
        if line.startswith("epoch 3"):
            break
    time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model").exists()
    assert list((tmp_path / "killed").glob("checkpoint-*"))
    resumed, whole = start("killed", 0), start("whole", 0)
    said, _ = resumed.communicate()
    whole.communicate()
    assert (resumed.returncode, whole.returncode) == (0, 0)
    assert "epoch 1" not in said
    for name in ("model/model.safetensors", "model/tuned.safetensors", "scores.npy"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
