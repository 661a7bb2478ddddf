"""Answers of a chat model: every prompt of the rows answered anew over a connection."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.dataset import Dataset
from curation.core.generated import Made
from curation.core.method import Generator, MethodClass, Size
from curation.core.missing import Missing
from curation.core.row import Message, Row
from curation.core.runtime import Runtime
from curation.generators._answers import EMPTY, IfEmpty, answered_row, asked_in
from curation.generators._lift import storable
from curation.models.chat.asking import Asking
from curation.models.chat.judging import REFUSED, target
from curation.models.chat.types import Reply, Request, Unparsed, spoken

if TYPE_CHECKING:
    from curation.models.chat.client import Say

TOOLS = "it uses tools"


class Chat(Asking, Generator):
    """Every row with a new answer, which a chat model writes: one call for each row.

    The new rows are those of generator/answer: the same messages up to the last answer, then the reply. Their records
    say `answer_by`, `answer_parent` and `answer_finish` ("length" where the reply was cut). Earlier answers of a
    conversation are sent as they stand. Thinking before a reply is left out.

    Rows without a prompt, with parts that are no text, or with tools are missing, and so are rows whose reply was
    refused or never came; and empty replies, unless they are to be kept.
    """

    title: ClassVar[str] = "Answers of a chat model"
    method_class: ClassVar[MethodClass] = "zero-order"
    weakness: ClassVar[str] = "Says how another model would answer, not how the model that is trained would."
    source: ClassVar[str] = "New answers to old prompts, as LIFT (Xu et al. 2023, arXiv:2312.11508) has them written"

    temperature: float = Field(0.0, ge=0, le=2, description="0 = the most likely reply")
    max_tokens: int = Field(1024, ge=1, le=131_072, description="tokens of a reply, at most")
    empty: IfEmpty = Field("missing", description="an empty reply makes no row, or a row with an empty response")

    def requests(self, pool: Dataset) -> list[list[Request]]:
        """One for every row that can be answered."""
        asked = [_asked(pool, row) for row in range(len(pool))]
        return [[] if isinstance(messages, str) else [self._request(messages)] for messages in asked]

    def generate(self, pool: Dataset, runtime: Runtime) -> Made:
        """Ask for all answers.

        Raises:
            CurationError: there is no such connection.
            ModelError: the server refuses, as it does a wrong key.
            CapReached: the run has spent what it may; replies so far are kept.
        """
        from curation.models.chat.client import ask_until, converse

        connection = target(self)
        found = [_asked(pool, row) for row in range(len(pool))]
        asked = [(row, messages) for row, messages in enumerate(found) if not isinstance(messages, str)]
        reasons: list[str | None] = [why if isinstance(why, str) else None for why in found]

        async def talk(place: int, say: Say) -> tuple[str, str] | Unparsed:
            return await ask_until(say, self._request(asked[place][1]), self._said, attempt=self.attempt)

        replies = converse(len(asked), talk, connection, runtime)
        name = connection.identity()["model"]
        rows: list[Row] = []
        parents: list[int] = []
        finishes: Counter[str] = Counter()
        for (row, messages), said in zip(asked, replies, strict=True):
            if isinstance(said, Unparsed):
                reasons[row] = said.reason
                continue
            text, finish = said
            finishes[finish] += 1
            rows.append(answered_row(pool, row, messages, text, answer_by=name, answer_finish=finish))
            parents.append(row)
        info = {**connection.info(), "answers": len(rows), "cut at the limit of tokens": finishes["length"]}
        return Made(rows, np.array(parents, np.int64), Missing.from_list(reasons), "answers", info)

    def _said(self, reply: Reply) -> tuple[str, str] | Unparsed:
        """The text of a reply and why it ended, or why it cannot be used."""
        if reply.refusal or reply.finish == "content_filter":
            return Unparsed(REFUSED)
        text = storable(spoken(reply.text)).strip()
        return (text, reply.finish) if text or self.empty == "keep" else Unparsed(EMPTY)

    def _request(self, messages: list[Message]) -> Request:
        last = next(m["content"] for m in reversed(messages) if m["role"] == "user")
        return Request(
            tuple((m["role"], m["content"]) for m in messages),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            pretend=f"This was written by no model, it stands in for an answer to: {last[:400]}",
        )

    def work(self, size: Size) -> float:
        """Calls."""
        return float(size.rows + 1)

    def memory(self, size: Size) -> float:
        """All prompts and answers."""
        return 64e6 + 8.0 * (size.chars + 2_000.0 * size.rows)

    def disk(self, size: Size) -> float:
        """The new rows, each written twice: as messages and as a record."""
        return 2.0 * (size.chars + 2_000.0 * size.rows)


def _asked(pool: Dataset, row: int) -> list[Message] | str:
    messages: list[Any] = pool.messages(row)
    if pool.tools(row) is not None or any(m["role"] == "tool" or "tool_calls" in m for m in messages):
        return TOOLS
    return asked_in(messages)
