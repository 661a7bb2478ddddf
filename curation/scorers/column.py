"""A score that the file itself gives: a number in a field of its records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import DataError
from curation.core.method import Scorer
from curation.core.runtime import Runtime

ABSENT = "no value"
NOT_A_NUMBER = "not a number"
NOT_FINITE = "not finite"


def as_number(value: Any) -> float:
    """A number, or a text that is one, as float; truth values are 1 and 0.

    Raises:
        ValueError: with the reason, for everything else.
    """
    if value is None or value == "":
        raise ValueError(ABSENT)
    if not isinstance(value, str | int | float):
        raise ValueError(NOT_A_NUMBER)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(NOT_A_NUMBER) from None
    if not np.isfinite(number):
        raise ValueError(NOT_FINITE)
    return number


def numbers_of(values: Sequence[Any]) -> tuple[np.ndarray, Missing]:
    """One number per value.

    Args:
        values: Of any type, see `as_number`.

    Returns:
        float64 `[n]`, NaN where the value is no number, and why.
    """
    numbers = np.full(len(values), np.nan)
    reasons: list[str | None] = [None] * len(values)
    for i, value in enumerate(values):
        try:
            numbers[i] = as_number(value)
        except ValueError as error:
            reasons[i] = str(error)
    return numbers, Missing.from_list(reasons)


class Column(Scorer):
    """A number from a field of the records: scores computed elsewhere, ratings, losses.

    `meta.score` reaches into the object `meta`. Numbers written as text count, true and false are 1 and 0; rows whose
    field is absent, empty, no number or not finite have no score.
    """

    title: ClassVar[str] = "Column"
    source: ClassVar[str] = "The file"
    weakness: ClassVar[str] = "Nobody here knows how the numbers were made, or whether all rows were scored alike."

    field: str = Field(min_length=1, description="field of the records", examples=["rating"])
    higher_is_better: bool | None = Field(True, description="whether high is better; nothing = neither end is")

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Read the numbers.

        Raises:
            DataError: if no record has the field, or none has a number in it.
        """
        values = pool.field(self.field)
        numbers, missing = numbers_of(values)
        if missing.mask.all():
            raise DataError(
                f"no record has a number there, the first has {str(values[0])[:40]!r}",
                "name another field",
                field=self.field,
            )
        # rows that the stand-in or scratch made bring its word along
        info = {name: True for name in ("weak", "stand_in") if pool.facts.get(name)}
        return Score(pool.fingerprint, numbers, missing, self.field, self.higher_is_better, info=info)
