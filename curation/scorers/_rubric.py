"""A rubric as data: criteria, worked examples, how several scores become one, and how a judge is told."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curation.models.chat.parsing import Scale

Aggregate = Literal["weighted mean", "sum", "min"]
Reasons = Literal["before", "after", "none"]

EXPLANATION = "explanation"
TAKEN = (EXPLANATION, "second_explanation", "again", "swapped", "scores")
"""Names that columns and replies use themselves."""
_BARRED = set('"{}[]\\')


class Criterion(BaseModel):
    """One thing a row is graded by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(max_length=60, description="short name; the column of its scores is called so")
    description: str = Field("", max_length=2000, description="what the judge should look at, and what earns much")
    weight: float = Field(1.0, allow_inf_nan=False, description="how much it counts; 0: graded and not counted")
    low: float = Field(1.0, allow_inf_nan=False, description="lowest score")
    high: float = Field(5.0, allow_inf_nan=False, description="highest score")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        name = self.name.strip()
        if not name or name != self.name:
            raise ValueError(f"criterion {self.name!r}: a name has letters, and no blanks at its ends")
        if not name.isprintable() or _BARRED & set(name):
            raise ValueError(f"criterion {self.name!r}: a name has no line breaks, quotation marks, brackets or braces")
        if name.casefold() in TAKEN or name.casefold().endswith(("(again)", "(swapped)")):
            raise ValueError(f"criterion '{name}': this name is taken, choose another")
        if not 0 <= self.weight <= 1000:
            raise ValueError(f"criterion '{name}': its weight is {self.weight:g}; it must be from 0 to 1000")
        if not -1000 <= self.low < self.high <= 1000:
            raise ValueError(
                f"criterion '{name}': its scale goes from {self.low:g} to {self.high:g}; low must be less than high, "
                "and both within -1000 and 1000"
            )
        return self


class Example(BaseModel):
    """A row that was graded by hand, for the judge to go by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1, max_length=20_000, description="the row: instruction and response")
    scores: dict[str, float] = Field(description="criterion → its score")
    why: str = Field("", max_length=4000, description="the reasons")


DEFAULT_CRITERIA = (
    Criterion(name="Accuracy", description="Is what the response says correct, and is it what was asked for?"),
    Criterion(name="Completeness", description="Does the response answer all of the instruction?"),
    Criterion(name="Clarity", description="Is the response easy to follow for whoever asks this?"),
)


def check(criteria: Sequence[Criterion], examples: Sequence[Example], aggregate: Aggregate) -> None:
    """That criteria and examples fit together.

    Raises:
        ValueError: naming the criterion or the example.
    """
    names: dict[str, str] = {}
    for one in criteria:
        if one.name.casefold() in names:
            raise ValueError(f"criterion '{one.name}' occurs twice; upper and lower case are the same")
        names[one.name.casefold()] = one.name
    if not any(one.weight > 0 for one in criteria):
        raise ValueError(f"the weight of every criterion is 0, so there is no {aggregate}; give one a weight")
    for number, example in enumerate(examples, 1):
        given = {name.casefold(): value for name, value in example.scores.items()}
        for name in example.scores:
            if name.casefold() not in names:
                raise ValueError(f"example {number} has a score for '{name}', which is no criterion")
        for one in criteria:
            value = given.get(one.name.casefold())
            if value is None:
                raise ValueError(f"example {number} has no score for criterion '{one.name}'")
            if not one.low <= value <= one.high:
                raise ValueError(
                    f"example {number} has {value:g} for criterion '{one.name}', whose scale goes from {one.low:g} to "
                    f"{one.high:g}"
                )


def combine(scores: np.ndarray, criteria: Sequence[Criterion], aggregate: Aggregate) -> np.ndarray:
    """Several scores of each row as one.

    Args:
        scores: float64 `[n, k]`, NaN = missing.
        criteria: k.
        aggregate: "weighted mean" of the scores, each brought to 0 to 100 by its own scale; "min", the lowest of these;
            "sum" of the scores as they are, times their weights. Criteria of weight 0 never count.

    Returns:
        float64 `[n]`, NaN where a score that counts is missing.
    """
    weights = np.array([one.weight for one in criteria], np.float64)
    low, high = (np.array([getattr(one, end) for one in criteria], np.float64) for end in ("low", "high"))
    counted = weights > 0
    scores, weights, low, high = scores[:, counted], weights[counted], low[counted], high[counted]
    if aggregate == "sum":
        return np.asarray(scores @ weights)
    scaled = 100 * (scores - low) / (high - low)
    return np.asarray(scaled.min(axis=1) if aggregate == "min" else scaled @ weights / weights.sum())


def ends(criteria: Sequence[Criterion], aggregate: Aggregate) -> tuple[float, float, float]:
    """Lowest and highest of what `combine` gives, and the most that one step of 1 in one criterion moves it."""
    rows = np.array([[one.low for one in criteria], [one.high for one in criteria]], np.float64)
    low, high = combine(rows, criteria, aggregate)
    total = sum(one.weight for one in criteria)
    moves = [
        one.weight
        if aggregate == "sum"
        else 100 / (one.high - one.low) * (1 if aggregate == "min" else one.weight / total)
        for one in criteria
        if one.weight > 0
    ]
    return float(low), float(high), max(moves)


def scales_of(criteria: Sequence[Criterion]) -> list[Scale]:
    """What a reader of replies looks for."""
    return [Scale(one.name, one.low, one.high) for one in criteria]


def schema_of(criteria: Sequence[Criterion], reasons: Reasons) -> str:
    """JSON schema of a reply: a number for every criterion, reasons before or after, nothing else."""
    numbers = {one.name: {"type": "number", "description": f"from {one.low:g} to {one.high:g}"} for one in criteria}
    text = {EXPLANATION: {"type": "string"}}
    fields = {**text, **numbers} if reasons == "before" else {**numbers, **(text if reasons == "after" else {})}
    whole = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return json.dumps(whole, ensure_ascii=False)


def shape_of(criteria: Sequence[Criterion], reasons: Reasons) -> str:
    """The same for the judge's eyes."""
    numbers = [f"{json.dumps(one.name, ensure_ascii=False)}: <{one.low:g} to {one.high:g}>" for one in criteria]
    text = [f'"{EXPLANATION}": "…"']
    fields = text + numbers if reasons == "before" else numbers + (text if reasons == "after" else [])
    return "{" + ", ".join(fields) + "}"


def reply_of(scores: Sequence[float], criteria: Sequence[Criterion], reasons: Reasons, why: str) -> str:
    """A reply as the judge should write it."""
    numbers = {
        one.name: int(value) if math.floor(value) == value else value
        for one, value in zip(criteria, scores, strict=True)
    }
    text = {EXPLANATION: why}
    fields = {**text, **numbers} if reasons == "before" else {**numbers, **(text if reasons == "after" else {})}
    return json.dumps(fields, ensure_ascii=False)
