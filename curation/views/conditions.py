"""What can be asked of a row: one condition each, plain data that travels in a link."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_CORNERS, MAX_SHAPES, MAX_VALUES, MAX_TEXT, MAX_LIKE = 400, 64, 2_000, 4_000, 64
LENGTH, SOURCE = "length", "source"
"""What stands for the response length and for the file of a row where the key of a result is asked for."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Key = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[0-9A-Za-z_.\-]+$")]
Point = tuple[Finite, Finite]


class _Condition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shape(_Condition):
    """A closed line on a map: what is inside is added to, or taken from, what the shapes before it hold."""

    op: Literal["add", "subtract"]
    points: tuple[Point, ...] = Field(min_length=3, max_length=MAX_CORNERS)


class Region(_Condition):
    """Rows inside what was drawn on a map; a first shape that takes away takes from all rows."""

    kind: Literal["region"] = "region"
    layout: Key
    shapes: tuple[Shape, ...] = Field(min_length=1, max_length=MAX_SHAPES)


class Range(_Condition):
    """Rows whose score, or one of its columns, lies between two values, both included."""

    kind: Literal["range"] = "range"
    score: Key
    column: str | None = Field(None, max_length=200)
    low: Finite | None = None
    high: Finite | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.low is None and self.high is None:
            raise ValueError("a range has a lowest or a highest value")
        return self


class Among(_Condition):
    """Rows whose label is among some values, or is any other."""

    kind: Literal["among"] = "among"
    labels: Key
    values: tuple[Annotated[str, Field(max_length=1_000)], ...] = Field(min_length=1, max_length=MAX_VALUES)
    keep: Literal["among", "others"] = "among"


class Where(_Condition):
    """Rows for which an expression is true, see `selector/filter`."""

    kind: Literal["where"] = "where"
    expression: str = Field(min_length=1, max_length=MAX_TEXT)


class Words(_Condition):
    """Rows that hold all words, see `selector/search`."""

    kind: Literal["words"] = "words"
    text: str = Field(min_length=1, max_length=MAX_TEXT)
    inside: Literal["both", "prompt", "response"] = "both"


class Like(_Condition):
    """The rows nearest in meaning to some rows or to a text; or those that are least like them."""

    kind: Literal["like"] = "like"
    features: Key
    rows: tuple[Annotated[int, Field(ge=0)], ...] = Field((), max_length=MAX_LIKE)
    text: str = Field("", max_length=MAX_TEXT)
    top: int = Field(100, ge=1)
    farthest: bool = False

    @model_validator(mode="after")
    def _one_question(self) -> Like:
        if bool(self.rows) == bool(self.text):
            raise ValueError("either rows or a text")
        return self


class Rows(_Condition):
    """Rows by number: `3, 10-20`."""

    kind: Literal["rows"] = "rows"
    rows: str = Field(min_length=1, max_length=100_000)


class Picked(_Condition):
    """Rows that a selection takes, or leaves, at its own or a smaller or larger budget of its order."""

    kind: Literal["picked"] = "picked"
    selection: Key
    budget: int | None = Field(None, ge=0)
    keep: Literal["in", "out"] = "in"


class Decided(_Condition):
    """Rows that were kept, dropped or noted by hand, or have no decision."""

    kind: Literal["decided"] = "decided"
    which: Literal["keep", "drop", "noted", "none"]


Condition = Annotated[
    Region | Range | Among | Where | Words | Like | Rows | Picked | Decided, Field(discriminator="kind")
]
