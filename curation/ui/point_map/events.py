"""What the user did on the map, checked: the browser's messages are as hostile as any other input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from curation.ui.point_map.parts import BudgetCut, Cut, Op

MAX_CORNERS = 200
"""The browser simplifies a lasso to at most so many corners before it counts what is inside, and sends these."""
INBOX = ".inbox"
SEEN = ".seen"


@dataclass(frozen=True)
class Region:
    """A lasso or box.

    Args:
        op: What it does to the regions in force.
        points: Its 3 to 200 corners in data coordinates.
        serial: Grows with each gesture.
    """

    op: Op
    points: tuple[tuple[float, float], ...]
    serial: int


@dataclass(frozen=True)
class CutMade:
    """A cut that was moved and let go.

    Args:
        column: Of the cut.
        low: Least value kept, a float32 as number; None for no limit.
        high: Greatest value kept, a float32 as number; None for no limit.
        serial: Grows with each gesture.
    """

    column: str
    low: float | None
    high: float | None
    serial: int


@dataclass(frozen=True)
class Budgeted:
    """A budget that was moved and let go.

    Args:
        value: Rows, 0 to the most there are.
        serial: Grows with each gesture.
    """

    value: int
    serial: int


@dataclass(frozen=True)
class Clicked:
    """A point that was clicked.

    Args:
        row: Its row.
        serial: Grows with each gesture.
    """

    row: int
    serial: int


@dataclass(frozen=True)
class MapEvents:
    """The gesture that this run is about; all None in any other run."""

    region: Region | None = None
    cut: CutMade | None = None
    budget: Budgeted | None = None
    clicked: Clicked | None = None

    def __bool__(self) -> bool:
        return any((self.region, self.cut, self.budget, self.clicked))


def serial_of(message: object) -> int:
    """The serial of a message, 0 when it has none."""
    serial = message.get("serial") if isinstance(message, Mapping) else None
    return int(serial) if isinstance(serial, int | float) and 0 < serial < 2**53 else 0  # false for NaN


def events_of(
    messages: Sequence[object], seen: int, n: int, cuts: Sequence[Cut], budget: BudgetCut | None
) -> MapEvents:
    """What the messages say that are newer than `seen`; what does not fit the map is left out.

    Args:
        messages: From the browser, oldest first: mappings with `serial` and one of `region`, `cut`, `budget` and
            `clicked`.
        seen: Serial of the last gesture that was given out.
        n: Rows of the map.
        cuts: That the map has.
        budget: That the map has.
    """
    found: dict[str, Any] = {}
    for message in messages:
        serial = serial_of(message)
        if serial <= seen:
            continue
        read = cast("Mapping[str, Any]", message)
        region, cut = _region(read.get("region"), serial), _cut(read.get("cut"), serial, cuts)
        budgeted, clicked = _budget(read.get("budget"), serial, budget), _clicked(read.get("clicked"), serial, n)
        made = {"region": region, "cut": cut, "budget": budgeted, "clicked": clicked}
        found |= {name: event for name, event in made.items() if event is not None}
    return MapEvents(**found)


def _region(said: object, serial: int) -> Region | None:
    if not isinstance(said, Mapping) or said.get("op") not in ("replace", "add", "subtract"):
        return None
    corners = said.get("points")
    if not isinstance(corners, list) or not 3 <= len(corners) <= MAX_CORNERS:
        return None
    points = []
    for corner in corners:
        if not isinstance(corner, list | tuple) or len(corner) != 2:
            return None
        x, y = _finite(corner[0]), _finite(corner[1])
        if x is None or y is None:
            return None
        points.append((x, y))
    return Region(said["op"], tuple(points), serial)


def _cut(said: object, serial: int, cuts: Sequence[Cut]) -> CutMade | None:
    if not isinstance(said, Mapping) or said.get("column") not in [c.column for c in cuts]:
        return None
    ends: list[float | None] = []
    for name in ("low", "high"):
        value = said.get(name)
        number = _finite(value)
        if value is not None and number is None:
            return None
        ends.append(None if number is None else float(np.float32(number)))
    low, high = ends
    if low is not None and high is not None and low > high:
        return None
    return CutMade(said["column"], low, high, serial)


def _budget(said: object, serial: int, budget: BudgetCut | None) -> Budgeted | None:
    if budget is None or not isinstance(said, Mapping):
        return None
    value = _finite(said.get("value"))
    return None if value is None else Budgeted(int(min(max(value, 0), budget.most)), serial)


def _clicked(said: object, serial: int, n: int) -> Clicked | None:
    row = _finite(said.get("row")) if isinstance(said, Mapping) else None
    return Clicked(int(row), serial) if row is not None and row == int(row) and 0 <= row < n else None


def _finite(value: object) -> float | None:
    """A number that float32 can hold, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 3e38 else None  # false for NaN
