"""DEITA's evol score: complexity of every question times quality of its answer, added up over the turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.models._folder import revision_of
from curation.models.causal import Precision, causal_precision, load_causal
from curation.models.chat.asking import AUTO, Asking
from curation.models.chat.client import Say, ask_until, converse
from curation.models.chat.judging import REFUSED, clean, target
from curation.models.chat.live import LiveScores
from curation.models.chat.parsing import expected_score, score_in
from curation.models.chat.prompts import Prompt, blocks
from curation.models.chat.turns import Turn, turns_of
from curation.models.chat.types import Reply, Request, Unparsed
from curation.models.chat.wording import wording
from curation.models.evol_checkpoint import (
    COMPLEXITY_MODEL,
    DIGITS,
    QUALITY_MODEL,
    checkpoint_scores,
    complexity_input,
    quality_input,
)

Reduce = Literal["sum", "mean", "max"]
Side = Literal["complexity", "quality"]

LOW, HIGH = 1.0, 6.0
REPLY_TOKENS = 16
ALTERNATIVES = 20
"""As many as servers tell at most."""

_SCORES = {digit: float(digit) for digit in DIGITS}


def evol_score(complexity: Sequence[float], quality: Sequence[float], reduce: Reduce = "sum") -> float:
    """`Σ c_t q_t` over the turns of a conversation, or their mean or maximum.

    Args:
        complexity: Of every question, in [1, 6].
        quality: Of every answer, in [1, 6].
        reduce: The sum, which favours long conversations, is the published rule.

    Returns:
        In [1, 36] for a single turn.
    """
    products = [c * q for c, q in zip(complexity, quality, strict=True)]
    if reduce == "max":
        return max(products)
    return sum(products) / (len(products) if reduce == "mean" else 1)


@dataclass(frozen=True)
class Judged:
    """What a judge said of one text.

    Args:
        value: In [1, 6].
        text: Its reply.
        expected: True when the value is the expected one over the probabilities of the digits.
    """

    value: float
    text: str
    expected: bool


def judged(reply: Reply) -> Judged | Unparsed:
    """A score from a reply: the expected one where its probabilities are told, else the number that it says."""
    if reply.refusal or reply.finish == "content_filter":
        return Unparsed(REFUSED)
    likely = expected_score(reply.first, _SCORES)
    if not isinstance(likely, Unparsed):
        return Judged(round(likely.value, 9), reply.text, True)  # what is equal but for rounding should be a tie
    said = score_in(reply.text, LOW, HIGH)
    return said if isinstance(said, Unparsed) else Judged(said, reply.text, False)


def judge_request(turn: Turn, side: Side, words: Prompt) -> Request:
    """What a judge is asked about one turn: about its question alone, or about question and answer."""
    shown = [("question", turn.question)] + ([("response", turn.answer)] if side == "quality" else [])
    text, mark = blocks(shown)
    user = "\n\n".join([words.write("data", mark=mark), text, words.write(side)])
    return Request(
        (("system", words.write("system")), ("user", user)),
        max_tokens=REPLY_TOKENS,
        logprobs=ALTERNATIVES,
        choices=DIGITS,
        pretend=str(_pretended(turn.question if side == "complexity" else turn.answer)),
    )


def _pretended(text: str) -> int:
    """1 to 6 by length, doubling from 8 words on."""
    return int(np.clip(1 + np.log2(max(len(text.split()), 1) / 8), 1, 6))


class EvolScore(Asking, Scorer):
    """Complexity of a question times quality of its answer, each from 1 to 6, added up over the turns of a row.

    `by: judge` asks a chat model about one text at a time, and takes the expected score over the probabilities of the
    six digits where the server tells them, else the number that the reply says; `info` says how many of each. Judged
    one at a time, scores are nearly alike: DEITA's scorers were trained on siblings judged together, which
    `generator/evol-complexity` and `generator/evol-quality` make. `by: checkpoint` runs the published scorers, or
    others of their form, in this process; they were not run by us.

    Every turn is judged by itself, without the turns before it. Missing if one of its turns has no score. Columns:
    `complexity` and `quality`, means over the turns; `turns`; `explanation`, what the judge replied.
    """

    title: ClassVar[str] = "DEITA's evol score"
    method_class: ClassVar[MethodClass] = "zero-order"
    weakness: ClassVar[str] = (
        "Favours long conversations and what looks complex; a judge asked about one text at a time gives most the same."
    )
    source: ClassVar[str] = "DEITA (Liu et al., ICLR 2024, arXiv:2312.15685); our own prompts"

    by: Literal["judge", "checkpoint"] = Field(
        "judge", description="who scores: a chat model, or scorers in the form of DEITA's checkpoints"
    )
    turn_reduce: Reduce = Field("sum", description="how the products of the turns become one number; published: sum")
    prompt: Literal["evol-score-v1"] = Field("evol-score-v1", description="wording for the judge, with its version")
    prompt_hash: str = Field(AUTO, min_length=1, description="of the prompt's words; auto fills it in")
    complexity_model: str = Field(COMPLEXITY_MODEL, min_length=1, description="folder, or name, of the first scorer")
    quality_model: str = Field(QUALITY_MODEL, min_length=1, description="folder, or name, of the second scorer")
    complexity_revision: str = Field(AUTO, min_length=1, description="commit of its weights; auto fills it in")
    quality_revision: str = Field(AUTO, min_length=1, description="commit of its weights; auto fills it in")
    precision: Precision = Field("auto", description="number format of the scorers; auto: half on accelerators")

    def waits(self) -> bool:
        """Checkpoints compute in this process."""
        return self.by == "judge" and super().waits()

    def resolve(self, runtime: Runtime) -> Self:
        """Write who scores into the recipe: endpoint, model and words of the judge, or the weights of the scorers.

        Raises:
            CurationError: if there is no such connection, prompt or model.
        """
        if self.by == "judge":
            found = super().resolve(runtime)
            return found.model_copy(update={"prompt_hash": wording(self.prompt, self.prompt_hash).hash})
        made: dict[str, str] = {"precision": causal_precision(runtime.device, self.precision)}
        for name, model in (("complexity", self.complexity_model), ("quality", self.quality_model)):
            if getattr(self, f"{name}_revision") == AUTO:
                made[f"{name}_revision"] = revision_of(model)
        return self.model_copy(update=made)

    def requests(self, pool: Dataset) -> list[list[Request]]:
        """Two requests for every turn; none for checkpoints."""
        found = [turns_of(pool.messages(row)) for row in range(len(pool))]
        if self.by == "checkpoint":
            return [[] for _ in found]
        return [[] if isinstance(turns, str) else self._asked(turns) for turns in found]

    def calls_per_row(self) -> float:
        """Two for a row of one turn."""
        return 2.0 if self.by == "judge" else 0.0

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row.

        Raises:
            CurationError: the connection's key is not in the environment, a cap is reached, or nobody can be asked.
            ModelError: a scorer cannot be loaded, or has no token for one of the digits.
        """
        found = [turns_of(pool.messages(row)) for row in range(len(pool))]
        judgeable = [row for row, turns in enumerate(found) if not isinstance(turns, str)]
        turns = [part for part in found if not isinstance(part, str)]
        talk = self._by_judge if self.by == "judge" else self._by_checkpoint
        said, info = talk(turns, runtime)
        reasons: list[str | None] = [part if isinstance(part, str) else None for part in found]
        names = ("values", "complexity", "quality", "turns")
        numbers = {name: np.full(len(pool), np.nan) for name in names}
        explanation = np.full(len(pool), None, object)
        for row, parts, given in zip(judgeable, turns, said, strict=True):
            numbers["turns"][row] = len(parts)
            if isinstance(given, str):
                reasons[row] = given
                continue
            numbers["values"][row] = self._value(given)
            numbers["complexity"][row], numbers["quality"][row] = np.mean(
                [(c.value, q.value) for c, q in given], axis=0
            )
            explanation[row] = _explained(given)
        values = numbers.pop("values")
        missing = Missing.from_list(reasons)
        columns = {**numbers, "explanation": explanation}
        info = {"by": self.by, "turn_reduce": self.turn_reduce, **info, "failures": missing.counts()}
        return Score(pool.fingerprint, values, missing, "evol score", True, columns, info)

    def _asked(self, turns: Sequence[Turn]) -> list[Request]:
        words = wording(self.prompt, self.prompt_hash)
        return [judge_request(turn, side, words) for turn in turns for side in ("complexity", "quality")]

    def _by_judge(self, rows: Sequence[Sequence[Turn]], runtime: Runtime) -> tuple[list[_Said], dict[str, Any]]:
        connection = target(self)
        live = LiveScores(runtime, LOW * LOW, HIGH * HIGH)

        async def talk(row: int, say: Say) -> _Said:
            found: list[Judged] = []
            for request in self._asked(rows[row]):
                given = await ask_until(say, request, judged, attempt=self.attempt)
                if isinstance(given, Unparsed):
                    return given.reason  # what is left of the row is not asked: it could not be used
                found.append(given)
            return list(zip(found[::2], found[1::2], strict=True))

        def done(row: int, given: _Said) -> None:
            live.add(None if isinstance(given, str) else self._value(given))

        said = converse(len(rows), talk, connection, runtime, done=done)
        live.close()
        read = Counter(
            "expected" if one.expected else "text"
            for given in said
            if not isinstance(given, str)
            for pair in given
            for one in pair
        )
        info = {**connection.info(), "prompt": self.prompt, "read": dict(read)}
        return said, info

    def _by_checkpoint(self, rows: Sequence[Sequence[Turn]], runtime: Runtime) -> tuple[list[_Said], dict[str, Any]]:
        turns = [turn for row in rows for turn in row]
        texts = (
            [complexity_input(turn.question) for turn in turns],
            [quality_input(turn.question, turn.answer) for turn in turns],
        )
        found: list[tuple[np.ndarray, list[str]]] = []
        models = (
            (self.complexity_model, self.complexity_revision),
            (self.quality_model, self.quality_revision),
        )
        for step, ((model, revision), part) in enumerate(zip(models, texts, strict=True)):
            scorer = load_causal(model, device=runtime.device, precision=self.precision, revision=revision)
            found.append(
                checkpoint_scores(
                    scorer,
                    part,
                    progress=lambda done, total, step=step, model=model: runtime.progress(  # type: ignore[misc]
                        step * total + done, 2 * total, f"{model}: {done:,} of {total:,} turns"
                    ),
                )
            )
        (c, no_c), (q, no_q) = found
        said: list[_Said] = []
        place = 0
        for row in rows:
            here = range(place, place + len(row))
            place += len(row)
            why = next((no_c[i] or no_q[i] for i in here if no_c[i] or no_q[i]), "")
            said.append(why or [(Judged(float(c[i]), "", True), Judged(float(q[i]), "", True)) for i in here])
        return said, {"complexity_model": self.complexity_model, "quality_model": self.quality_model}

    def _value(self, given: Sequence[tuple[Judged, Judged]]) -> float:
        return evol_score([c.value for c, _ in given], [q.value for _, q in given], self.turn_reduce)

    def memory(self, size: Size) -> float:
        """Replies and numbers of every row; the scorers where they run here."""
        return 64e6 + 400.0 * size.rows + (30e9 if self.by == "checkpoint" else 0.0)

    def disk(self, size: Size) -> float:
        """The score, three columns and what the judge replied."""
        return 80.0 * size.rows


_Said = list[tuple[Judged, Judged]] | str
"""Complexity and quality of every turn of a row, or why there is none."""


def _explained(given: Sequence[tuple[Judged, Judged]]) -> str:
    lines = []
    for number, (c, q) in enumerate(given, 1):
        turn = f"turn {number}: " if len(given) > 1 else ""
        lines += [f"{turn}{name} {one.value:.2f}{_quoted(one)}" for name, one in (("complexity", c), ("quality", q))]
    return "\n".join(lines)


def _quoted(one: Judged) -> str:
    return f" (reply: {clean(one.text).strip()})" if one.text.strip() else ""
