"""How the arms of a comparison look in every figure: one letter, colour, symbol and dash each; random is grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curation.figures import palette
from curation.figures.palette import Mode

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
DASHES = ("solid", "dash", "dashdot", "longdash", "longdashdot", "dot")
RANDOM = "random"


@dataclass(frozen=True)
class Look:
    """How one arm is drawn.

    Args:
        letter: Stands for it where its name has no room; "R" for random.
        label: Letter and name, safe for plotly.
        colour: Of lines and points.
        symbol: Of points, so that colour is never alone.
        dash: Of lines.
    """

    letter: str
    label: str
    colour: str
    symbol: str
    dash: str


def letter(place: int) -> str:
    """A, B, C ... of the arm at a place; numbers after 26."""
    return LETTERS[place] if place < len(LETTERS) else str(place + 1)


def arm_look(place: int, name: str, mode: Mode, *, limit: int = 34) -> Look:
    """The look of the arm at a place of the comparison.

    Args:
        place: From 0, without random.
        name: May be dataset text.
        mode: Theme it is shown on.
        limit: Letters of the name.
    """
    sign = letter(place)
    return Look(
        sign,
        f"{sign} · {palette.plain(name, limit=limit)}",
        palette.category_colour(place, mode),
        SYMBOLS[place % len(SYMBOLS)],
        DASHES[place % len(DASHES)],
    )


def arm_looks(names: Sequence[str], mode: Mode, *, limit: int = 34) -> list[Look]:
    """The looks of all arms, in their order."""
    return [arm_look(place, name, mode, limit=limit) for place, name in enumerate(names)]


def random_look(draws: int, mode: Mode) -> Look:
    """The look of the random draws, which are drawn together."""
    return Look("R", f"{RANDOM}, {draws} draws", palette.colours(mode).muted, "line-ns", "dot")


def faint(colour: str, opacity: float) -> str:
    """A colour of the form `#rrggbb` with an opacity from 0 to 1."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r}, {g}, {b}, {opacity:.3g})"
