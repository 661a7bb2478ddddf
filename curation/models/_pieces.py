"""Texts as token ids, cut into pieces that fit a model's window, and pieces as batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Overflow = Literal["windows", "truncate"]

_PROBE = "two words"


@dataclass(frozen=True)
class Framing:
    """What a tokenizer puts around a text.

    Args:
        tokenizer: Of the transformers package, a fast one.
        before: Ids put before each piece ([CLS]).
        after: Ids put after each piece ([SEP]).
        window: Ids a piece may have at most, these included; None = no limit.
        inputs: Names of the inputs that the model takes, "input_ids" first.
    """

    tokenizer: Any
    before: tuple[int, ...]
    after: tuple[int, ...]
    window: int | None
    inputs: tuple[str, ...]

    @property
    def room(self) -> int | None:
        """Ids of text in one piece, None = no limit."""
        return None if self.window is None else max(1, self.window - len(self.before) - len(self.after))


def framing_of(tokenizer: Any, window: int | None) -> Framing | None:
    """How the tokenizer frames a text, or None where it does something else than put ids around it.

    Args:
        tokenizer: Of the transformers package.
        window: Ids that the model reads at most.
    """
    if not getattr(tokenizer, "is_fast", False) or tokenizer.pad_token_id is None:
        return None
    whole = tokenizer(_PROBE)
    ids, bare = list(whole["input_ids"]), list(tokenizer(_PROBE, add_special_tokens=False)["input_ids"])
    starts = [i for i in range(len(ids) - len(bare) + 1) if ids[i : i + len(bare)] == bare]
    inputs = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in whole]
    plain = not any(whole.get("token_type_ids", []))
    if len(starts) != 1 or not bare or not plain or "attention_mask" not in inputs:
        return None
    before, after = ids[: starts[0]], ids[starts[0] + len(bare) :]
    if window is not None and window <= len(before) + len(after):
        return None
    return Framing(tokenizer, tuple(before), tuple(after), window, tuple(inputs))


@dataclass(frozen=True)
class Pieces:
    """Texts cut to size.

    Args:
        ids: One int32 array per piece, without what the tokenizer puts around.
        text: int64 `[pieces]`: which text each belongs to, increasing.
        tokens: int64 `[texts]`: ids of each whole text.
    """

    ids: list[np.ndarray]
    text: np.ndarray
    tokens: np.ndarray


def cut(texts: Sequence[str], framing: Framing, overflow: Overflow) -> Pieces:
    """Cut texts into pieces that fit the window.

    A text that is too long becomes the fewest windows that hold it, all as even as can be ("windows"), or its beginning
    ("truncate").

    Args:
        texts: Any strings.
        framing: Of the model.
        overflow: What happens to long texts.
    """
    encoded = framing.tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)
    room = framing.room
    ids: list[np.ndarray] = []
    owner: list[int] = []
    tokens = np.zeros(len(texts), np.int64)
    for i, each in enumerate(encoded["input_ids"]):
        whole = np.array(each, np.int32)
        tokens[i] = len(whole)
        if room is None or len(whole) <= room:
            parts = [whole]
        elif overflow == "truncate":
            parts = [whole[:room]]
        else:
            parts = np.array_split(whole, -(-len(whole) // room))
        ids.extend(parts)
        owner.extend([i] * len(parts))
    return Pieces(ids, np.array(owner, np.int64), tokens)


def batches(lengths: np.ndarray, most_ids: int, most_rows: int) -> Iterator[np.ndarray]:
    """Pieces in batches of like length, longest first, so that little is padded.

    Args:
        lengths: int `[pieces]`, everything included.
        most_ids: Ids in a batch, padding included; a longer piece is a batch of its own.
        most_rows: Pieces in a batch.

    Yields:
        int64 indices of pieces.
    """
    order = np.argsort(-lengths, kind="stable")
    begin = 0
    while begin < len(order):
        rows = min(most_rows, max(1, most_ids // max(1, int(lengths[order[begin]]))))
        yield order[begin : begin + rows]
        begin += rows


def pad(pieces: Sequence[np.ndarray], framing: Framing) -> dict[str, np.ndarray]:
    """One batch as the model wants it.

    Args:
        pieces: int32 arrays of ids.
        framing: Of the model.

    Returns:
        int64 `[rows, longest]` for each of `framing.inputs`.
    """
    before, after = len(framing.before), len(framing.after)
    lengths = [before + len(piece) + after for piece in pieces]
    width = max(lengths)
    ids = np.full((len(pieces), width), framing.tokenizer.pad_token_id, np.int64)
    mask = np.zeros((len(pieces), width), np.int64)
    from_left = framing.tokenizer.padding_side == "left"
    for row, (piece, length) in enumerate(zip(pieces, lengths, strict=True)):
        start = width - length if from_left else 0
        ids[row, start : start + before] = framing.before
        ids[row, start + before : start + before + len(piece)] = piece
        ids[row, start + before + len(piece) : start + length] = framing.after
        mask[row, start : start + length] = 1
    values = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return {name: values[name] for name in framing.inputs}
