"""Writing token by token, against a loop without cache, batch or padding."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest

from curation.core.errors import ModelError
from curation.models.causal import load_causal
from curation.models.generation import Prompt, Stopped, end_ids, go_on, text_window


@pytest.fixture(scope="module")
def lm(tiny_causal):
    return load_causal(tiny_causal)


def prompts(count=9, seed=0, **more):
    rng = np.random.default_rng(seed)
    return [Prompt(rng.integers(7, 250, rng.integers(1, 40)), **{"max_tokens": 12, **more}) for _ in range(count)]


def alone(lm, prompt):
    """The textbook loop: everything is read again for every token, in float64; logits of every step."""
    import torch

    model = copy.deepcopy(lm.model).double()
    ids, steps = list(map(int, prompt.ids)), []
    for _ in range(prompt.max_tokens):
        with torch.inference_mode():
            steps.append(model(torch.tensor([ids])).logits[0, -1].log_softmax(-1).numpy())
        token = int(steps[-1].argmax())
        if token in end_ids(lm):
            break
        ids.append(token)
    return ids[len(prompt.ids) :], steps


def test_greedy_texts_equal_the_textbook_loop(lm):
    given = prompts()
    for prompt, made in zip(given, go_on(lm, given), strict=True):
        ids, steps = alone(lm, prompt)
        assert list(made.ids) == ids
        assert made.finish == ("length" if len(ids) == 12 else "stop")
        assert len(steps) >= 1


def test_log_probabilities_equal_the_textbook_loop_whatever_their_rank(lm):
    watched = (11, 40, 3, 249)
    given = prompts(top=5, places=2, watched=watched)
    for prompt, made in zip(given, go_on(lm, given), strict=True):
        _, steps = alone(lm, prompt)
        np.testing.assert_allclose(made.watched, steps[0][list(watched)], atol=1e-4)
        assert len(made.top) == min(2, len(steps))
        for step, top in zip(steps, made.top, strict=False):
            np.testing.assert_array_equal([i for i, _ in top], np.argsort(-step, kind="stable")[:5])
            np.testing.assert_allclose([v for _, v in top], np.sort(step)[::-1][:5], atol=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 1.3])
@pytest.mark.parametrize("batch_tokens", [1, 90, 100_000])
def test_what_a_row_gets_does_not_depend_on_its_batch(lm, temperature, batch_tokens):
    given = [
        Prompt(p.ids, 3 + i, temperature, 0.9, seed=i, top=3, watched=(20, 21)) for i, p in enumerate(prompts(11, 1))
    ]
    order = np.random.default_rng(2).permutation(len(given))
    apart = [go_on(lm, [prompt])[0] for prompt in given]
    together = go_on(lm, [given[i] for i in order], batch_tokens=batch_tokens)
    for i, made in zip(order, together, strict=True):
        assert made.ids == apart[i].ids
        assert made.finish == apart[i].finish
        np.testing.assert_allclose(made.watched, apart[i].watched, atol=1e-4)
        np.testing.assert_allclose([v for _, v in made.top[0]], [v for _, v in apart[i].top[0]], atol=1e-4)


def test_draws_follow_the_probabilities_and_top_p(lm):
    ids = np.array([9, 30, 31])
    first = go_on(lm, [Prompt(ids, top=400)])[0].top[0]
    chance = np.zeros(len(lm.tokenizer))
    chance[[i for i, _ in first]] = np.exp([v for _, v in first])
    drawn = [c.ids[0] for c in go_on(lm, [Prompt(ids, 1, 1.0, 1.0, seed=s) for s in range(2000)]) if c.ids]
    found = np.bincount(drawn, minlength=len(chance)) / 2000
    likely = np.argsort(-chance)[:20]
    assert np.abs(found - chance)[likely].max() < 4 * np.sqrt(chance.max() / 2000)
    ranked = np.argsort(-chance, kind="stable")
    nucleus = set(ranked[: 1 + np.searchsorted(chance[ranked].cumsum(), 0.05)].tolist())
    few = {c.ids[0] for c in go_on(lm, [Prompt(ids, 1, 1.0, 0.05, seed=s) for s in range(300)]) if c.ids}
    assert few <= nucleus
    assert len(few) > 1
    cold = {c.ids for c in go_on(lm, [Prompt(ids, 4, 1e-5, seed=s) for s in range(20)])}
    assert cold == {go_on(lm, [Prompt(ids, 4)])[0].ids}


def test_a_text_ends_where_the_model_ends_it(lm, monkeypatch):
    prompt = prompts(1)[0]
    said = go_on(lm, [prompt])[0].ids
    later = next(i for i in range(1, len(said)) if said[i] not in said[:i])
    monkeypatch.setattr(lm.model.generation_config, "eos_token_id", [said[later], 2])
    made = go_on(lm, [prompt, *prompts(3, 5)])[0]
    assert made.ids == said[:later]
    assert made.finish == "stop"


def test_it_writes_no_further_than_the_window(lm):
    assert text_window(lm) == 512
    made = go_on(lm, [Prompt(np.full(508, 9), 50)])[0]
    assert len(made.ids) <= 4
    with pytest.raises(ValueError, match="no room"):
        go_on(lm, [Prompt(np.full(512, 9), 5)])


def test_batches_shrink_when_memory_does_not_suffice(lm, monkeypatch):
    given = prompts(8)
    expected = [made.ids for made in go_on(lm, given)]
    real, sizes = lm.model.forward, []

    def small(*args, **kwargs):
        sizes.append(len(kwargs["input_ids"]))
        if sizes[-1] > 3:
            raise RuntimeError("CUDA out of memory")
        return real(*args, **kwargs)

    small.__signature__ = inspect.signature(real)
    monkeypatch.setattr(lm.model, "forward", small)
    assert [made.ids for made in go_on(lm, given)] == expected
    assert sizes[0] == 8
    monkeypatch.setattr(lm.model, "forward", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("out of memory")))
    with pytest.raises(ModelError, match="does not fit"):
        go_on(lm, given[:1])


def test_it_stops_when_asked(lm):
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        go_on(lm, prompts(2), stop=lambda: next(asked))


def test_numbers_that_are_not_finite_are_an_error(lm, monkeypatch):
    import torch

    weight = lm.model.get_output_embeddings().weight
    before = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    try:
        with pytest.raises(ModelError, match="not finite"):
            go_on(lm, prompts(2))
    finally:
        with torch.no_grad():
            weight.copy_(before)
