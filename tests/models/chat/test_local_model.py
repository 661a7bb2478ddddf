"""A chat model in this process: random weights, so that only the way to and from its tokens is tested."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import ModelError
from curation.models.causal import CausalLM, load_causal
from curation.models.chat.local_model import NO_TURN, TOO_LONG, LocalChat, local_chat
from curation.models.chat.types import Request
from curation.models.generation import Prompt, Stopped, go_on

DIGITS = ("1", "2", "3", "4", "5", "6")
WORDS = ["river", "stone", "lamp", "green", "seven", "bread"]


@pytest.fixture(scope="module")
def chat(tiny_causal):
    return local_chat(str(tiny_causal), "cpu")


def requests(count=9, **more):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 20))) for _ in range(count)]
    return [Request((("system", "Be brief."), ("user", text)), **{"max_tokens": 8, **more}) for text in texts]


def seeds(asked):
    return [int.from_bytes(r.key({"model": "tiny"})[:8]) for r in asked]


def probabilities(chat, request):
    """Of the next token, from a plain pass over the whole conversation."""
    import torch

    with torch.inference_mode():
        logits = chat.lm.model(torch.from_numpy(chat.tokens(request.messages))[None]).logits[0, -1]
    return logits.double().softmax(-1).numpy()


def test_the_conversation_is_written_in_the_models_template(chat):
    ids = chat.tokens((("system", "Be brief."), ("user", "a river")))
    assert chat.lm.tokenizer.decode(ids) == "<|system|>Be brief.<|end|><|user|>a river<|end|><|assistant|>"


def test_replies_are_the_models_words(chat):
    for request, answer in zip(asked := requests(), chat.answers(asked, seeds(asked)), strict=True):
        reply = answer.reply
        assert reply.tokens_in == len(chat.tokens(request.messages))
        assert 1 <= reply.tokens_out <= 8
        assert reply.finish in ("stop", "length")
        assert reply.model == chat.lm.name
        assert reply.first == ()
        ids = go_on(chat.lm, [Prompt(chat.tokens(request.messages), 8)])[0].ids
        assert ids[0] == probabilities(chat, request).argmax()
        assert reply.text == chat.lm.tokenizer.decode(ids, skip_special_tokens=True)


def test_the_probability_of_a_choice_is_told_whatever_its_rank(chat):
    asked = requests(choices=DIGITS, logprobs=3)
    for request, answer in zip(asked, chat.answers(asked, seeds(asked)), strict=True):
        told = dict(answer.reply.first[0])
        chances = probabilities(chat, request)
        for digit in DIGITS:
            spelled = chat.spelled(digit)
            assert spelled
            np.testing.assert_allclose(np.exp(told[digit]), chances[list(spelled)].sum(), rtol=1e-4)
        others = [text for text in told if text not in DIGITS]
        assert len(others) >= 3 - len(DIGITS)
        values = [value for _, value in answer.reply.first[0]]
        assert values == sorted(values, reverse=True)
    assert chat.spelled("neither") == ()
    alone = requests(1, choices=("1", "neither"))
    assert [text for text, _ in chat.answers(alone, [0])[0].reply.first[0]] == ["1"]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_the_same_request_gets_the_same_reply_whatever_the_batch(chat, temperature):
    asked = requests(12, temperature=temperature, top_p=0.95, choices=DIGITS)
    together = chat.answers(asked, seeds(asked))
    backwards = chat.answers(asked[::-1], seeds(asked)[::-1], batch_tokens=70)[::-1]
    for one, other, request in zip(together, backwards, asked, strict=True):
        alone = chat.answers([request], seeds([request]))[0]
        assert one.reply.text == other.reply.text == alone.reply.text
        told = [np.array([v for _, v in sorted(answer.reply.first[0])]) for answer in (one, other, alone)]
        np.testing.assert_allclose(told[0], told[1], atol=1e-4)
        np.testing.assert_allclose(told[0], told[2], atol=1e-4)


def test_another_sample_of_a_request_is_another_draw(chat):
    asked = [requests(1, temperature=1.0, sample=k)[0] for k in range(6)]
    assert len({answer.reply.text for answer in chat.answers(asked, seeds(asked))}) > 1


def test_a_prompt_beyond_the_window_fails_alone(chat):
    long = Request((("user", "river stone " * 600),), max_tokens=4)
    short = requests(1)[0]
    first, second = chat.answers([long, short], [0, 0])
    assert first.reply is None
    assert first.reason == TOO_LONG
    assert second.reply is not None


def test_a_template_without_a_system_turn_reads_it_before_the_question(chat):
    lm = chat.lm
    strict = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        "{{ '<|' + m['role'] + '|>' + m['content'] }}{% endfor %}"
    )
    other = LocalChat(CausalLM(lm.model, _Templated(lm.tokenizer, strict), None, "strict", "cpu", "fp32"))
    assert lm.tokenizer.decode(other.tokens((("system", "Be brief."), ("user", "a river")))) == (
        "<|user|>Be brief.\n\na river"
    )
    never = LocalChat(
        CausalLM(lm.model, _Templated(lm.tokenizer, "{{ raise_exception('no') }}"), None, "never", "cpu", "fp32")
    )
    assert never.answers(requests(1), [0])[0].reason == NO_TURN


class _Templated:
    """A tokenizer with another chat template."""

    def __init__(self, tokenizer, template):
        self._tokenizer, self.chat_template = tokenizer, template

    def apply_chat_template(self, turns, **more):
        return self._tokenizer.apply_chat_template(turns, chat_template=self.chat_template, **more)

    def __call__(self, *args, **more):
        return self._tokenizer(*args, **more)

    def __getattr__(self, name):
        return getattr(self._tokenizer, name)


def test_a_model_without_a_chat_template_cannot_be_asked(tiny_causal):
    lm = load_causal(tiny_causal)
    with pytest.raises(ModelError, match="no chat template"):
        LocalChat(CausalLM(lm.model, _Templated(lm.tokenizer, None), None, "base", "cpu", "fp32"))


def test_it_stops_when_asked(chat):
    with pytest.raises(Stopped):
        chat.answers(requests(2), [0, 0], stop=lambda: True)
