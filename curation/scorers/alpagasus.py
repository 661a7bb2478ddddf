"""AlpaGasus: a chat model rates every answer by one dimension, on a scale."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import Scorer
from curation.core.runtime import Runtime
from curation.models.chat.auditing import report_of
from curation.models.chat.judge import Judge, pretended_parts
from curation.models.chat.judging import CUT, Build, ends_in_number, judge_rows, on_scale
from curation.models.chat.parsing import LABELS, Digits, expected_score, get_scores_repo, score_in
from curation.models.chat.prompts import blocks
from curation.models.chat.shown import parts_of, turned
from curation.models.chat.types import Reply, Request, Unparsed

MOST_ALTERNATIVES = 20
"""Alternatives that servers tell of a token, at most."""
NOT_FINITE = Unparsed("the reply is no finite number")


class AlpaGasus(Judge, Scorer):
    """What a judge says of the last answer of every row: the more of `dimension`, the higher.

    The judge sees instruction, input and response, earlier turns before them, and is asked for a number alone on the
    first line and an explanation below it. Replies that say no number within the scale are asked for again, `tries`
    times in all; then the row is missing, with a reason. Nothing stands in for a score.

    `expected: text` takes the number that is written. `logprobs` asks for whole numbers and takes the mean of the
    scale's digits, weighted by the probabilities that the server tells of the first token, so that scores are no longer
    a few steps; rows without them are missing. `auto` does the same where the scale is of whole digits (`step: 1`) and
    the server tells probabilities, and takes the number written elsewhere; the column `mass`, what probabilities of
    scores add up to, shows where.

    Columns: `explanation`, the reply as it came; `again` and `swapped`, the second judgement of audited rows, with its
    reply. Text of the dataset stands between lines with a mark that occurs in none of it, so no row can pass for
    instructions by its form; that a judge is persuaded by what it reads is not excluded.
    """

    title: ClassVar[str] = "Judge, one dimension (AlpaGasus)"
    weakness: ClassVar[str] = (
        "Knows no categories: code was filtered more than other rows. Judges like length, and what sounds like them."
    )
    source: ClassVar[str] = "AlpaGasus (Chen et al. 2023, arXiv:2307.08701); the wording is ours"

    dimension: str = Field(
        "accuracy",
        min_length=1,
        max_length=500,
        description="what is rated: accuracy, helpfulness, or words of your own",
    )
    low: float = Field(0.0, ge=0, le=100, description="lowest score of the scale")
    high: float = Field(5.0, gt=0, le=100, description="highest score of the scale")
    step: float = Field(
        0.5, gt=0, le=100, description="difference of two neighbouring scores, for the audit", examples=[1.0]
    )
    say_step: bool = Field(False, description="the judge is told the step; published prompts do not say one")
    expected: Literal["auto", "text", "logprobs"] = Field(
        "auto", description="the number written, or the mean of the digits by their probabilities"
    )
    arrangement: Literal["user", "system"] = Field(
        "user", description="in which message the row stands: the user's as in the released code, or the system's"
    )
    digits: Digits = Field("ascii", description="digits that a reply may have: 0 to 9, or those of every script")
    compat: Literal["none", "repo"] = Field(
        "none", description="repo: read replies as the released code does, with −1 for what it cannot read"
    )
    prompt: Literal["alpagasus-v1"] = Field("alpagasus-v1", description="wording, with its version")

    @model_validator(mode="after")
    def _scale(self) -> Self:
        if not self.dimension.strip():
            raise ValueError("dimension is blank: say what is rated")
        if self.low >= self.high:
            raise ValueError(f"low is {self.low:g}, and high is {self.high:g}: it must be more")
        if self.step > self.high - self.low:
            raise ValueError(f"step is {self.step:g}, which is more than the scale from {self.low:g} to {self.high:g}")
        if self.expected == "logprobs" and not self._by_digits():
            raise ValueError("expected: logprobs needs a scale of single digits, such as 0 to 5, and step: 1")
        if self.expected == "logprobs" and self.compat == "repo":
            raise ValueError("expected: logprobs and compat: repo exclude each other")
        return self

    def build(self, pool: Dataset) -> Build:
        """What is asked about a row."""
        words, scale = self.words(), {"low": self.low, "high": self.high}
        request = words.write("request", dimension=self.dimension, **scale)
        if self._reads_digits():
            request += "\n" + words.write("whole")
        elif self.say_step:
            request += "\n" + words.write("steps", step=self.step)
        contents = pool.contents

        def build(row: int, swapped: bool) -> Request | str:
            parts = parts_of(pool, row)
            if isinstance(parts, str):
                return parts
            shown, mark = blocks(turned(parts) if swapped else parts)
            shown = f"{words.write('data', mark=mark)}\n\n{shown}"
            system, user = words.write("system"), request
            if self.arrangement == "system":
                system = f"{system}\n\n{shown}"
            else:
                user = f"{shown}\n\n{user}"
            return Request(
                (("system", system), ("user", user)),
                self.max_tokens,
                self.temperature,
                self.top_p,
                logprobs=MOST_ALTERNATIVES if self._reads_digits() else 0,
                choices=tuple(self._scores()) if self._reads_digits() else (),
                pretend=self._pretend(contents[row], swapped),
            )

        return build

    def read(self, reply: Reply) -> tuple[float, float] | Unparsed:
        """Score and mass of a reply, the mass NaN where the number written is taken; or why it says none."""
        if self.compat == "repo":
            value = get_scores_repo(reply.text)
            return (value, math.nan) if math.isfinite(value) else NOT_FINITE
        if self._reads_digits() and (self.expected == "logprobs" or any(reply.first)):
            found = expected_score(reply.first, self._scores())
            if not isinstance(found, Unparsed):
                return found.value, found.mass
            if self.expected == "logprobs":
                return found
        if ends_in_number(reply) and "\n" not in reply.text.strip() and not self._by_digits():
            return Unparsed(CUT)
        written = score_in(
            reply.text, self.low, self.high, digits=self.digits, labels=(*LABELS, self.dimension.strip().casefold())
        )
        return written if isinstance(written, Unparsed) else (written, math.nan)

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Ask the judge about every row.

        Raises:
            CurationError: there is no such connection, or it leads elsewhere than the recipe says.
            ModelError: the server refuses, as it does a wrong key.
            CapReached: the run has spent what it may; replies so far are kept.
        """
        turns = self.turns(pool)
        judged = judge_rows(
            pool,
            self.build(pool),
            self.read,
            self,
            runtime,
            width=2,
            turns=turns,
            tries=self.tries,
            scale=(self.low, self.high),
        )
        columns: dict[str, np.ndarray] = {"explanation": judged.texts}
        if turns.any():
            columns |= {"again": judged.again[:, 0], "swapped": judged.swapped[:, 0]}
            columns["second_explanation"] = judged.texts_again
        if self._reads_digits():
            columns["mass"] = judged.values[:, 1]
        info = {**judged.info, **self.facts(), "low": self.low, "high": self.high, "step": self.step}
        made = Score(
            pool.fingerprint,
            judged.values[:, 0].copy(),
            Missing.from_list(judged.reasons),
            f"{self.dimension.strip()[:40]} (judge)",
            True,
            columns,
            info,
        )
        info["audit"] = report_of(made, pool).facts()
        return made

    def _by_digits(self) -> bool:
        whole = self.low.is_integer() and self.high.is_integer()
        return whole and self.step == 1 and self.high <= 9

    def _reads_digits(self) -> bool:
        return self.expected != "text" and self.compat == "none" and self._by_digits()

    def _scores(self) -> dict[str, float]:
        return {str(k): float(k) for k in range(int(self.low), int(self.high) + 1)}

    def _pretend(self, content: bytes, swapped: bool) -> str:
        (part,) = pretended_parts(content, swapped, f"alpagasus {self.dimension}", 1)
        value = on_scale(part, self.low, self.high, self.step)
        return f"{value:g}\nMade up by the stand-in from a hash of the row: nobody read it."
