"""The base of the two generators that evolve texts: fields, asking, and the rows that families become."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from curation.core.dataset import Dataset
from curation.core.generated import Made
from curation.core.method import Generator, MethodClass, Size
from curation.core.missing import Missing
from curation.core.row import Message, Row
from curation.core.runtime import Runtime
from curation.generators._evolving import Family, family_of, operators_in_turn, pretended_scores
from curation.generators._lift import storable
from curation.models.chat.asking import AUTO, Asking
from curation.models.chat.judging import target
from curation.models.chat.prompts import Prompt, blocks
from curation.models.chat.turns import Turn
from curation.models.chat.types import Request
from curation.models.chat.wording import wording

if TYPE_CHECKING:
    from curation.models.chat.client import Say

RANK_TOKENS = 256


class Evolution(Asking, Generator):
    """What evolving questions and evolving answers share."""

    method_class: ClassVar[MethodClass] = "zero-order"
    operators: ClassVar[tuple[str, ...]] = ()
    fillers: ClassVar[dict[str, str]] = {}  # what the stand-in adds for each operator
    label: ClassVar[str] = ""  # of the text that is evolved
    made: ClassVar[str] = ""  # name of the new Dataset

    steps: int = Field(5, ge=1, le=20, description="evolutions of every row, each made from the one before")
    temperature: float = Field(0.7, ge=0, le=2, description="randomness of the evolutions; scores are asked for at 0")
    max_tokens: int = Field(1024, ge=16, le=131_072, description="tokens of an evolution, at most")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of the order of operators and of the order shown")
    prompt: str = Field("", description="wording, with its version")
    prompt_hash: str = Field(AUTO, min_length=1, description="of the prompts' words; auto fills it in")

    def resolve(self, runtime: Runtime) -> Self:
        """Write endpoint, model and words into the recipe.

        Raises:
            CurationError: if there is no such connection, or the wording is another one.
        """
        return super().resolve(runtime).model_copy(update={"prompt_hash": self.words().hash})

    def words(self) -> Prompt:
        """The wording.

        Raises:
            CurationError: if it is not the one that the recipe was resolved with.
        """
        return wording(self.prompt, self.prompt_hash)

    def turn(self, pool: Dataset, row: int) -> Turn | str:
        """Question and answer of a row, or why it is not evolved."""
        raise NotImplementedError

    def text(self, turn: Turn) -> str:
        """The part that is evolved."""
        raise NotImplementedError

    def beside(self, turn: Turn) -> list[tuple[str, str]]:
        """Labelled texts that stand before it."""
        return []

    def row_messages(self, turn: Turn, text: str) -> tuple[str, str]:
        """Question and answer of a variant's row."""
        raise NotImplementedError

    def requests(self, pool: Dataset) -> list[list[Request]]:
        """The first evolution of every row; what follows depends on it."""
        found: list[list[Request]] = []
        contents = pool.contents
        for row in range(len(pool)):
            turn = self.turn(pool, row)
            if isinstance(turn, str):
                found.append([])
                continue
            first = operators_in_turn(self.operators, self.steps, self.seed, contents[row])[0]
            found.append([self.evolve_request(turn, self.text(turn), first)])
        return found

    def calls_per_row(self) -> float:
        """A call for each step, and one for the scores."""
        return self.steps + 1.0

    def generate(self, pool: Dataset, runtime: Runtime) -> Made:
        """Evolve every row and have each family scored.

        Raises:
            CurationError: there is no such connection.
            ModelError: the server refuses, as it does a wrong key.
            CapReached: the run has spent what it may; replies so far are kept.
        """
        from curation.models.chat.client import converse

        connection = target(self)
        found = [self.turn(pool, row) for row in range(len(pool))]
        turns = [(row, turn) for row, turn in enumerate(found) if not isinstance(turn, str)]
        contents = pool.contents

        async def talk(place: int, say: Say) -> Family:
            row, turn = turns[place]
            return await family_of(
                self.text(turn),
                operators_in_turn(self.operators, self.steps, self.seed, contents[row]),
                lambda text, operator: self.evolve_request(turn, text, operator),
                lambda texts: self.rank_request(turn, texts),
                say,
                seed=self.seed,
                content=contents[row],
                attempt=self.attempt,
            )

        families = converse(len(turns), talk, connection, runtime)
        reasons: list[str | None] = [turn if isinstance(turn, str) else None for turn in found]
        rows: list[Row] = []
        parents: list[int] = []
        for (row, turn), family in zip(turns, families, strict=True):
            reasons[row] = family.reason or None
            for place, variant in enumerate(family.variants if family.scores else ()):
                question, answer = self.row_messages(turn, storable(variant.text))
                fields = {
                    "evol_score": family.scores[place],
                    "evol_step": variant.step,
                    "evol_operator": variant.operator,
                    "evol_shown": family.shown[place],
                    "parent": pool.row_id(row),
                }
                rows.append(alpaca_row(question, answer, fields))
                parents.append(row)
        info = {**connection.info(), "prompt": self.prompt, **facts_of(families)}
        return Made(rows, np.array(parents, np.int64), Missing.from_list(reasons), self.made, info)

    def evolve_request(self, turn: Turn, text: str, operator: str) -> Request:
        """What is asked to get the next variant of a text."""
        words = self.words()
        shown, mark = blocks([*self.beside(turn), (self.label, text)])
        task = words.write("evolve", operator=words.write(operator))
        user = "\n\n".join([words.write("data", mark=mark), shown, task])
        return Request(
            (("system", words.write("system")), ("user", user)),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            pretend=f"<new>\n{text} {self.fillers[operator]}\n</new>",
        )

    def rank_request(self, turn: Turn, texts: Sequence[str]) -> Request:
        """What is asked to get the scores of siblings, in the order shown."""
        words = self.words()
        shown, mark = blocks([*self.beside(turn), *((f"{self.label} {k}", text) for k, text in enumerate(texts, 1))])
        user = "\n\n".join([words.write("data", mark=mark), shown, words.write("rank", count=len(texts))])
        return Request(
            (("system", words.write("rank_system")), ("user", user)),
            max_tokens=RANK_TOKENS,
            pretend=pretended_scores(texts),
        )

    def work(self, size: Size) -> float:
        """Calls."""
        return float(size.rows * self.calls_per_row() + 1)

    def memory(self, size: Size) -> float:
        """All variants of all rows."""
        return 64e6 + 8.0 * (1 + self.steps) * (size.chars + 1_000.0 * size.rows)

    def disk(self, size: Size) -> float:
        """The new rows, each written twice: as messages and as a record."""
        return 2.0 * (1 + self.steps) * (size.chars + 1_000.0 * size.rows)


def alpaca_row(question: str, answer: str, fields: dict[str, Any]) -> Row:
    """A row in Alpaca form whose record has more fields."""
    record = {"instruction": question, "input": "", "output": answer, **fields}
    messages: list[Message] = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return Row(messages, json.dumps(record, ensure_ascii=False), "", 0, "alpaca")


def facts_of(families: Sequence[Family]) -> dict[str, Any]:
    """Counts over families: what was dropped, how scores spread, and whether the place shown moved them."""
    dropped: Counter[str] = Counter()
    for family in families:
        dropped.update(dict(family.dropped))
    scored = [family for family in families if family.scores]
    by_place: dict[int, list[float]] = {}
    for family in scored:
        for place, score in zip(family.shown, family.scores, strict=True):
            by_place.setdefault(place, []).append(score)
    rises = [family.scores[-1] - family.scores[0] for family in scored]
    words = [variant.words for family in scored for variant in family.variants[1:]]
    return {
        "families": len(scored),
        "evolutions": sum(len(family.variants) - 1 for family in families),
        "dropped": dict(dropped.most_common()),
        "families without scores": dict(Counter(f.reason for f in families if f.reason).most_common()),
        "mean score by place shown": [round(float(np.mean(by_place[k])), 4) for k in sorted(by_place)],
        "families whose last variant scores above the original": sum(rise > 0 for rise in rises),
        "median words added": float(np.median(words)) if words else None,
    }
