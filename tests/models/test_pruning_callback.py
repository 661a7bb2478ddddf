"""PruningCallback inside a transformers.Trainer, on a tiny random BERT."""

from __future__ import annotations

import inspect
import textwrap

import numpy as np
import pytest
import torch

from curation.core.errors import ModelError
from curation.models.pruning import PruningCallback, PruningSettings, intent_scores

N, EPOCHS, BATCH = 22, 3, 4


def bert(kind="sequence", **more):
    from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, **more
    )
    return (BertForSequenceClassification if kind == "sequence" else BertForTokenClassification)(config)


def rows_of(kind="sequence"):
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(N):
        ids = torch.tensor(rng.integers(1, 40, 5))
        label = int(ids[0] > 20) if kind == "sequence" else torch.tensor([-100, *(int(i > 20) for i in ids[1:])])
        rows.append({"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": label})
    return rows


def trained(tmp_path, callbacks=(), model=None, rows=None, resume=None, **more):
    from transformers import Trainer, TrainingArguments

    settings = {"num_train_epochs": EPOCHS, "save_strategy": "no", **more}
    args = TrainingArguments(
        str(tmp_path), per_device_train_batch_size=BATCH, learning_rate=1e-3, lr_scheduler_type="constant",
        report_to=[], disable_tqdm=True, use_cpu=True, seed=7, **settings,
    )  # fmt: skip
    trainer = Trainer(model=model or bert(), args=args, train_dataset=rows or rows_of(), callbacks=list(callbacks))
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def weights(trainer):
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def assert_same(one, two):
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_keeping_all_rows_is_the_same_training_as_without_it(tmp_path):
    plain = weights(trained(tmp_path))
    everything = PruningCallback(PruningSettings(keep_fraction=1.0))
    assert_same(plain, weights(trained(tmp_path, [everything])))
    assert everything.scores == []
    assert everything.pruning.processed == EPOCHS * N
    half = PruningCallback(PruningSettings(keep_fraction=0.5))
    pruned = weights(trained(tmp_path, [half]))
    assert any(not torch.equal(plain[name], pruned[name]) for name in plain)


def test_scoring_touches_no_random_state(tmp_path):
    """Random picks need no scoring; a scoring that gives the same picks leaves the same training, dropout included."""
    settings = {"keep_fraction": 0.5, "smoothing": "latest"}
    cycle = iter(range(EPOCHS))

    def score(model, batch):
        assert not model.training
        model(**batch)
        return np.random.default_rng([0, next(cycle)]).random(N)

    scoring = PruningCallback(PruningSettings(**settings), score=score, batch_rows=N)
    random = PruningCallback(PruningSettings(**settings, pick="random"))
    assert_same(weights(trained(tmp_path, [scoring])), weights(trained(tmp_path, [random])))
    assert (len(scoring.scores), len(random.scores)) == (EPOCHS - 1, 0)


def test_the_trainer_sees_the_kept_rows_only(tmp_path):
    seen = []

    class Watching(list):
        def __getitem__(self, i):
            seen.append(i)
            return super().__getitem__(i)

    callback = PruningCallback(
        PruningSettings(keep_fraction=0.5, smoothing="latest"), score=lambda model, batch: batch["input_ids"][:, 0]
    )
    trainer = trained(tmp_path, [callback], rows=Watching(rows_of()))
    first_ids = np.array([int(row["input_ids"][0]) for row in rows_of()])
    best = set(np.argsort(-first_ids, kind="stable")[: N // 2].tolist())
    training = [i for i in seen]
    passes = [training[:N], training[N : 2 * N], training[2 * N : 2 * N + N // 2]]
    assert sorted(passes[0]) == list(range(N))  # warm-up
    assert passes[1] == list(range(N))  # scoring, in order
    assert set(passes[2]) == best
    assert passes[2] != sorted(best)  # shuffled
    assert len(seen) == N + (EPOCHS - 1) * (N + N // 2)
    assert trainer.state.global_step == 6 + 3 + 3
    assert callback.pruning.processed == 2 * N
    assert callback.seconds > 0


def test_scores_are_those_of_the_model_in_eval_mode(tmp_path):
    callback = PruningCallback(PruningSettings(warm_epochs=2, keep_fraction=0.5))
    model = bert()
    caught = {}

    def remember(inner, batch):
        from curation.models._pruning_callback import error_lengths

        logits = inner(**batch).logits
        assert torch.equal(logits, inner(**batch).logits), "dropout is on"
        caught.setdefault("logits", []).append(logits.numpy())
        return error_lengths(inner, batch)

    callback.score = remember
    trained(tmp_path, [callback], model=model)
    labels = np.array([row["labels"] for row in rows_of()])
    expected = intent_scores(np.concatenate(caught["logits"]), labels)
    np.testing.assert_allclose(callback.scores[0], expected, atol=1e-6)
    np.testing.assert_array_equal(callback.pruning.smoothed, callback.scores[0])


def test_token_classification_scores_the_labelled_tokens(tmp_path):
    callback = PruningCallback(PruningSettings(keep_fraction=0.5))
    trained(tmp_path, [callback], model=bert("token"), rows=rows_of("token"), num_train_epochs=2)
    assert callback.scores[0].shape == (N,)
    assert (callback.scores[0] > 0.5).all()  # four tokens each, joined by the norm


def test_places_without_a_label_do_not_count():
    """Against a loop over the labelled tokens; what the model says at the others, and padding, changes nothing."""
    from curation.models._pruning_callback import error_lengths

    model = bert("token").eval()
    batch = torch.utils.data.default_collate(rows_of("token")[:6])
    batch["labels"][2, 3:] = -100
    with torch.no_grad():
        shares = torch.softmax(model(**batch).logits.double(), -1).numpy()
        found = {how: error_lengths(model, batch, how) for how in ("norm", "sum", "mean")}
    for row, tags in enumerate(batch["labels"].tolist()):
        each = [np.linalg.norm(shares[row, t] - np.eye(2)[tag]) for t, tag in enumerate(tags) if tag != -100]
        assert len(each) == (2 if row == 2 else 4)
        expected = {"norm": sum(e**2 for e in each) ** 0.5, "sum": sum(each), "mean": sum(each) / len(each)}
        for how, value in expected.items():
            assert found[how][row] == pytest.approx(value, abs=1e-6), how


def test_a_run_resumed_from_a_checkpoint_ends_the_same(tmp_path):
    # six epochs of 3 steps after one of 6: the Trainer's own count of epochs is wrong when it resumes
    settings = {"num_train_epochs": 5, "save_strategy": "epoch", "ignore_data_skip": True}
    whole = PruningCallback(PruningSettings(keep_fraction=0.5))
    expected = weights(trained(tmp_path, [whole], **settings))
    checkpoints = sorted(tmp_path.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    assert [p.name for p in checkpoints] == [f"checkpoint-{step}" for step in (6, 9, 12, 15, 18)]
    again = PruningCallback(PruningSettings(keep_fraction=0.5))
    resumed = trained(tmp_path, [again], resume=str(checkpoints[2]), **settings)
    assert_same(expected, weights(resumed))
    assert resumed.state.global_step == 18
    assert again.pruning.state() == whole.pruning.state()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"gradient_accumulation_steps": 2}, "accumulation"), ({"max_steps": 3}, "in steps")],
)
def test_what_pruned_epochs_do_not_go_with_is_refused(tmp_path, settings, message):
    with pytest.raises(ModelError, match=message) as error:
        trained(tmp_path, [PruningCallback()], **settings)
    assert error.value.hint


def test_a_resume_without_ignore_data_skip_is_refused(tmp_path):
    settings = {"save_strategy": "epoch", "num_train_epochs": 2}
    trained(tmp_path, [PruningCallback()], **settings)
    with pytest.raises(ModelError, match="works out the epoch"):
        trained(tmp_path, [PruningCallback()], resume=str(tmp_path / "checkpoint-6"), **settings)


def test_regression_has_no_errors_of_a_class(tmp_path):
    rows = [{**row, "labels": float(row["labels"])} for row in rows_of()]
    with pytest.raises(ModelError, match="no integer labels"):
        trained(tmp_path, [PruningCallback()], model=bert(num_labels=1), rows=rows)


def test_the_example_of_its_docstring_runs(tmp_path, capsys):
    text = inspect.getdoc(PruningCallback)
    begin = text.index("from transformers import")
    example = textwrap.dedent("    " + text[begin : text.index("Use a constant")])
    example = example.replace('"out"', f'"{tmp_path}", report_to=[], disable_tqdm=True, use_cpu=True')
    names = {"model": bert(), "rows": rows_of()}
    exec(compile(example, "docstring", "exec"), names)
    assert f"instead of {4 * N}" in capsys.readouterr().out
    assert len(names["hardest"]) == N
