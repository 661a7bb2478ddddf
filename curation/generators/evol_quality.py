"""DEITA's Evol-Quality: answers improved step by step, and all versions of one scored beside each other."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from curation.core.dataset import Dataset
from curation.generators._evolution import Evolution
from curation.models.chat.turns import Turn, single_turn


class EvolQuality(Evolution):
    """Better versions of every answer, each made from the one before, with a score for quality from 1 to 6.

    Operators: helpfulness, relevance, depth, creativity, detail; each comes once, in a shuffled order, before one comes
    again. A version may be ten to twenty words longer than the one before. The original and its versions are then
    scored in one prompt beside the question, in a shuffled order: 1 to 5, and 6 for what cannot be improved. What is
    dropped, and which families are missing: see `generator/evol-complexity`.

    The new rows are the families, original first, in the order of the pool: the question, and a version as its answer.
    Their records say `evol_score`, `evol_step` (0 = the original), `evol_operator`, `evol_shown` and `parent`. Only
    rows of one turn are evolved; system texts are left out.
    """

    title: ClassVar[str] = "Evolve answers (Evol-Quality)"
    weakness: ClassVar[str] = "The model that evolves also scores, and most operators make an answer longer."
    source: ClassVar[str] = "DEITA (Liu et al., ICLR 2024, arXiv:2312.15685); own prompts"
    operators: ClassVar[tuple[str, ...]] = ("helpfulness", "relevance", "depth", "creativity", "detail")
    label: ClassVar[str] = "response"
    made: ClassVar[str] = "evolved answers"
    fillers: ClassVar[dict[str, str]] = {
        "helpfulness": "If you want to do this today, begin with the first point and take your time.",
        "relevance": "This is what your question comes down to, and the rest can be left aside.",
        "depth": "The reason lies in how the parts work together, which is worth a closer look.",
        "creativity": "Think of it as a river that finds its way around every stone it meets.",
        "detail": "In numbers: two parts in three, within about ten days, at a cost of five.",
    }

    prompt: Literal["evol-quality-v1"] = Field("evol-quality-v1", description="wording, with its version")

    def turn(self, pool: Dataset, row: int) -> Turn | str:
        """Question and answer of a row that has one of each."""
        return single_turn(pool.messages(row))

    def text(self, turn: Turn) -> str:
        """The answer."""
        return turn.answer

    def beside(self, turn: Turn) -> list[tuple[str, str]]:
        """The question."""
        return [("question", turn.question)]

    def row_messages(self, turn: Turn, text: str) -> tuple[str, str]:
        """The question with the version."""
        return turn.question, text
