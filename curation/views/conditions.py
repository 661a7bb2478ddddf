"""What may be asked of a row: strict data, small enough for an address, and safe to read from a stranger's link.

A condition names stored results by their key, so it means the same rows wherever that result is. What is not understood
is a ValidationError here and a CurationError in `View.decode`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from curation.core.row_ranges import parse_ranges
from curation.selectors.region import MAX_SHAPES, Shape

__all__ = [
    "LENGTH",
    "SOURCE",
    "Among",
    "Condition",
    "Decided",
    "Like",
    "Picked",
    "Range",
    "Region",
    "Rows",
    "Shape",
    "Where",
    "Words",
]

LENGTH = "length"
"""In place of a score's key: characters of the response, there before anything is computed."""
SOURCE = "source"
"""In place of the key of labels: which file a row came from."""

MAX_VALUES = 2_000
MAX_NAMES = 100
MAX_LETTERS = 2_000
MAX_ROWS_TEXT = 100_000
MAX_LIKE_ROWS = 1_000

Key = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
"""Key of a stored result."""
Number = Annotated[float, Field(allow_inf_nan=False)]
RowNumber = Annotated[int, Field(ge=0, lt=10**12)]
Name = Annotated[str, Field(min_length=1, max_length=500)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Region(_Part):
    """Rows whose place on a map lies within shapes, applied in order; rows without a place are outside.

    The region begins with nothing, or with all rows that have a place when the first shape takes rows away.
    """

    kind: Literal["region"] = "region"
    layout: Key
    shapes: tuple[Shape, ...] = Field(min_length=1, max_length=MAX_SHAPES)


class Range(_Part):
    """Rows with low ≤ score ≤ high; a bound may be None. Rows without a score are out.

    Args:
        score: Key of a score, or LENGTH.
        column: A named column of the score instead of the score.
        low: Lowest value kept.
        high: Highest value kept.
    """

    kind: Literal["range"] = "range"
    score: Key
    column: str | None = Field(None, min_length=1, max_length=500)
    low: Number | None = None
    high: Number | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("a range needs 'low' or 'high'")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"no value is at least {self.low:g} and at most {self.high:g}")
        if self.score == LENGTH and self.column is not None:
            raise ValueError("the length has no columns")
        return self


class Among(_Part):
    """Rows whose label is one of some values, or is another one; rows without a label are out in both.

    Args:
        labels: Key of labels, or SOURCE.
        values: Names of labels; "noise" is what a clustering left over.
        keep: Which half.
    """

    kind: Literal["among"] = "among"
    labels: Key
    values: tuple[Name, ...] = Field(min_length=1, max_length=MAX_VALUES)
    keep: Literal["among", "others"] = "among"


class Where(_Part):
    """Rows for which an expression holds; see `selector/filter`.

    Args:
        expression: In DuckDB's SQL.
        names: What the expression calls scores and labels: (name, key). A builtin column needs none, and a name that
            is not here means the newest result of that name. `views.where` binds all names, so that a link stays exact.
    """

    kind: Literal["where"] = "where"
    expression: str = Field(min_length=1, max_length=MAX_LETTERS)
    names: tuple[tuple[Name, Key], ...] = Field((), max_length=MAX_NAMES)


class Words(_Part):
    """Rows in whose text words are found; see `selector/search`.

    Args:
        text: Words that must all occur, "quoted phrases", -excluded ones; a pattern with `regex`.
        inside: Where to look.
        whole: Whole words only.
        regex: The text is one regular expression (RE2).
        case: Capitals matter.
    """

    kind: Literal["words"] = "words"
    text: str = Field(min_length=1, max_length=500)
    inside: Literal["both", "prompt", "response"] = "both"
    whole: bool = False
    regex: bool = False
    case: bool = False


class Like(_Part):
    """The rows most (or least) like some rows or a text, by the cosine of their vectors; see `selector/similar`.

    Args:
        features: Key of the vectors.
        rows: Rows to be like, by the mean of the cosines; they themselves count as well.
        text: What to be like instead.
        top: How many rows; equals by the lowest row.
        farthest: The least like instead.
    """

    kind: Literal["like"] = "like"
    features: Key
    rows: tuple[RowNumber, ...] = Field((), max_length=MAX_LIKE_ROWS)
    text: str = Field("", max_length=MAX_LETTERS)
    top: int = Field(100, ge=1, le=10**8)
    farthest: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.rows) == bool(self.text.strip()):
            raise ValueError("give either rows or a text to be like")
        if len(set(self.rows)) < len(self.rows):
            raise ValueError("a row is named twice")
        return self


class Rows(_Part):
    """Rows by number: `3, 7, 10-20`."""

    kind: Literal["rows"] = "rows"
    rows: str = Field(min_length=1, max_length=MAX_ROWS_TEXT)

    @field_validator("rows")
    @classmethod
    def _understood(cls, value: str) -> str:
        parse_ranges(value)
        return value


class Picked(_Part):
    """Rows of a selection, or all others.

    Args:
        selection: Its key.
        budget: Only its first picks, where the order is nested; may go further than the selection, as far as the order
            is known. None = as it is.
        keep: Which half.
    """

    kind: Literal["picked"] = "picked"
    selection: Key
    budget: int | None = Field(None, ge=0, le=10**12)
    keep: Literal["in", "out"] = "in"


class Decided(_Part):
    """Rows by what was decided by hand: kept, dropped, with a note, or neither kept nor dropped ("none")."""

    kind: Literal["decided"] = "decided"
    which: Literal["keep", "drop", "noted", "none"] = "keep"


Condition = Annotated[
    Region | Range | Among | Where | Words | Like | Rows | Picked | Decided, Field(discriminator="kind")
]
"""One condition of a view, told apart by `kind`."""
