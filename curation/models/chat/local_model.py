"""A chat model of Hugging Face in this process: conversations to replies, with the probabilities of single tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from curation.core.errors import ModelError
from curation.models.causal import CausalLM, load_causal
from curation.models.chat.types import Alternatives, Answer, Reply, Request
from curation.models.generation import Continuation, Prompt, go_on, text_window

TOO_LONG = "longer than the model reads"
NO_TURN = "the model's chat template refuses it"
PLACES = 4
"""First tokens of a reply for which alternatives are told: a score stands at the beginning or nowhere."""
ROOM = 8
"""Tokens that a prompt must leave for a reply, where so many are asked for."""

_SPELLINGS = ("", "▁", "Ġ")  # how tokenizers write a token that begins a word: SentencePiece, byte-level BPE


class LocalChat:
    """A causal language model that is talked to in its own chat template.

    The same request gets the same reply whatever others run with it: the most likely token at temperature 0, else draws
    from a generator seeded by the request. Where a template lets reasoning be switched off it is, for a judge should
    begin with its score; where it has no place for a system text that stands before the first question.

    Attributes:
        lm: The model.
    """

    def __init__(self, lm: CausalLM) -> None:
        if not lm.tokenizer.chat_template:
            raise ModelError(
                f"'{lm.name}' has no chat template, so it cannot be asked",
                "name a chat or instruct model; base models only go on with a text",
            )
        self.lm = lm
        self._window = text_window(lm)
        self._spelled: dict[str, tuple[int, ...]] = {}

    def answers(
        self,
        requests: Sequence[Request],
        seeds: Sequence[int],
        *,
        batch_tokens: int | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[Answer]:
        """A reply to every request, or why there is none.

        Args:
            requests: Any number; they run in batches of like length.
            seeds: Of their draws, from what names the request.
            batch_tokens: See `go_on`.
            stop: See `go_on`.

        Raises:
            ModelError: one request does not fit into memory, or the model gives no numbers.
            Stopped: `stop` said so.
        """
        begun = time.monotonic()
        out: list[Answer] = [Answer(None, TOO_LONG)] * len(requests)
        asked: list[int] = []
        prompts: list[Prompt] = []
        for i, (request, seed) in enumerate(zip(requests, seeds, strict=True)):
            ids = self.tokens(request.messages)
            if ids is None:
                out[i] = Answer(None, NO_TURN)
            elif len(ids) + min(request.max_tokens, ROOM) <= self._window:
                asked.append(i)
                prompts.append(self._prompt(request, ids, seed))

        def note(k: int, made: Continuation) -> None:
            seconds = time.monotonic() - begun
            out[asked[k]] = Answer(self._reply(requests[asked[k]], prompts[k], made, seconds))

        go_on(self.lm, prompts, batch_tokens=batch_tokens, done=note, stop=stop)
        return out

    def tokens(self, messages: Sequence[tuple[str, str]]) -> np.ndarray | None:
        """Token ids of a conversation up to where the model begins to speak; None where its template refuses it."""
        from jinja2 import TemplateError

        turns = [{"role": role, "content": text} for role, text in messages]
        for tried in (turns, _without_system(turns)):
            try:
                text = self.lm.tokenizer.apply_chat_template(
                    tried, tokenize=False, add_generation_prompt=True, enable_thinking=False
                )
            except (TemplateError, TypeError, ValueError, KeyError):
                continue
            # the template writes the special tokens itself
            return np.array(self.lm.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], np.int64)
        return None

    def spelled(self, choice: str) -> tuple[int, ...]:
        """The tokens that say a choice, with or without a space before it; () where it is not one token."""
        if choice not in self._spelled:
            tokenizer = self.lm.tokenizer
            known = [tokenizer.convert_tokens_to_ids(mark + choice) for mark in _SPELLINGS]
            ids = {i for i in known if i is not None and i != tokenizer.unk_token_id}
            self._spelled[choice] = tuple(sorted(i for i in ids if tokenizer.decode([i]).strip() == choice))
        return self._spelled[choice]

    def _prompt(self, request: Request, ids: np.ndarray, seed: int) -> Prompt:
        watched = tuple(i for choice in request.choices for i in self.spelled(choice))
        places = PLACES if request.logprobs else 0
        return Prompt(
            ids, request.max_tokens, request.temperature, request.top_p, seed, places, request.logprobs, watched
        )

    def _reply(self, request: Request, prompt: Prompt, made: Continuation, seconds: float) -> Reply:
        first = [self._named(top) for top in made.top]
        if prompt.watched:
            first[:1] = [self._with_choices(request, made)]
        return Reply(
            text=self.lm.tokenizer.decode(made.ids, skip_special_tokens=True),
            finish=made.finish,
            tokens_in=len(prompt.ids),
            tokens_out=len(made.ids) + (made.finish == "stop"),
            first=tuple(first),
            model=self.lm.name,
            seconds=seconds,
        )

    def _named(self, top: Sequence[tuple[int, float]], leave: frozenset[int] = frozenset()) -> Alternatives:
        return tuple((self.lm.tokenizer.decode([i]), value) for i, value in top if i not in leave)

    def _with_choices(self, request: Request, made: Continuation) -> Alternatives:
        """Alternatives of the first place: one entry for each choice, which adds up its spellings, and the others."""
        found: list[tuple[str, float]] = []
        ids: list[int] = []
        for choice in request.choices:
            spelled = self.spelled(choice)
            values = made.watched[len(ids) : len(ids) + len(spelled)]
            ids += spelled
            if spelled:
                found.append((choice, float(np.logaddexp.reduce(values))))
        found += self._named(made.top[0] if made.top else (), frozenset(ids))
        return tuple(sorted(found, key=lambda pair: -pair[1]))


def _without_system(turns: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The conversation with its system texts at the head of the first question."""
    system = "\n\n".join(t["content"] for t in turns if t["role"] == "system")
    rest = [dict(t) for t in turns if t["role"] != "system"]
    first = next((t for t in rest if t["role"] == "user"), None)
    if first is not None and system:
        first["content"] = f"{system}\n\n{first['content']}"
    return rest


def local_chat(name: str, device: str, **more: Any) -> LocalChat:
    """Load a chat model; it stays loaded as `load_causal` keeps it.

    Args:
        name: A folder, or a Hugging Face name.
        device: Where it runs.
        **more: See `load_causal`.

    Raises:
        ModelError: it is not there, not safe, no causal language model, or it has no chat template.
    """
    return LocalChat(load_causal(name, device=device, **more))
