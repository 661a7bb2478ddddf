"""LIFT's expansion: prompts rewritten into harder ones, round after round, and answered."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, StringConstraints, model_validator

from curation.core.dataset import Dataset
from curation.core.generated import Made
from curation.core.method import Generator, MethodClass, Size
from curation.core.missing import Missing
from curation.core.row import Row
from curation.core.runtime import Runtime
from curation.generators._lift import (
    PROMPT,
    Task,
    answering_request,
    rewrite_in_rounds,
    rewriting_request,
    rewritten,
    row_of,
    storable,
    tagged,
    task_of,
)
from curation.models.chat.asking import AUTO, Asking
from curation.models.chat.judging import CUT, REFUSED, target
from curation.models.chat.prompts import Prompt
from curation.models.chat.types import Reply, Request, Unparsed, spoken
from curation.models.chat.wording import wording

if TYPE_CHECKING:
    from curation.models.chat.client import Say
    from curation.models.chat.connections import Connection

ROUND = 10_000
"""Between the samples of two rounds; tries count on within one."""

Rule = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]

EMPTY = "the reply is empty"


class LiftExpand(Asking, Generator):
    """The rows of a pool, answered anew, and harder versions of them in several rounds.

    In every round a model rewrites the prompt of each row by a few rules, and the new prompt is answered: two calls per
    row and round, and one for a new answer to the original. Round 2 rewrites what round 1 made (`chain`), or the
    original again. The new rows stand in this order: originals, round 1, round 2, …, each in the order of the pool.
    They are in Alpaca form; their records say `lift_round` (0 = original), `lift_rules` and `lift_parent`, the id of
    the original row.

    Only rows of one question, in text, are expanded, with their system text if they have one; the others are kept as
    they are and counted. A new prompt that equals the one it was made from, or another of the same row, is dropped and
    counted. Replies that were cut off, are empty or hold no prompt make no row; in a chain the rounds after it are
    then missing as well. Why is counted in the facts; a row of which nothing came is missing for the same reason.
    """

    title: ClassVar[str] = "Expand by rewriting (LIFT)"
    method_class: ClassVar[MethodClass] = "zero-order"
    weakness: ClassVar[str] = "Writes what the model believes: harder prompts may be unanswerable, answers wrong."
    source: ClassVar[str] = (
        "LIFT (Xu et al. 2023, arXiv:2312.11508), phase 1, and its authors' code; the wording of the rules is ours"
    )

    rounds: int = Field(2, ge=0, le=10, description="how often every prompt is rewritten")
    chain: bool = Field(True, description="each round rewrites what the one before made; off: always the original")
    regenerate: bool = Field(True, description="originals get a new answer by the model; off: they stay as they are")
    rules: Literal["nlu", "code", "own"] = Field(
        "nlu", description="by which rules prompts are rewritten: for general prompts, for code, or your own"
    )
    own_rules: list[Rule] = Field(
        [],
        max_length=30,
        description="your own rules, a sentence each",
        examples=[["Ask for the answer in the form of a letter."]],
    )
    temperature: float = Field(0.5, ge=0, le=2, description="randomness of rewriting and answering")
    answer_connection: str = Field(
        "", max_length=80, description="who answers, a name from your connections; empty: who rewrites"
    )
    answer_endpoint: str = Field(AUTO, min_length=1, description="address of who answers; auto: the connection's")
    answer_model: str = Field(AUTO, min_length=1, description="model that answers; auto: the connection's")
    prompt_tokens: int = Field(1024, ge=16, le=131_072, description="tokens of a rewritten prompt, at most")
    answer_tokens: int = Field(1024, ge=16, le=131_072, description="tokens of an answer, at most")
    prompt_hash: str = Field(AUTO, min_length=1, description="fingerprint of the wording; auto fills it in")

    @model_validator(mode="after")
    def _rules_of_ones_own(self) -> Self:
        if (self.rules == "own") != bool(self.own_rules):
            raise ValueError("'own_rules' go with rules: own, and rules: own needs some")
        return self

    def resolve(self, runtime: Runtime) -> Self:
        """Write both connections' endpoints and models and the wording's fingerprint into the recipe."""
        made = super().resolve(runtime)
        endpoint, model = self.answer_endpoint, self.answer_model
        if self._answers_elsewhere():
            other = Asking(connection=self.answer_connection, endpoint=endpoint, model=model).resolve(runtime)
            endpoint, model = other.endpoint, other.model
        update = {
            "answer_endpoint": made.endpoint if endpoint == AUTO else endpoint,
            "answer_model": made.model if model == AUTO else model,
            "prompt_hash": self.words().hash,
        }
        return made.model_copy(update=update)

    def key_parameters(self) -> dict[str, Any]:
        """All but the names of connections."""
        parameters = super().key_parameters()
        parameters.pop("answer_connection")
        return parameters

    def requests(self, pool: Dataset) -> list[list[Request]]:
        """New answers to the originals, where the same model gives them, and the first rewriting."""
        found: list[list[Request]] = []
        for row in range(len(pool)):
            task, asked = _task(pool, row), []
            if isinstance(task, Task):
                if self.regenerate and not self._answers_elsewhere():
                    asked.append(self._answering(task))
                if self.rounds:
                    asked.append(self._rewriting(task, 0))
            found.append(asked)
        return found

    def calls_per_row(self) -> float:
        """A rewriting and an answer for each round, and an answer for the original."""
        return 2.0 * self.rounds + self.regenerate

    def generate(self, pool: Dataset, runtime: Runtime) -> Made:
        """Rewrite all prompts, then have all of them answered.

        Raises:
            CurationError: there is no such connection.
            ModelError: the server refuses, as it does a wrong key.
            CapReached: the run has spent what it may; replies so far are kept.
        """
        from curation.models.chat.client import ask_until, converse

        rewriter = answerer = target(self)
        if self._answers_elsewhere():
            answerer = target(
                Asking(connection=self.answer_connection, endpoint=self.answer_endpoint, model=self.answer_model)
            )
        tasks = {row: task for row in range(len(pool)) if isinstance(task := _task(pool, row), Task)}
        rows, untagged = list(tasks), 0

        async def rewrite(place: int, say: Say) -> list[Task | str]:
            async def ask(task: Task, turn: int) -> Task | str:
                nonlocal untagged

                def read(reply: Reply) -> tuple[Task, bool] | Unparsed:
                    text = _said(reply)
                    if isinstance(text, Unparsed):
                        return text
                    found = rewritten(text, task)
                    return Unparsed(found) if isinstance(found, str) else (found, tagged(text))

                found = await ask_until(say, self._rewriting(task, turn), read, attempt=self.attempt)
                if isinstance(found, Unparsed):
                    return found.reason
                untagged += not found[1]
                return found[0]

            return await rewrite_in_rounds(tasks[rows[place]], self.rounds, ask, chain=self.chain)

        stages = _Stages(runtime, len(rows), self.rounds, self.regenerate)
        rewritings = dict(zip(rows, converse(len(rows), rewrite, rewriter, stages.rewriting()), strict=True))

        wanted = [(0, row, task) for row, task in tasks.items()] if self.regenerate else []
        for turn in range(self.rounds):
            here = ((row, rewritings[row][turn]) for row in rows)
            wanted += [(turn + 1, row, task) for row, task in here if isinstance(task, Task)]

        async def answer(place: int, say: Say) -> str | Unparsed:
            return await ask_until(say, self._answering(wanted[place][2]), _said, attempt=self.attempt)

        answers = converse(len(wanted), answer, answerer, stages.answering(len(wanted)))
        return self._made(
            pool, rewritings, wanted, answers, {**_who(rewriter, answerer), "replies without tags": untagged}
        )

    def _made(
        self,
        pool: Dataset,
        rewritings: dict[int, list[Task | str]],
        wanted: list[tuple[int, int, Task]],
        answers: list[str | Unparsed],
        facts: dict[str, Any],
    ) -> Made:
        """The new rows in order, and what became of the others."""
        lost, why = Counter[str](), dict[int, str]()

        def lose(turn: int, row: int, reason: str) -> None:
            lost[f"{f'round {turn}' if turn else 'new answer'}: {reason}"] += 1
            why.setdefault(row, reason)

        made: list[tuple[int, int, Row]] = []
        for row, turns in rewritings.items():
            for turn, found in enumerate(turns, 1):
                if isinstance(found, str):
                    lose(turn, row, found)
        for (turn, row, task), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Unparsed):
                lose(turn, row, answer.reason)
            else:
                fields = _fields(pool, row, turn, self.rules if turn else "")
                made.append((turn, row, row_of(task, answer, **fields)))
        kept = [row for row in range(len(pool)) if row not in rewritings]
        as_they_are = kept if self.regenerate else range(len(pool))
        made += [(0, row, _as_it_was(pool, row)) for row in as_they_are]
        made.sort(key=lambda one: one[:2])
        parents = np.array([row for _, row, _ in made], np.int64)
        children = np.bincount(parents, minlength=len(pool))
        reasons = [None if children[row] else why.get(row, "no round was asked for") for row in range(len(pool))]
        rounds = Counter(turn for turn, _, _ in made)
        info = {
            **facts,
            "prompt": f"{PROMPT}, rules {self.rules}",
            "originals answered anew": rounds[0] - len(as_they_are),
            "originals as they were": len(as_they_are),
            **{f"rows of round {turn}": rounds[turn] for turn in range(1, self.rounds + 1)},
            "rows that cannot be expanded": dict(Counter(str(_task(pool, row)) for row in kept)),
            "not made": dict(lost.most_common()),
        }
        return Made([row for *_, row in made], parents, Missing.from_list(reasons), "expanded", info)

    def words(self) -> Prompt:
        """The wording.

        Raises:
            CurationError: if it is not the one that the recipe was resolved with.
        """
        return wording(PROMPT, self.prompt_hash)

    def _rewriting(self, task: Task, turn: int) -> Request:
        words = self.words()
        rules = "\n".join(f"- {rule}" for rule in self.own_rules) or words.parts[f"{self.rules}_rules"]
        return rewriting_request(
            task,
            words.parts[f"{self.rules}_style"],
            rules,
            temperature=self.temperature,
            max_tokens=self.prompt_tokens,
            sample=ROUND * turn,  # without a chain all rounds ask the same, and want different replies
        )

    def _answering(self, task: Task) -> Request:
        return answering_request(task, temperature=self.temperature, max_tokens=self.answer_tokens)

    def _answers_elsewhere(self) -> bool:
        return self.answer_connection not in ("", self.connection)

    def work(self, size: Size) -> float:
        """Calls."""
        return float(size.rows * self.calls_per_row() + 1)

    def memory(self, size: Size) -> float:
        """All prompts of all rounds, and the answers."""
        return 64e6 + 8.0 * (1 + self.rounds) * (size.chars + 2_000.0 * size.rows)

    def disk(self, size: Size) -> float:
        """The new rows, each written twice: as messages and as a record."""
        return 2.0 * (1 + self.rounds) * (size.chars + 2_000.0 * size.rows)


@dataclasses.dataclass(frozen=True)
class _Stages:
    """Two runtimes that report one progress: prompts rewritten, then prompts answered."""

    runtime: Runtime
    rows: int
    rounds: int
    regenerate: bool

    def rewriting(self) -> Runtime:
        """Rows are counted as the rounds they stand for; as many answers are expected."""
        each = max(self.rounds, 1)
        return self._with(0, each, self.rows * (each + self.rounds + self.regenerate), "rewriting")

    def answering(self, answers: int) -> Runtime:
        """After the rewriting, when the number of answers is known."""
        before = self.rows * max(self.rounds, 1)
        return self._with(before, 1, before + answers, "answering")

    def _with(self, before: int, each: int, total: int, what: str) -> Runtime:
        def progress(done: float, _: float, note: str = "") -> None:
            self.runtime.progress(before + done * each, max(total, 1), f"{what}: {note}" if note else what)

        return dataclasses.replace(self.runtime, progress=progress)


def _task(pool: Dataset, row: int) -> Task | str:
    return task_of(pool.messages(row), pool.record(row), pool.tools(row))


def _said(reply: Reply) -> str | Unparsed:
    """What a reply says, without the thinking before it, or why it cannot be used."""
    if reply.refusal or reply.finish == "content_filter":
        return Unparsed(REFUSED)
    if reply.finish == "length":
        return Unparsed(CUT)
    return storable(spoken(reply.text)).strip() or Unparsed(EMPTY)


def _fields(pool: Dataset, row: int, turn: int, rules: str) -> dict[str, Any]:
    return {"lift_round": turn, "lift_rules": rules, "lift_parent": pool.row_id(row)}


def _as_it_was(pool: Dataset, row: int) -> Row:
    """A row of the pool, its record with the three fields where it is an object."""
    record = pool.record(row)
    if isinstance(record, dict):
        record = {**record, **_fields(pool, row, 0, "")}
    form, source = pool.column("form")[row].as_py(), pool.column("source")[row].as_py()
    return Row(pool.messages(row), json.dumps(record, ensure_ascii=False), source, 0, form, pool.tools(row))


def _who(rewriter: Connection, answerer: Connection) -> dict[str, Any]:
    """Who wrote the rows; a stand-in is said aloud."""
    other = {} if answerer.identity() == rewriter.identity() else answerer.info()
    flags = {name: True for name in ("weak", "stand_in") if other.pop(name, False)}
    return {**rewriter.info(), **{f"answers: {name}": value for name, value in other.items()}, **flags}
