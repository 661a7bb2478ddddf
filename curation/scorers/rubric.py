"""A rubric of the user's own: a judge grades every row by several criteria, which make one score."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import Scorer, Size
from curation.core.runtime import Runtime
from curation.models.chat.auditing import report_of
from curation.models.chat.judge import Judge, pretended_parts
from curation.models.chat.judging import CUT, Build, ends_in_number, judge_rows, on_scale
from curation.models.chat.parsing import scores_in
from curation.models.chat.prompts import blocks
from curation.models.chat.shown import parts_of, turned
from curation.models.chat.types import Reply, Request, Unparsed
from curation.scorers._rubric import (
    DEFAULT_CRITERIA,
    Aggregate,
    Criterion,
    Example,
    Reasons,
    check,
    combine,
    ends,
    reply_of,
    scales_of,
    schema_of,
    shape_of,
)

STAND_IN_SAYS = "Made up by the stand-in from a hash of the row: nobody read it."


class Rubric(Judge, Scorer):
    """What a judge says of every row by criteria of your own, each on its own scale.

    The score is the mean of all criteria by their weights, each brought to 0 to 100 first; or their sum, or the lowest.
    A column holds the scores of each criterion, `explanation` the reply as it came. The judge is asked for a JSON
    object: by a schema where the server takes one, in words elsewhere; lines of "name: number" are read as well. A row
    is missing, with a reason that names the criterion, if one score is lacking or beyond its scale after all tries.

    Audited rows have a second judgement in `again` or `swapped`, and in "NAME (again)" and "NAME (swapped)" for every
    criterion. Rows stand between lines with a mark that occurs in none of their text.
    """

    title: ClassVar[str] = "Judge, a rubric of your own"
    weakness: ClassVar[str] = (
        "Criteria that are graded in one reply rub off on each other; unclear ones are guessed at."
    )
    source: ClassVar[str] = (
        "Grading by several criteria as LIFT does (Xu et al. 2023, arXiv:2312.11508); the form is ours"
    )

    criteria: tuple[Criterion, ...] = Field(
        DEFAULT_CRITERIA, min_length=1, max_length=20, description="name, description, weight, low and high of each"
    )
    examples: tuple[Example, ...] = Field(
        (), max_length=10, description="rows that were graded by hand: text, scores by criterion, why"
    )
    instructions: str = Field("", max_length=10_000, description="what the judge should know about these rows")
    aggregate: Aggregate = Field("weighted mean", description="how the criteria become one score")
    reasons: Reasons = Field("before", description="whether the judge gives its reasons, before or after the scores")
    max_tokens: int = Field(512, ge=1, le=131_072, description="tokens of a reply, at most")
    prompt: Literal["rubric-v1"] = Field("rubric-v1", description="wording, with its version")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        check(self.criteria, self.examples, self.aggregate)
        return self

    def build(self, pool: Dataset) -> Build:
        """What is asked about a row."""
        words, task = self.words(), self._task()
        schema, contents = schema_of(self.criteria, self.reasons), pool.contents
        system = f"{words.write('system')}\n\n{words.write('data')}"

        def build(row: int, swapped: bool) -> Request | str:
            parts = parts_of(pool, row)
            if isinstance(parts, str):
                return parts
            shown, mark = blocks(turned(parts) if swapped else parts)
            return Request(
                (("system", system), ("user", f"{task}\n\n{shown}\n\n{words.write('end', mark=mark)}")),
                self.max_tokens,
                self.temperature,
                self.top_p,
                schema,
                pretend=self._pretend(contents[row], swapped),
            )

        return build

    def read(self, reply: Reply) -> tuple[float, ...] | Unparsed:
        """A number for every criterion, or why the reply has none for one of them."""
        return Unparsed(CUT) if ends_in_number(reply) else scores_in(reply.text, scales_of(self.criteria))

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Ask the judge about every row.

        Raises:
            CurationError: there is no such connection, or it leads elsewhere than the recipe says.
            ModelError: the server refuses, as it does a wrong key.
            CapReached: the run has spent what it may; replies so far are kept.
        """
        low, high, step = ends(self.criteria, self.aggregate)
        turns = self.turns(pool)
        judged = judge_rows(
            pool,
            self.build(pool),
            self.read,
            self,
            runtime,
            width=len(self.criteria),
            turns=turns,
            tries=self.tries,
            scale=(low, high),
            shown=lambda values: float(self._combined(np.array([values]))[0]),
        )
        columns: dict[str, np.ndarray] = {one.name: judged.values[:, i] for i, one in enumerate(self.criteria)}
        columns["explanation"] = judged.texts
        if turns.any():
            for kind, values in (("again", judged.again), ("swapped", judged.swapped)):
                columns[kind] = self._combined(values)
                columns |= {f"{one.name} ({kind})": values[:, i] for i, one in enumerate(self.criteria)}
            columns["second_explanation"] = judged.texts_again
        info = {**judged.info, **self.facts(), "low": low, "high": high, "step": step, "aggregate": self.aggregate}
        info["criteria"] = [one.name for one in self.criteria]
        made = Score(
            pool.fingerprint,
            self._combined(judged.values),
            Missing.from_list(judged.reasons),
            "rubric (judge)",
            True,
            columns,
            info,
        )
        info["audit"] = report_of(made, pool).facts()
        return made

    def disk(self, size: Size) -> float:
        """Scores of every criterion, and what was said."""
        return (1_000.0 + 24.0 * len(self.criteria)) * size.rows

    def _combined(self, values: np.ndarray) -> np.ndarray:
        return combine(values, self.criteria, self.aggregate)

    def _task(self) -> str:
        """What stands before the row: the same for all rows, so that servers may keep it."""
        words = self.words()
        lines = [words.write("criteria")]
        for one in self.criteria:
            part = "described" if one.description.strip() else "criterion"
            description = " ".join(one.description.split())
            lines.append(words.write(part, name=one.name, low=one.low, high=one.high, description=description))
        parts = [self.instructions.strip(), "\n".join(lines), words.write("fair")]
        parts.append(f"{words.write(self.reasons)}\n{shape_of(self.criteria, self.reasons)}")
        for example in self.examples:
            shown, _mark = blocks([("row", example.text)])
            given = {name.casefold(): value for name, value in example.scores.items()}
            scores = ", ".join(f"{one.name} {given[one.name.casefold()]:g}" for one in self.criteria)
            why = " ".join(example.why.split())
            parts.append(f"{shown}\n\n{words.write('example_why' if why else 'example', scores=scores, why=why)}")
        parts.append(words.write("task"))
        return "\n\n".join(part for part in parts if part)

    def _pretend(self, content: bytes, swapped: bool) -> str:
        parts = pretended_parts(content, swapped, "rubric", len(self.criteria))
        scores = []
        for part, one in zip(parts, self.criteria, strict=True):
            scores.append(on_scale(part, one.low, one.high, min(1.0, one.high - one.low)))
        return reply_of(scores, self.criteria, self.reasons, STAND_IN_SAYS)
