"""What a causal language model says next: token by token, in batches that do not change what a row gets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from curation.core.errors import ModelError
from curation.models.batching import default_batch_tokens, run_batches
from curation.models.causal import CausalLM

if TYPE_CHECKING:
    import torch

SHRINK_BELOW = 0.75  # share of a batch still speaking below which the rest leaves it; less often, copying costs more
_UNBOUNDED = 1 << 24  # tokenizers without a limit name a number beyond any text


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Whoever asked wants no more."""


@dataclass(frozen=True)
class Prompt:
    """What to go on from.

    Args:
        ids: int64 `[t]`, at least one token.
        max_tokens: Tokens written at most, from 1 up; fewer where the model's window ends.
        temperature: 0 = always the most likely token; of equal ones that with the lowest id.
        top_p: Share of the probability that is sampled from.
        seed: Of the draws. The same prompt and seed give the same text, whatever else is in the batch.
        places: First tokens for which alternatives are wanted.
        top: How many for each.
        watched: Token ids whose log-probabilities at the first place are wanted, whatever their rank.
    """

    ids: np.ndarray
    max_tokens: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    places: int = 1
    top: int = 0
    watched: tuple[int, ...] = ()


@dataclass(frozen=True)
class Continuation:
    """What came.

    Args:
        ids: Tokens written, without the one that ends the text.
        finish: "stop" where the model ended it, "length" where it was cut.
        top: For each of the first places: (token id, log-probability), most likely first.
        watched: float64, log-probability of each watched token at the first place.
    """

    ids: tuple[int, ...]
    finish: Literal["stop", "length"]
    top: tuple[tuple[tuple[int, float], ...], ...]
    watched: np.ndarray


def text_window(lm: CausalLM) -> int:
    """Tokens that a model reads and writes together at most."""
    config = lm.model.config.get_text_config()
    limits = [lm.tokenizer.model_max_length, getattr(config, "max_position_embeddings", None)]
    return int(min((limit for limit in limits if isinstance(limit, int | float) and limit > 0), default=_UNBOUNDED))


def end_ids(lm: CausalLM) -> frozenset[int]:
    """Tokens that end a text: those the model's files name, and the tokenizer's."""
    settings = getattr(lm.model, "generation_config", None)
    named = [getattr(settings, "eos_token_id", None), lm.model.config.get_text_config().eos_token_id]
    found = {lm.tokenizer.eos_token_id}
    for ids in named:
        found |= set(ids) if isinstance(ids, list | tuple) else {ids}
    return frozenset(int(i) for i in found if i is not None)


def go_on(
    lm: CausalLM,
    prompts: Sequence[Prompt],
    *,
    batch_tokens: int | None = None,
    done: Callable[[int, Continuation], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> list[Continuation]:
    """Lets a model go on from every prompt.

    Prompts of like length run together, padded on the left, in batches that are halved when memory does not suffice.
    In fp32 log-probabilities do not depend on the batch (to 1e-4), so that texts do not either but where two tokens are
    as likely as that; draws come from a generator of the prompt's own. Cost: a pass over the prompt, and one token at a
    time with what was read kept.

    Args:
        lm: The model, in eval mode.
        prompts: None longer than the window less one token.
        batch_tokens: Rows × (longest prompt and most tokens to write) of a batch; None = by the device.
        done: Called with the number of a prompt and what came, as batches end.
        stop: Asked before every token; true ends it.

    Raises:
        ModelError: one prompt does not fit into memory, numbers are not finite, or the model keeps nothing of what it
            read and so cannot be used in this way.
        Stopped: `stop` said so.
    """
    window = text_window(lm)
    most = np.array([min(p.max_tokens, window - len(p.ids)) for p in prompts], np.int64)
    if len(prompts) and most.min() < 1:
        raise ValueError(f"a prompt leaves no room in the window of {window} tokens")
    out: dict[int, Continuation] = {}
    ends, takes = end_ids(lm), inspect.signature(lm.model.forward).parameters
    pictured = lm.processor is not None  # image-text models count positions in ways of their own: no padding

    def run(batch: np.ndarray) -> None:
        for i, made in zip(batch, _run(lm, [prompts[i] for i in batch], most[batch], ends, takes, stop), strict=True):
            out[int(i)] = made
            if done is not None:
                done(int(i), made)

    lengths = np.array([len(p.ids) for p in prompts], np.int64) + most
    size = batch_tokens or default_batch_tokens(lm.device)
    run_batches(lengths, size, run, device=lm.device, rows=1 if pictured else None)
    return [out[i] for i in range(len(prompts))]


def _run(
    lm: CausalLM,
    prompts: Sequence[Prompt],
    most: np.ndarray,
    ends: frozenset[int],
    takes: Any,
    stop: Callable[[], bool] | None,
) -> list[Continuation]:
    """One batch."""
    import torch

    n = len(prompts)
    longest = max(len(p.ids) for p in prompts)
    ids, mask = np.zeros((n, longest), np.int64), np.zeros((n, longest), np.int64)
    for i, prompt in enumerate(prompts):
        ids[i, longest - len(prompt.ids) :], mask[i, longest - len(prompt.ids) :] = prompt.ids, 1
    there = torch.from_numpy(mask).to(lm.device)
    inputs = torch.from_numpy(ids).to(lm.device)
    counted = "position_ids" in takes and lm.processor is None
    positions = (there.cumsum(1) - 1).clamp(min=0)
    said = [_Said(prompt, int(m)) for prompt, m in zip(prompts, most, strict=True)]
    alive = list(said)
    cache: Any = None
    while alive:
        if stop is not None and stop():
            raise Stopped
        given: dict[str, Any] = {"input_ids": inputs, "attention_mask": there, "use_cache": True}
        if counted:
            given["position_ids"] = positions
        if cache is not None:
            given["past_key_values"] = cache
        if "logits_to_keep" in takes:
            given["logits_to_keep"] = 1
        with torch.inference_mode():
            made = lm.model(**given)
            logits = made.logits[:, -1].float()
            cache = getattr(made, "past_key_values", None)
            if cache is None:
                raise ModelError(
                    f"'{lm.name}' keeps nothing of what it read, so it cannot write here",
                    "serve it with a program that speaks the OpenAI protocol, and name that as the connection",
                )
            tokens = _next(logits, alive, lm)
        going = [i for i, (row, token) in enumerate(zip(alive, tokens, strict=True)) if row.take(token, ends)]
        if not going:
            break
        if len(going) <= SHRINK_BELOW * len(alive) and hasattr(cache, "batch_select_indices"):
            kept = torch.tensor(going, device=lm.device)
            cache.batch_select_indices(kept)
            there, positions = there[kept], positions[kept]
            alive, tokens = [alive[i] for i in going], [tokens[i] for i in going]
        inputs = torch.tensor(tokens, device=lm.device)[:, None]
        there = torch.cat([there, there.new_ones(len(alive), 1)], dim=1)
        positions = positions[:, -1:] + 1
    return [row.continuation() for row in said]


class _Said:
    """One row while it is written. Rows that have ended stay in the batch until enough have, and take nothing more."""

    def __init__(self, prompt: Prompt, most: int) -> None:
        self.prompt, self.most = prompt, most
        self.ids: list[int] = []
        self.finish: Literal["stop", "length"] | None = None
        self.top: list[tuple[tuple[int, float], ...]] = []
        self.watched = np.empty(0)
        self.rng = np.random.default_rng(prompt.seed)

    def take(self, token: int, ends: frozenset[int]) -> bool:
        """Add a token; False when the text has ended."""
        if self.finish is None:
            if token in ends:
                self.finish = "stop"
            else:
                self.ids.append(token)
                if len(self.ids) == self.most:
                    self.finish = "length"
        return self.finish is None

    def continuation(self) -> Continuation:
        assert self.finish is not None
        return Continuation(tuple(self.ids), self.finish, tuple(self.top), self.watched)


def _next(logits: torch.Tensor, rows: Sequence[_Said], lm: CausalLM) -> list[int]:
    """The next token of every row `[b]` from its logits float32 `[b, V]`, and what was wanted of them noted."""
    import torch

    open_rows = [i for i, row in enumerate(rows) if row.finish is None]
    if not bool(torch.isfinite(logits[open_rows].amax(dim=1)).all()):
        raise ModelError(
            f"{lm.name} gave numbers that are not finite in {lm.precision}", "set the precision to bf16 or fp32"
        )
    for i in open_rows:
        row, place = rows[i], len(rows[i].ids)
        wanted = row.prompt.top if place < row.prompt.places else 0
        if not wanted and (place or not row.prompt.watched):
            continue
        logs = logits[i].log_softmax(-1)
        if place == 0:
            row.watched = logs[list(row.prompt.watched)].double().cpu().numpy()
        if wanted:
            best = logs.topk(min(wanted, len(logs)))
            row.top.append(tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True)))
    tokens: list[int] = logits.argmax(dim=1).tolist()
    for i in open_rows:
        if rows[i].prompt.temperature > 0:
            tokens[i] = _drawn(logits[i], rows[i])
    return tokens


def _drawn(logits: torch.Tensor, row: _Said) -> int:
    """A token drawn from the most likely ones that hold `top_p` of the probability."""
    values = logits.double().cpu().numpy() / row.prompt.temperature
    order = np.argsort(-values, kind="stable")
    chances = np.exp(values[order] - values[order[0]])
    sums = np.cumsum(chances / chances.sum())
    kept = 1 + int(np.searchsorted(sums, row.prompt.top_p * (1 - 1e-12)))
    sums = sums[: min(kept, len(sums))]
    at = int(np.searchsorted(sums, row.rng.random() * sums[-1], side="right"))
    return int(order[min(at, len(sums) - 1)])
