"""What a map is made of: its colour, names, cuts, budget and shapes, as the page says them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Op = Literal["replace", "add", "subtract"]


@dataclass(frozen=True)
class Categories:
    """Colour by category.

    Args:
        column: From `feed_codes`.
        names: Of the codes from 0, as text of the dataset; shown letter by letter.
        colours: CSS colours of the codes; they repeat when there are fewer than names.
        none_colour: Of rows without a category.
        none_name: What these rows are called.
    """

    column: str
    names: Sequence[str]
    colours: Sequence[str]
    none_colour: str
    none_name: str = "none"


@dataclass(frozen=True)
class Numbers:
    """Colour by number.

    Args:
        column: From `feed_numbers`.
        label: What the numbers are.
        low: Value of the first colour; lower ones have it too.
        high: Value of the last colour.
        colours: CSS colours from low to high.
        better: Whether higher is better; None where neither is.
        none_colour: Of rows without a number; the theme's grey when not given.
    """

    column: str
    label: str
    low: float
    high: float
    colours: Sequence[str]
    better: bool | None = None
    none_colour: str | None = None


@dataclass(frozen=True)
class PlaceName:
    """A name written on the map; heavier ones come first, the others appear with zoom, none overlap.

    Args:
        x: In data coordinates.
        y: In data coordinates.
        text: The name.
        weight: For instance the rows it stands for.
    """

    x: float
    y: float
    text: str
    weight: float


@dataclass(frozen=True)
class Cut:
    """A range over a score: rows outside, and rows without a number, become grey while it is dragged.

    Args:
        column: From `feed_numbers`.
        label: What the numbers are.
        low: Least value kept, included; None for no limit.
        high: Greatest value kept, included; None for no limit.
        better: Whether higher is better, shown beside the label; None where neither is.
    """

    column: str
    label: str
    low: float | None = None
    high: float | None = None
    better: bool | None = None


@dataclass(frozen=True)
class BudgetCut:
    """The first `value` rows of a nested order stand out.

    Args:
        column: From `feed_ranks`.
        most: Rows in the order.
        value: Rows taken now, 0 to `most`.
        label: What the order is.
    """

    column: str
    most: int
    value: int
    label: str = "Budget"


@dataclass(frozen=True)
class Shape:
    """The outline of a region that is in force.

    Args:
        op: What it does.
        points: Its corners in data coordinates.
    """

    op: Op
    points: Sequence[tuple[float, float]]
