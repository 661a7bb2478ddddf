"""Tokens per record, and what a trainer's length limit does to them.

A record whose UTF-8 bytes already fit the limit cannot have more tokens than that (every token of the usual tokenizers
takes at least one byte), so most records are never tokenized. For the rest the tokens of each turn are counted by the
named tokenizer and the chat template's own tokens are added per turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from curation.exporters.check import llama_factory
from curation.exporters.check.report import Segment
from curation.models.tokens import PACKAGED, count_tokens

BATCH = 256
TURN_TOKENS = 5  # ChatML: <|im_start|>, the role, a line end before the text; <|im_end|> and a line end after it
ALPACA_TOKENS = 50  # the sentence and the headings around instruction and response


@dataclass(frozen=True)
class TemplateCost:
    """Tokens that a template adds.

    Args:
        start: Once per conversation.
        turn: For every turn.
        measured: True when they were counted on the tokenizer's own chat template.
    """

    start: int = 0
    turn: int = TURN_TOKENS
    measured: bool = False


@lru_cache(4)
def template_cost(tokenizer: str) -> TemplateCost:
    """What the tokenizer's own chat template adds; ChatML's cost where it has none.

    Args:
        tokenizer: As in `curation.models.tokens.count_tokens`.
    """
    if tokenizer == PACKAGED or not _has_template(tokenizer):
        return TemplateCost()
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    if not loaded.chat_template:
        return TemplateCost()
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    words = count_tokens(["a", "b"], tokenizer)
    one = len(loaded.apply_chat_template(turns, tokenize=True, return_dict=False)) - int(words.sum())
    two = len(loaded.apply_chat_template(turns * 2, tokenize=True, return_dict=False)) - 2 * int(words.sum())
    pair = two - one
    return TemplateCost(max(one - pair, 0), max((pair + 1) // 2, 0), measured=True)


def _has_template(tokenizer: str) -> bool:
    path = Path(tokenizer).expanduser()
    if path.is_file():
        return False  # a lone tokenizer.json holds no template
    return (path / "tokenizer_config.json").is_file() if path.is_dir() else True


@dataclass(frozen=True)
class Length:
    """What the limit does to one record.

    Args:
        row: Row of the Dataset.
        tokens: Its tokens, 0 when it surely fits and was not counted.
        over: Longer than the limit.
        answer_cut: Cutting takes a part of an answer (LLaMA-Factory) or of the trained text.
        nothing_left: Cutting leaves no trained token.
    """

    row: int
    tokens: int
    over: bool
    answer_cut: bool = False
    nothing_left: bool = False


class LengthCheck:
    """Counts records in batches.

    Args:
        trainer: Whose way of cutting.
        limit: Tokens.
        tokenizer: As in `count_tokens`.
        chat: True when turns go through a chat template, False for bare texts, "alpaca" for Alpaca's headings.
    """

    def __init__(self, trainer: str, limit: int, tokenizer: str, chat: bool | str) -> None:
        self.trainer, self.limit, self.tokenizer = trainer, limit, tokenizer
        if chat is True:
            self.cost = template_cost(tokenizer)
        else:
            self.cost = TemplateCost(ALPACA_TOKENS if chat == "alpaca" else 1, 0)
        self._waiting: list[tuple[int, tuple[Segment, ...]]] = []
        self.found: list[Length] = []

    def add(self, row: int, segments: tuple[Segment, ...]) -> None:
        """Take one record; its result appears in `found` later, and only if it is over the limit or under 2 tokens."""
        most = self.cost.start + sum(len(s.text.encode()) + self.cost.turn for s in segments)
        if most <= self.limit and most > 1:
            return
        self._waiting.append((row, segments))
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Count what waits."""
        if not self._waiting:
            return
        counts = count_tokens([s.text for _, segments in self._waiting for s in segments], self.tokenizer).tolist()
        at = 0
        for row, segments in self._waiting:
            here = [c + self.cost.turn for c in counts[at : at + len(segments)]]
            at += len(segments)
            length = self._judge(row, segments, here)
            if length.over or length.tokens < 2:
                self.found.append(length)
        self._waiting = []

    def _judge(self, row: int, segments: tuple[Segment, ...], counts: list[int]) -> Length:
        total = self.cost.start + sum(counts)
        if total <= self.limit:
            return Length(row, total, over=False)
        before, first_trained, last_end = self.cost.start, None, 0
        for segment, count in zip(segments, counts, strict=True):
            if segment.trained:
                first_trained = before if first_trained is None else first_trained
                last_end = before + count
            before += count
        if self.trainer == "llama-factory":
            return Length(row, total, True, llama_factory.loses_answer(self._pairs(segments, counts), self.limit))
        gone = first_trained is None or first_trained >= self.limit
        return Length(row, total, True, last_end > self.limit, gone)

    def _pairs(self, segments: tuple[Segment, ...], counts: list[int]) -> list[tuple[int, int]]:
        pairs, source = [], self.cost.start
        for segment, count in zip(segments, counts, strict=True):
            if segment.trained:
                pairs.append((source, count))
                source = 0
            else:
                source += count
        return pairs

    def about(self) -> tuple[str, bool]:
        """What the tokens were counted with, in words, and whether that only approximates the model's own count."""
        if self.tokenizer == PACKAGED:
            return "the packaged MiniLM tokenizer", True
        how = "and its chat template" if self.cost.measured else "without a chat template"
        return f"{self.tokenizer} {how}", not self.cost.measured
