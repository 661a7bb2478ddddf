"""DEITA's Evol-Complexity: questions made harder step by step, and all versions of one scored beside each other."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from curation.core.dataset import Dataset
from curation.generators._evolution import Evolution
from curation.models.chat.turns import NO_QUESTION, NOT_TEXT, SEVERAL, Turn, question_of


class EvolComplexity(Evolution):
    """Harder versions of every question, each made from the one before, with a score for complexity from 1 to 6.

    Operators: one more constraint, deeper, more concrete, more steps of reasoning; each comes once, in a shuffled
    order, before one comes again. A version may be ten to twenty words longer than the one before. The original and its
    versions are then scored in one prompt, in a shuffled order: 1 to 5, and 6 for what is too complex for the model.
    What is dropped: evolutions that are empty, identical to the one before or to a sibling, apologies; the next step
    goes on from the last one that succeeded. A family in which not every version has a score is missing.

    The new rows are the families, original first, in the order of the pool. They have no answers: they are made to
    learn what complexity looks like, not to train on. Their records say `evol_score`, `evol_step` (0 = the original),
    `evol_operator`, `evol_shown` (the place at which it was shown) and `parent`, so that `scorer/column` reads the
    scores. Only rows of one question are evolved; system texts are left out.
    """

    title: ClassVar[str] = "Evolve questions (Evol-Complexity)"
    weakness: ClassVar[str] = "The model that evolves also scores: what it takes for complex is what it made so."
    source: ClassVar[str] = "DEITA (Liu et al., ICLR 2024, arXiv:2312.15685), after WizardLM's operators; own prompts"
    operators: ClassVar[tuple[str, ...]] = ("constraint", "deepen", "concretise", "reasoning")
    label: ClassVar[str] = "prompt"
    made: ClassVar[str] = "evolved questions"
    fillers: ClassVar[dict[str, str]] = {
        "constraint": "Keep the answer below one hundred words, and name at least two examples in it.",
        "deepen": "Say also why this is so, and what would follow if it were not so.",
        "concretise": "Take the case of a small bakery in a town of four thousand people.",
        "reasoning": "Go step by step, and say at each step what you conclude from the one before.",
    }

    prompt: Literal["evol-complexity-v1"] = Field("evol-complexity-v1", description="wording, with its version")

    def turn(self, pool: Dataset, row: int) -> Turn | str:
        """The question of a row that has one."""
        messages = pool.messages(row)
        if any(part.get("type") != "text" for m in messages for part in m.get("parts", [])):
            return NOT_TEXT
        if sum(m["role"] == "user" for m in messages) > 1:
            return SEVERAL
        question = question_of(messages)
        return Turn(question, "") if question else NO_QUESTION

    def text(self, turn: Turn) -> str:
        """The question."""
        return turn.question

    def row_messages(self, turn: Turn, text: str) -> tuple[str, str]:
        """The version, and no answer."""
        return text, ""
