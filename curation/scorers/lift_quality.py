"""LIFT, quality: a judge grades instruction and response together, with up to 100 points."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import Scorer
from curation.core.runtime import Runtime
from curation.models.chat.auditing import report_of
from curation.models.chat.judge import Judge, pretended_parts
from curation.models.chat.judging import CUT, Build, ends_in_number, judge_rows, on_scale
from curation.models.chat.parsing import NO_NUMBER, total_in, total_repo
from curation.models.chat.prompts import blocks
from curation.models.chat.shown import NO_RESPONSE, parts_of, turned
from curation.models.chat.types import Reply, Request, Unparsed

HIGHEST = 100.0


class LiftQuality(Judge, Scorer):
    """Points for clarity (15), difficulty (25), explanations (25) and accuracy (35), and the judge tells their sum.

    The first line of a reply should hold the total alone; the first number there is read, or the one after the word
    "total". Full marks are asked to be rare. A row without a readable total after all tries is missing; the released
    code gives it 0, as `compat: repo` does, which also reads digits as it does.

    Columns: `explanation`, the reply as it came; `again` and `swapped`, the second judgement of audited rows. Rows
    stand between lines with a mark that occurs in none of their text.
    """

    title: ClassVar[str] = "Judge, quality (LIFT)"
    weakness: ClassVar[str] = "Adds up points in its head, at a temperature: the same row may get another total."
    source: ClassVar[str] = "LIFT (Xu et al. 2023, arXiv:2312.11508), phase 2b; wording and worked examples are ours"

    domain: str = Field(
        "", max_length=60, description="what the rows are about, as one word for the judge; the released code says code"
    )
    max_tokens: int = Field(512, ge=1, le=131_072, description="tokens of a reply, at most")
    temperature: float = Field(0.5, ge=0, le=2, description="randomness of replies; 0: the likeliest one")
    compat: Literal["none", "repo"] = Field(
        "none", description="repo: read replies as the released code does, with 0 for what it cannot read"
    )
    prompt: Literal["lift-quality-v1"] = Field("lift-quality-v1", description="wording, with its version")

    def build(self, pool: Dataset) -> Build:
        """What is asked about a row."""
        words = self.words()
        domain = f"{self.domain.strip()} " if self.domain.strip() else ""
        request = words.write("request", domain=domain, examples=words.write("examples"))
        contents = pool.contents

        def build(row: int, swapped: bool) -> Request | str:
            parts = parts_of(pool, row)
            if isinstance(parts, str):
                return parts
            shown, mark = blocks(turned(parts) if swapped else parts)
            note = words.write("data", mark=mark)
            return Request(
                (
                    ("system", words.write("system")),
                    ("user", f"{request}\n\n{note}\n\n{shown}\n\n{words.write('end')}"),
                ),
                self.max_tokens,
                self.temperature,
                self.top_p,
                pretend=self._pretend(contents[row], swapped),
            )

        return build

    def read(self, reply: Reply) -> tuple[float] | Unparsed:
        """The total of a reply, or why it says none."""
        if self.compat == "repo":
            digits = total_repo(reply.text)
            return (digits,) if math.isfinite(digits) else NO_NUMBER
        if ends_in_number(reply) and "\n" not in reply.text.strip():
            return Unparsed(CUT)
        total = total_in(reply.text, HIGHEST)
        return total if isinstance(total, Unparsed) else (total,)

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
            width=1,
            turns=turns,
            tries=self.tries,
            scale=(0.0, HIGHEST),
        )
        values, reasons = judged.values[:, 0].copy(), judged.reasons
        if self.compat == "repo":
            asked = np.array([reason is not None and _was_asked(reason) for reason in reasons], bool)
            values[asked] = 0.0
            reasons = [None if failed else reason for failed, reason in zip(asked, reasons, strict=True)]
        columns: dict[str, np.ndarray] = {"explanation": judged.texts}
        if turns.any():
            columns |= {"again": judged.again[:, 0], "swapped": judged.swapped[:, 0]}
            columns["second_explanation"] = judged.texts_again
        info = {**judged.info, **self.facts(), "low": 0.0, "high": HIGHEST, "step": 1.0}
        made = Score(pool.fingerprint, values, Missing.from_list(reasons), "quality (judge)", True, columns, info)
        info["audit"] = report_of(made, pool).facts()
        return made

    def _pretend(self, content: bytes, swapped: bool) -> str:
        (part,) = pretended_parts(content, swapped, "lift quality", 1)
        return f"{on_scale(part, 0, HIGHEST, 1):g}\nMade up by the stand-in from a hash of the row: nobody read it."


def _was_asked(reason: str) -> bool:
    """False for rows about which there was nothing to ask."""
    return reason != NO_RESPONSE and not reason.startswith("a part of type")
