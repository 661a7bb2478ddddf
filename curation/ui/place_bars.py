"""A row's place in every score as a small table that fits into any width."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from curation.ui.row_facts import Place
from curation.ui.text import number, visible

MOST = 300
_CSS = """
.bars { container-type: inline-size; color: var(--st-text-color); font-family: var(--st-font); font-size: 0.85rem; }
table { width: 100%; border-collapse: collapse; }
caption, .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: 0.28rem 0.5rem 0.28rem 0; text-align: end; vertical-align: middle; font-weight: 400; }
th:first-child { text-align: start; overflow-wrap: anywhere; }
tr + tr { border-top: 1px solid var(--st-border-color-light, var(--st-border-color)); }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.missing { white-space: normal; color: var(--st-gray-text-color); }
.rank { color: var(--st-gray-text-color); }
.bar { width: 5rem; padding-inline-end: 0; }
.track { height: 0.4rem; border-radius: 0.2rem; background: var(--st-secondary-background-color); overflow: hidden; }
.fill { height: 100%; border-radius: 0.2rem; background: var(--st-blue-color); }
@container (max-width: 19rem) { .bar { display: none; } }
"""
_JS = """
export default function ({ data, parentElement }) {
  const make = (tag, name, ...children) => {
    const node = document.createElement(tag);
    node.className = name;
    node.append(...children);
    return node;
  };
  const table = make("table", "", make("caption", "", "Scores of this row"));
  for (const [name, value, rank, percentile, help] of data.rows) {
    const title = make("th", "", name);
    title.scope = "row";
    const line = make("tr", "", title);
    line.title = help;
    if (percentile === null) {
      const cell = make("td", "missing", value);
      cell.colSpan = 3;
      line.append(cell);
    } else {
      const fill = make("div", "fill");
      fill.style.width = percentile + "%";
      const bar = make("td", "bar", make("div", "track", fill), make("span", "hidden", help));
      line.append(make("td", "", value), make("td", "rank", rank), bar);
    }
    table.append(line);
  }
  parentElement.querySelector(".bars").replaceChildren(table);
}
"""
_bars = st.components.v2.component("curation.place_bars", html="<div class='bars'></div>", css=_CSS, js=_JS)


def place_bars(places: Sequence[Place], *, key: str) -> None:
    """Draw one line for each score: name, value, rank, and a bar that is full for the best row."""
    _bars(key=key, data={"rows": [_row(p) for p in places[:MOST]]})
    if len(places) > MOST:
        st.caption(f"and {len(places) - MOST:,} more scores")


def _row(place: Place) -> list[str | float | None]:
    name = visible(place.name)
    if not place.rank:
        return [name, visible(f"missing: {place.missing}"), "", None, f"{place.of:,} rows have a value"]
    help = f"{place.percentile:.1f} % of the rows are worse (lower where neither end is better), half of the equal ones"
    return [name, number(place.value), f"{place.rank:,} of {place.of:,}", round(place.percentile, 2), help]
