"""Answers of a language model: what is read, what is written, which rows come of it, and a run that was killed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import NO_ROW, Missing, Model
from curation.core.dataset import Row, from_pairs, in_memory
from curation.core.errors import JobCancelled, ModelError
from curation.core.runtime import Runtime
from curation.generators import answer as answer_module
from curation.generators._answers import EMPTY, NO_PROMPT
from curation.generators.answer import Answer
from curation.models.causal import load_causal
from curation.models.chat.local_model import TOO_LONG
from curation.models.chat.turns import NOT_TEXT
from curation.models.generation import Continuation, Prompt, end_ids, go_on
from curation.models.rendering import encode_prompts, encode_rows

SHORT = {"max_new_tokens": 8}
PAIRS = [(f"a river runs over {word}", "green stone") for word in ("stone", "the lamp", "seven", "green and seven")]


def model_of(folder: Path, **more) -> Model:
    return Model("", Missing.none(0), path=str(folder), name="tiny", owned=False, **more)


def textbook(lm, ids, most):
    """Greedy search, everything read again for every token."""
    import torch

    ids, start = list(map(int, ids)), len(ids)
    while len(ids) < start + most:
        with torch.inference_mode():
            token = int(lm.model(torch.tensor([ids])).logits[0, -1].argmax())
        if token in end_ids(lm):
            break
        ids.append(token)
    return ids[start:]


@pytest.mark.parametrize("template", ["chat", "alpaca", "plain"])
def test_one_row_for_each_with_the_text_of_greedy_search(tiny_causal, template):
    pool, lm = from_pairs(PAIRS), load_causal(tiny_causal)
    made = Answer(**SHORT, template=template).generate(pool, Runtime(), model=model_of(tiny_causal))
    assert made.parents.tolist() == [0, 1, 2, 3]
    assert not made.missing.mask.any()
    # what is read is what training reads before the response
    whole = encode_rows(lm, pool, template=template)
    for row, encoded in zip(made.rows, whole, strict=True):
        read = encoded.ids[: int(np.flatnonzero(encoded.scored)[0])]
        said = lm.tokenizer.decode(textbook(lm, read, 8), skip_special_tokens=True).strip()
        assert row.messages[-1] == {"role": "assistant", "content": said}
    assert made.info["answers"] == 4
    assert made.info["model"] == "tiny"


def test_prompts_and_records_are_kept_and_the_parent_is_named(tiny_causal):
    asked = [{"role": "system", "content": "Be green."}, {"role": "user", "content": "a river\nstone "}]
    record = {"instruction": "a river", "input": "stone ", "output": "x", "system": "Be green."}
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "?"},
    ]
    pool = in_memory(
        [
            Row([*asked, {"role": "assistant", "content": "x"}], json.dumps(record), "p", 0, "alpaca"),
            Row([*turns, {"role": "assistant", "content": "three"}], "{}", "p", 1, "messages"),
            Row(turns, "{}", "p", 2, "messages"),
            Row([{"role": "user", "content": "seven"}], json.dumps({"instruction": "seven"}), "p", 3, "alpaca"),
        ]
    )
    made = Answer(**SHORT).generate(pool, Runtime(), model=model_of(tiny_causal))
    assert [row.messages[:-1] for row in made.rows] == [asked, turns, turns, [{"role": "user", "content": "seven"}]]
    assert [row.form for row in made.rows] == ["messages", "messages", "messages", "alpaca"]  # "stone " has a space
    for i, row in enumerate(made.rows):
        found = json.loads(row.record)
        assert found["answer_parent"] == pool.row_id(i)
        assert found["answer_by"] == "tiny"
        assert found["answer_finish"] in ("stop", "length")
        assert row.messages[-1]["content"] == (
            found["output"] if row.form == "alpaca" else found["messages"][-1]["content"]
        )


def test_what_cannot_be_answered_is_missing_with_its_reason(tiny_causal):
    image = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "see"}]
    rows = [
        [{"role": "user", "content": "a river"}, {"role": "assistant", "content": "x"}],
        [{"role": "user", "content": "  "}, {"role": "assistant", "content": "x"}],
        [{"role": "assistant", "content": "x"}],
        [{"role": "user", "content": "see", "parts": image}, {"role": "assistant", "content": "x"}],
        [{"role": "user", "content": "stone " * 2000}, {"role": "assistant", "content": "x"}],
    ]
    pool = in_memory([Row(messages, "{}", "p", i, "messages") for i, messages in enumerate(rows)])
    made = Answer(**SHORT).generate(pool, Runtime(), model=model_of(tiny_causal))
    assert made.parents.tolist() == [0]
    assert [made.missing.reason(i) for i in range(5)] == [None, NO_PROMPT, NO_PROMPT, NOT_TEXT, TOO_LONG]


def says(monkeypatch: pytest.MonkeyPatch, ids: list[list[int]]) -> list[list[Prompt]]:
    """Let the model write these tokens, one list a row; what it is asked is noted."""
    asked: list[list[Prompt]] = []

    def pretended(lm, prompts, *, batch_tokens=None, done, stop=None):
        asked.append(list(prompts))
        for i, _ in enumerate(prompts):
            done(i, Continuation(tuple(ids[i]), "length", (), np.empty(0)))

    monkeypatch.setattr(answer_module, "go_on", pretended)
    return asked


def test_special_tokens_are_decoded_away_and_nothing_is_cut(tiny_causal, monkeypatch):
    tokenizer = load_causal(tiny_causal).tokenizer
    text = tokenizer("green river</s>", add_special_tokens=False)["input_ids"]
    says(monkeypatch, [[*text, 6, 2], text, [2], []])
    made = Answer(**SHORT).generate(from_pairs(PAIRS), Runtime(), model=model_of(tiny_causal))
    # the published code drops the last four characters, whatever they are
    assert [row.messages[-1]["content"] for row in made.rows] == ["green river</s>"] * 2
    assert [made.missing.reason(i) for i in range(4)] == [None, None, EMPTY, EMPTY]
    assert made.info["cut at the limit of tokens"] == 2


def test_empty_answers_may_be_kept(tiny_causal, monkeypatch):
    says(monkeypatch, [[20], [2], [], [21]])
    made = Answer(**SHORT, empty="keep").generate(from_pairs(PAIRS), Runtime(), model=model_of(tiny_causal))
    assert made.parents.tolist() == [0, 1, 2, 3]
    assert [bool(row.messages[-1]["content"]) for row in made.rows] == [True, False, False, True]
    assert made.info["empty"] == 2


def test_the_limit_ends_a_text_and_the_window_does(tiny_causal):
    pool = from_pairs([("a river", "x"), ("stone " * 240, "x")])
    made = Answer(max_new_tokens=400, template="plain").generate(pool, Runtime(), model=model_of(tiny_causal))
    tokens = [json.loads(row.record)["answer_tokens"] for row in made.rows]
    lm = load_causal(tiny_causal)
    asked = [([{"role": "user", "content": prompt}], None) for prompt in pool.texts("prompt")]
    room = [min(400, 512 - len(ids)) for ids in encode_prompts(lm, asked, template="plain")]
    assert tokens[1] <= room[1] < 400
    for row, most, count in zip(made.rows, room, tokens, strict=True):
        assert json.loads(row.record)["answer_finish"] == ("length" if count == most else "stop")


def test_draws_follow_from_the_seed_and_the_row_alone(tiny_causal):
    pool, model = from_pairs(PAIRS), model_of(tiny_causal)
    texts = {}
    for name, method in (
        ("one", Answer(**SHORT, temperature=1.5)),
        ("same", Answer(**SHORT, temperature=1.5)),
        ("other", Answer(**SHORT, temperature=1.5, seed=1)),
        ("greedy", Answer(**SHORT)),
    ):
        texts[name] = [row.messages[-1]["content"] for row in method.generate(pool, Runtime(), model=model).rows]
    assert texts["one"] == texts["same"]
    assert texts["one"] != texts["other"]
    assert texts["one"] != texts["greedy"]


def test_each_row_is_answered_by_the_network_that_did_not_read_it(tiny_causal, tmp_path, monkeypatch):
    for fold in (0, 1):
        (tmp_path / f"fold-{fold}").symlink_to(tiny_causal)
    loaded: list[str] = []

    def load(folder, **more):
        loaded.append(Path(folder).name)
        return load_causal(folder, **more)

    monkeypatch.setattr(answer_module, "load_causal", load)
    asked = says(monkeypatch, [[20]] * 12)
    pool = from_pairs([(f"river {i}", "x") for i in range(12)])
    model = model_of(tmp_path, folds=2)
    made = Answer(**SHORT).generate(pool, Runtime(), model=model)
    assert made.parents.tolist() == list(range(12))
    assert loaded == ["fold-0", "fold-1"]
    assert [len(prompts) for prompts in asked] == np.bincount(model.fold_of(pool.contents)).tolist()


def test_rows_of_the_pretraining_are_answered_and_counted(tiny_causal, monkeypatch):
    says(monkeypatch, [[20]] * 4)
    pool = from_pairs(PAIRS)
    made = Answer(**SHORT).generate(pool, Runtime(), model=model_of(tiny_causal, seen=pool.contents[[1, 3]], weak=True))
    assert len(made.rows) == 4
    assert made.info["of rows that the model was pre-trained on"] == 2
    assert made.info["weak"] is True


def test_a_killed_run_goes_on_where_it_was(tiny_causal, tmp_path, monkeypatch):
    pool, model = from_pairs([(f"river {i} " * (1 + i % 3), "x") for i in range(9)]), model_of(tiny_causal)
    method = Answer(**SHORT)
    expected = method.generate(pool, Runtime(), model=model)
    calls: list[int] = []

    def small(lm, prompts, *, batch_tokens=None, done=None, stop=None):
        calls.append(len(prompts))
        return go_on(lm, prompts, batch_tokens=60, done=done, stop=stop)

    monkeypatch.setattr(answer_module, "go_on", small)

    def stop_at_four(done, total, note=""):
        if done >= 4:
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        method.generate(pool, Runtime(keep=tmp_path, progress=stop_at_four), model=model)
    kept = tmp_path / answer_module.KEPT
    done = kept.read_text().count("\n")
    assert 4 <= done < 9
    kept.write_text(kept.read_text() + '["half of a li')  # what a kill can leave
    again = method.generate(pool, Runtime(keep=tmp_path), model=model)
    assert calls == [9, 9 - done]
    assert [row.messages for row in again.rows] == [row.messages for row in expected.rows]
    assert again.info == expected.info
    method.generate(pool, Runtime(keep=tmp_path), model=model)
    assert len(calls) == 2 or calls[2] == 0


def test_another_kind_of_model_is_refused(tiny_causal):
    with pytest.raises(ModelError, match="no causal language model"):
        Answer().generate(from_pairs(PAIRS), Runtime(), model=model_of(tiny_causal, role="classifier"))


def test_templates_that_refuse_a_conversation_make_it_missing(tiny_causal):
    pool = from_pairs(PAIRS)
    lm = load_causal(tiny_causal)
    asked = [([{"role": "user", "content": "a"}], None)]
    ids = encode_prompts(lm, asked)[0]
    assert lm.tokenizer.decode(ids) == "<|user|>a<|end|><|assistant|>"
    with pytest.raises(ModelError, match="no template"):
        encode_prompts(lm, asked, template="none")
    assert (Answer().generate(pool.take(np.array([0])), Runtime(), model=model_of(tiny_causal)).parents != NO_ROW).all()
