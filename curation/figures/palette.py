"""Colours, plotly templates and safe text, shared by all figures.

Every figure takes `mode`, the theme it will be shown on, and has a transparent background. The colours were searched
for in OKLab: any two categories stay apart for normal sight and under simulated protanopia, deuteranopia and
tritanopia, and each can be told from both backgrounds; `tests/figures/test_palette.py` checks that.

Text that comes from a dataset must pass through `plain` or `wrapped` before it enters a figure: plotly reads a small
HTML and LaTeX subset in hover labels, legends, annotations and titles.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import plotly.graph_objects as go

Mode = Literal["light", "dark"]

CATEGORICAL = (
    "#118C87",
    "#F78C0B",
    "#3FACFD",
    "#9044BF",
    "#BE3643",
    "#E65719",
    "#D55CBF",
    "#D493BE",
    "#8475F9",
    "#8CA079",
)
"""For categories, in either mode; neighbours in this order are the farthest apart."""

FONT = '"Source Sans", "Source Sans Pro", "Segoe UI", system-ui, sans-serif'


@dataclass(frozen=True)
class Colours:
    """What one mode uses.

    Args:
        background: Of the page, for contrast only; figures are transparent.
        text: Titles and labels.
        muted: Axis ticks, notes.
        grid: Grid and axis lines.
        context: Points that are only there for orientation.
        noise: Rows that belong to no cluster.
        main: The thing the figure is about.
        selected: Picked rows, marks.
        dropped: What a cut leaves out.
        band: Fill of an interval (random's band).
        sequential: Ten steps from low to high; high stands out.
    """

    background: str
    text: str
    muted: str
    grid: str
    context: str
    noise: str
    main: str
    selected: str
    dropped: str
    band: str
    sequential: tuple[str, ...]


LIGHT = Colours(
    background="#FBFAF7",
    text="#20282B",
    muted="#667074",
    grid="#E6E2D8",
    context="#CFCBC0",
    noise="#BBB7AC",
    main="#118C87",
    selected="#E65719",
    dropped="#C9C4B8",
    band="rgba(102, 112, 116, 0.20)",
    sequential=(
        "#4A348C",
        "#354C9D",
        "#0264A3",
        "#097898",
        "#018A94",
        "#029C8B",
        "#40AB7A",
        "#76B562",
        "#AABB47",
        "#DCBC33",
    ),
)
DARK = Colours(
    background="#14181B",
    text="#E6EAE9",
    muted="#98A3A6",
    grid="#2A3236",
    context="#3B4449",
    noise="#4B555A",
    main="#2FA89E",
    selected="#FF8A4C",
    dropped="#454F54",
    band="rgba(152, 163, 166, 0.24)",
    sequential=(
        "#59459F",
        "#465FB1",
        "#2679B9",
        "#0590B5",
        "#0AA4AF",
        "#32B7A5",
        "#5FC794",
        "#93D37E",
        "#C8DA67",
        "#FDDC5B",
    ),
)


def colours(mode: Mode) -> Colours:
    """The colours of one mode."""
    return DARK if mode == "dark" else LIGHT


def category_colour(code: int, mode: Mode) -> str:
    """The colour of one category code; negative codes are noise. Colours repeat after ten."""
    return CATEGORICAL[code % len(CATEGORICAL)] if code >= 0 else colours(mode).noise


def colour_scale(mode: Mode, *, reverse: bool = False) -> list[tuple[float, str]]:
    """The sequential colours as a plotly colour scale; reversed where lower values should stand out."""
    steps = colours(mode).sequential
    places = np.linspace(0.0, 1.0, len(steps)).tolist()
    return list(zip(places, steps[::-1] if reverse else steps, strict=True))


@lru_cache(2)
def template(mode: Mode) -> go.layout.Template:
    """The plotly template of one mode: transparent, few lines, the app's font."""
    c = colours(mode)
    axis = {
        "gridcolor": c.grid,
        "linecolor": c.grid,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"color": c.muted, "size": 12},
        "title": {"font": {"color": c.muted, "size": 13}, "standoff": 8},
        "automargin": True,
    }
    layout = go.Layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "color": c.text, "size": 13},
        colorway=list(CATEGORICAL),
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        xaxis=axis,
        yaxis=axis,
        hoverlabel={
            "bgcolor": c.background,
            "bordercolor": c.muted,
            "font": {"family": FONT, "color": c.text, "size": 13},
            "align": "left",
        },
        legend={"font": {"color": c.text, "size": 12}, "bgcolor": "rgba(0,0,0,0)", "itemsizing": "constant"},
        bargap=0.04,
        dragmode=False,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": c.muted, "activecolor": c.main},
        newselection={"line": {"color": c.selected, "width": 2, "dash": "dot"}},
        activeselection={"fillcolor": c.selected, "opacity": 0.06},
    )
    return go.layout.Template(layout=layout)


def figure(mode: Mode, *, height: int | None = None) -> go.Figure:
    """An empty figure with the template of the mode."""
    fig = go.Figure()
    fig.update_layout(template=template(mode), height=height)
    return fig


def explained(mode: Mode, message: str, *, height: int = 280) -> go.Figure:
    """A figure with nothing in it but one sentence that says why and what to do."""
    fig = figure(mode, height=height)
    fig.add_annotation(
        text=wrapped(message, width=64, limit=400),
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"color": colours(mode).muted, "size": 15},
    )
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return fig


# ------------------------------------------------------------------ hostile text

_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("$"): "&#36;"}
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000))  # C0, C1 and lone surrogates
_INVISIBLE = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0xFEFF)  # these turn text around
_UNSEEN = dict.fromkeys((*_CONTROLS, *_INVISIBLE))
_SPACES = {ord(c): " " for c in "\t\n\r\v\f"}
_SHOWN = {**_UNSEEN, **_SPACES}


def plain(text: str, *, limit: int = 80) -> str:
    """Text on one line as plotly will show it, letter by letter: no tag, entity, formula or control character acts.

    Args:
        text: Anything.
        limit: Letters shown before an ellipsis.
    """
    # cut first: a cut after escaping could fall inside an entity
    text = " ".join(text[: 4 * limit].translate(_SHOWN).split())
    return (text if len(text) <= limit else text[: limit - 1].rstrip() + "…").translate(_ESCAPES)


def wrapped(text: str, *, width: int = 56, limit: int = 220) -> str:
    """The same over several lines of at most `width` letters (wide letters count twice), joined by `<br>`."""
    shown = " ".join(text[: 4 * limit].translate(_SHOWN).split())
    if len(shown) > limit:
        shown = shown[: limit - 1].rstrip() + "…"
    return "<br>".join(line.translate(_ESCAPES) for line in _lines(shown, width))


def _lines(text: str, width: int) -> list[str]:
    lines, line, used = [], "", 0
    for word in text.split(" "):
        for piece in (word,) if 2 * len(word) <= width else _pieces(word, width):
            room = len(piece) if piece.isascii() else columns(piece)
            if line and used + 1 + room > width:
                lines.append(line)
                line, used = piece, room
            else:
                line, used = (f"{line} {piece}", used + 1 + room) if line else (piece, room)
    return [*lines, line]


def _pieces(word: str, width: int) -> list[str]:
    """Cut a word that does not fit on one line."""
    pieces, piece, used = [], "", 0
    for letter in word:
        room = columns(letter)
        if used + room > width:
            pieces.append(piece)
            piece, used = "", 0
        piece, used = piece + letter, used + room
    return [*pieces, piece]


def columns(text: str) -> int:
    """Width of a text in letters, wide ones counted twice."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def names_of(texts: Sequence[str], *, limit: int = 40) -> list[str]:
    """Category names for axes and legends, each on one line and safe."""
    return [plain(text, limit=limit) for text in texts]
