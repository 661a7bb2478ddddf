"""Pieces that pages are made of. A page reads choices, calls the engine and shows these; it computes nothing itself.

| piece | what it shows |
|---|---|
| `page_header(title, sentence)` | title, one sentence that says what the page shows and what to do |
| `empty_state(icon, sentence, page=…, action=…)` | why a page is empty, and the button to the next step |
| `error_box(error)`, `errors_shown()` | a CurationError as message and hint; the context manager does it for a block |
| `stat_tiles([Tile(…), …])` | numbers in a row |
| `method_badges(cls)`, `method_about(cls)` | class of a method; its weakness and source |
| `chart(figure, key=…)` | a plotly figure as drawn, without Streamlit's theme over it; returns the selection |
| `mode()` | "light" or "dark", for the `mode` of every figure |
| `next_step(label, page)` | the one primary link at the end of a page |

Rows of a dataset are in `curation.ui.rows` (`row_card`, `row_table`, `paged`), jobs in `curation.ui.job_card`
(`job_card`, `watch_job`, `estimate_table`), forms in `curation.ui.forms`, the open workspace and dataset in
`curation.ui.session`.

Text from datasets, file names and errors is hostile: it is shown by `st.text`, `st.code` or a table, or passes through
`curation.ui.text.plain` on its way into a label.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from curation.core.errors import CurationError, MissingDependency
from curation.core.method import Method
from curation.ui.text import plain, prose

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from curation.figures.palette import Mode

CLASS_COLOURS: dict[str, Literal["blue", "green", "orange", "violet"]] = {
    "statistical": "green",
    "zero-order": "blue",
    "first-order": "orange",
    "bayesian": "violet",
}
CLASS_MEANINGS = {
    "statistical": "Computed from the texts alone: fast, no model is asked for an opinion.",
    "zero-order": "Asks a model for an answer or a number: its taste is part of the result.",
    "first-order": "Uses gradients of a model: close to training, and as costly.",
    "bayesian": "Keeps a distribution over what it does not know: more honest, slower.",
}


def mode() -> Mode:
    """The theme that the user sees, for figures."""
    return "dark" if st.context.theme.type == "dark" else "light"


# ------------------------------------------------------------------ page


def page_header(title: str, sentence: str, *, icon: str = "") -> None:
    """Title, and one sentence that says what the page shows and what to do. Both are ours, never dataset text."""
    st.title(f":primary[{icon}] {title}" if icon else title, anchor=False)
    st.markdown(f":gray[{sentence}]")


def empty_state(
    icon: str,
    sentence: str,
    *,
    action: str | None = None,
    page: str | None = None,
    key: str | None = None,
    hint: str = "",
) -> bool:
    """Why there is nothing here, and the way on.

    Args:
        icon: Material icon, `:material/…:`.
        sentence: One sentence.
        action: Label of the button.
        page: Page that the button opens; without it the caller acts on the click.
        key: Key of the button.
        hint: One more, smaller sentence.

    Returns:
        True when the button without a page was clicked.
    """
    with st.container(border=True, horizontal_alignment="center", gap="small", key=key and f"{key}.box"):
        st.space("small")
        st.markdown(f"# :gray[{icon}]", width="content", text_alignment="center")
        st.markdown(f"**{plain(sentence)}**", width="content", text_alignment="center")
        if hint:
            st.caption(plain(hint), width="content", text_alignment="center")
        clicked = False
        if action and page:
            next_step(action, page)
        elif action:
            clicked = st.button(action, type="primary", key=key)
        st.space("small")
    return clicked


def next_step(label: str, page: str, *, icon: str = ":material/arrow_forward:", primary: bool = True) -> None:
    """A button that opens another page and keeps the dataset in the address."""
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button(label, icon=icon, icon_position="right", type=kind, key=f"next.{page}.{label}"):
        st.switch_page(page, query_params=dict(st.query_params))


# ------------------------------------------------------------------ errors


def error_box(error: CurationError) -> None:
    """What is wrong and what to do about it; an install line is shown as code."""
    with st.container(gap="xsmall"):
        st.error(f"**{plain(_first_upper(error.message))}**", icon=":material/error:")
        if isinstance(error, MissingDependency):
            st.code(error.hint, language="bash")
        elif error.hint:
            st.markdown(f":material/lightbulb: {plain(_first_upper(error.hint))}")


def _first_upper(text: str) -> str:
    # a file or field name at the beginning stays as it is
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].isalpha() else text


@contextlib.contextmanager
def errors_shown(*, stop: bool = False) -> Iterator[None]:
    """Show a CurationError raised inside the block; anything else is a bug and keeps its traceback.

    Args:
        stop: Also end the page's run, where nothing after the block makes sense without it.
    """
    try:
        yield
    except CurationError as error:
        error_box(error)
        if stop:
            st.stop()


# ------------------------------------------------------------------ numbers


@dataclass(frozen=True)
class Tile:
    """One number.

    Args:
        label: What it counts.
        value: As text.
        help: Shown at the question mark.
        note: Shown under it.
    """

    label: str
    value: str
    help: str | None = None
    note: str | None = None


def stat_tiles(tiles: Sequence[Tile]) -> None:
    """Numbers in a row of equal tiles."""
    if not tiles:
        return
    for place, tile in zip(st.columns(len(tiles)), tiles, strict=True):
        place.metric(
            plain(tile.label),
            tile.value,
            delta=tile.note and plain(tile.note),
            delta_color="off",
            delta_arrow="off",
            help=tile.help and plain(tile.help),
            border=True,
            height="stretch",
        )


# ------------------------------------------------------------------ methods


def method_badges(cls: type[Method]) -> None:
    """Class of a method as a badge."""
    class_badge(cls.method_class)


def class_badge(name: str) -> None:
    """One of the classes of methods, with its meaning."""
    st.badge(name, color=CLASS_COLOURS[name], icon=":material/category:", help=CLASS_MEANINGS[name])


def method_about(cls: type[Method], *, when: str = "") -> None:
    """What a method does, its class, when to use it, its known weakness and source."""
    about = (cls.__doc__ or "").strip().split("\n\n")[0]
    with st.container(gap="xsmall"):
        method_badges(cls)
        st.markdown(prose(" ".join(about.split())))
        if when:
            st.markdown(f":green[:material/check_circle:] **When to use it.** {plain(when)}")
        if cls.weakness:
            st.markdown(f":orange[:material/warning:] **Known weakness.** {plain(cls.weakness)}")
        if cls.source:
            st.caption(f"Source: {plain(cls.source)}")


# ------------------------------------------------------------------ figures


def chart(
    figure: go.Figure,
    *,
    key: str,
    select: bool = False,
    tools: bool = False,
    alt: str | None = None,
) -> dict[str, Any]:
    """Show a figure from `curation.figures` as it is drawn.

    Args:
        figure: With its own template; call the figure with `mode=mode()`.
        key: Stable name; with `select` also where the selection is kept.
        select: Let the user draw a box or lasso; the page reruns when it is done.
        tools: Show plotly's toolbar also without `select`.
        alt: What a screen reader says.

    Returns:
        The selection as plain data (`box`, `lasso`, `points`, ...), empty without `select`. Only box and lasso are
        worth reading: `curation.figures.geometry.inside_selection` applies them to every row.
    """
    config = {
        "displaylogo": False,
        "displayModeBar": select or tools,
        "scrollZoom": select,
        "responsive": True,
        "modeBarButtonsToRemove": ["toImage", "zoomIn2d", "zoomOut2d"],
    }
    if not select:
        st.plotly_chart(figure, theme=None, key=key, config=config, alt=alt)
        return {}
    st.plotly_chart(
        figure, theme=None, key=key, config=config, alt=alt, on_select="rerun", selection_mode=("box", "lasso")
    )
    # by item, so that a test can put a selection into the session
    return dict(st.session_state[key]["selection"]) if key in st.session_state else {}
