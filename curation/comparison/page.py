"""The HTML of a report: our own words and escaped text, figures as data, the library once."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curation.comparison.facts import Arm, Weakness
from curation.comparison.measured import Difference

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from curation.comparison.report import Example, Report
    from curation.figures.palette import Mode

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing may be fetched or sent; blob is how the library turns a figure into a picture to save."""

_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000)) if code not in (9, 10)}
_TURNING = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)}
_SHOWN = {**_CONTROLS, **_TURNING}

HEADINGS = {
    "overlap": (
        "Rows in common",
        "Share of the rows that either takes, and under it what two random draws of these sizes would share. "
        "▲ more than chance, ▼ less, ≈ no different.",
    ),
    "combinations": (
        "Who takes which rows",
        "Rows by exactly which selections take them; marks: if picks were random.",
    ),
    "agreement": ("Agreement", "Rows that at least so many selections take; marks: if picks were random."),
    "coverage": ("Coverage", "How well the picks stand for all rows, over the budget, with the band of random draws."),
    "spread": (
        "Scores and length",
        "Each number over every selection, all rows in grey behind it; under each name its mean minus that of all "
        "rows, in standard deviations of all rows.",
    ),
    "share": (
        "Groups",
        "What share each group has in every selection, in the pool (tick) and in random draws (bar). Filled: outside "
        "of chance, hollow: no different from it.",
    ),
    "change": ("What changed", "Rows that the newer selection added and removed, by group."),
}


def text(value: object) -> str:
    """Any text as HTML that shows it letter by letter: no tag or control character acts, nothing turns around."""
    return html.escape(str(value).translate(_SHOWN), quote=True)


def seconds_text(seconds: float) -> str:
    """Seconds for people."""
    if seconds != seconds:
        return "unknown"
    if seconds < 100:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of escaped cells; numbers stand right."""
    head = "".join(f"<th>{text(h)}</th>" for h in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{text(value)}</td>"
    shown = f"{value:,}" if isinstance(value, int) else "–" if value != value else f"{value:,.4g}"
    return f'<td class="number">{shown}</td>'


def page_of(
    report: Report,
    figures: Mapping[str, go.Figure],
    maps: Mapping[str, bytes],
    versions: Mapping[str, str],
    mode: Mode,
) -> str:
    """The whole page.

    Args:
        report: What it shows.
        figures: By name, in the order to show.
        maps: Name of an arm → PNG file.
        versions: Program → version.
        mode: Theme of the figures.
    """
    from curation.figures.embedding import figure_json, plotly_js

    compared = report.comparison
    parts = [
        f"<h1>Selections of {text(compared.dataset_name)} compared</h1>",
        _about(report, versions),
        "<h2>The selections</h2>",
        _arms(report, mode),
        _maps(report, maps),
        *_figures(figures),
        _weaknesses(report.weaknesses),
        "" if report.difference is None else _difference(report.difference),
        _examples(report.examples),
        _recipes(report),
    ]
    data = ",".join(f'"{name}":{figure_json(figure)}' for name, figure in figures.items())
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{text(compared.dataset_name)}: selections compared</title>",
            f"<style>{_style(mode)}</style></head><body><main>",
            *parts,
            "</main>",
            f"<script>{plotly_js()}</script>",
            f"<script>const figures = {{{data}}};{_SCRIPT}</script>",
            "</body></html>",
        ]
    )


_SCRIPT = """
for (const [name, figure] of Object.entries(figures)) {
  const config = {displaylogo: false, responsive: true, displayModeBar: true, modeBarButtons: [["toImage"]],
    toImageButtonOptions: {format: "png", filename: name, scale: 2}};
  Plotly.newPlot("figure-" + name, figure.data, figure.layout, config);
}
"""


def _style(mode: Mode) -> str:
    from curation.figures import palette

    c = palette.colours(mode)
    return f"""
:root {{ color-scheme: {mode}; }}
body {{ margin: 0; background: {c.background}; color: {c.text}; font: 15px/1.5 {palette.FONT}; }}
main {{ max-width: 1180px; margin: 0 auto; padding: 24px 28px 80px; }}
h1 {{ font-size: 1.9rem; }} h2 {{ margin-top: 2.4rem; }} h3 {{ margin: 1.4rem 0 .3rem; }}
p.note, figcaption, .muted {{ color: {c.muted}; }}
table {{ border-collapse: collapse; font-size: 14px; }}
th, td {{ text-align: left; vertical-align: top; padding: 5px 12px 5px 0; border-bottom: 1px solid {c.grid}; }}
th {{ color: {c.muted}; font-weight: 600; }} td.number {{ text-align: right; white-space: nowrap; }}
.wide {{ overflow-x: auto; }}
.arms td:first-child, .arms td:nth-child(2), .arms td:nth-child(6), .arms td:nth-child(7) {{ white-space: nowrap; }}
.pictures {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 14px; }}
figure {{ margin: 0; }} figure img {{ width: 100%; border: 1px solid {c.grid}; border-radius: 8px; }}
.swatch {{ display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; border: 1px solid {c.grid};
  border-radius: 8px; padding: 10px 12px; font: 13px/1.45 ui-monospace, monospace; margin: 4px 0 12px; }}
details {{ margin: 6px 0; }} summary {{ cursor: pointer; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(520px, 100%), 1fr)); gap: 18px 28px; }}
.chart {{ min-width: 0; }}
@media print {{ details {{ display: block; }} .chart, figure, table {{ break-inside: avoid; }} }}
"""


# ---------------------------------------------------------------------- parts


def _about(report: Report, versions: Mapping[str, str]) -> str:
    compared = report.comparison
    size = f"{compared.budget:,} rows each" if compared.budget else "each at its own size"
    facts: list[tuple[str, str]] = [
        ("Dataset", f"{compared.dataset_name}, {compared.n:,} rows"),
        ("Fingerprint of the dataset", compared.dataset),
        ("Compared", f"{len(compared.arms)} selections, {size}; {len(compared.random)} random draws beside them"),
        ("Made", report.created),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
    ]
    notes = "".join(f'<p class="note">{text(note[:1].upper() + note[1:])}.</p>' for note in compared.notes)
    command = f"<p>To make it again:</p><pre>{text(report.command)}</pre>" if report.command else ""
    return table(("", ""), [fact for fact in facts if fact[1]]) + notes + command


def _arms(report: Report, mode: Mode) -> str:
    from curation.figures.arms import arm_look

    heads = ("", "selection", "method", "class", "rows", "time", "of it not shared", "known weakness", "note")
    rows = []
    for place, arm in enumerate(report.comparison.arms):
        look = arm_look(place, arm.name, mode)
        swatch = f'<td><span class="swatch" style="background:{look.colour}"></span>{look.letter}</td>'
        cells = (
            arm.name, arm.title, arm.method_class, len(arm), cost_text(arm), seconds_text(arm.cost.own), arm.weakness,
            arm.note,
        )  # fmt: skip
        rows.append(f"<tr>{swatch}{''.join(map(_cell, cells))}</tr>")
    head = "".join(f"<th>{text(h)}</th>" for h in heads)
    body = "".join(rows)
    return f'<div class="wide"><table class="arms"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def cost_text(arm: Arm) -> str:
    """Measured time of an arm, and when it is not the whole of it."""
    cost = arm.cost
    least = "at least " if cost.unknown or cost.partly else ""
    return f"{least}{seconds_text(cost.total)}" if cost.steps else "not measured"


def _maps(report: Report, maps: Mapping[str, bytes]) -> str:
    if not maps:
        return ""
    from curation.figures.arms import letter

    parts = []
    for place, (name, data) in enumerate(maps.items()):
        known = place < len(report.comparison.arms)
        title = f"{letter(place)} · {name}" if known else f"{name}, one of {len(report.comparison.random)} draws"
        rows = len(report.comparison.arm(name))
        source = base64.b64encode(data).decode("ascii")
        parts.append(
            f'<figure><img alt="Map of {text(title)}" src="data:image/png;base64,{source}">'
            f"<figcaption>{text(title)}, {rows:,} rows</figcaption></figure>"
        )
    return (
        '<h2>Maps</h2><p class="note">Every row is a point near rows that are like it; picks in colour, all other rows '
        f'in grey.</p><div class="pictures">{"".join(parts)}</div>'
    )


def _figures(figures: Mapping[str, go.Figure]) -> Iterable[str]:
    said = ""
    for name, figure in figures.items():
        kind = name.partition("-")[0]
        title, about = HEADINGS.get(kind, (name, ""))
        if kind != said:
            close = "</div>" if said else ""
            yield f'{close}<h2>{text(title)}</h2><p class="note">{text(about)}</p><div class="charts">'
            said = kind
        height = int(figure.layout.height or 360)
        yield f'<div class="chart" id="figure-{text(name)}" style="height:{height}px"></div>'
    if said:
        yield "</div>"


def _weaknesses(found: Sequence[Weakness]) -> str:
    if not found:
        return ""
    parts = ["<h2>Known weaknesses, shown by this data</h2>"]
    for one in found:
        parts.append(f"<h3>{text(one.arm)} <span class='muted'>({text(one.method_class)})</span></h3>")
        parts.append(f'<p class="note">{text(one.claim)}</p>')
        if one.sentence:
            parts.append(f"<p>{text(one.sentence)}</p>")
        if one.table:
            parts.append(table(one.columns, one.table))
        if one.missing_reason:
            parts.append(f'<p class="note">{text(one.missing_reason[:1].upper() + one.missing_reason[1:])}</p>')
    return "".join(parts)


def _difference(found: Difference) -> str:
    facts: list[tuple[str, Any]] = [
        ("rows that both take", len(found.kept)),
        ("added", len(found.added)),
        ("of them rows that the older dataset did not have", found.new_rows),
        ("removed", len(found.removed)),
        ("rows of the older one that the dataset has no more", found.gone),
    ]
    heads = ("", "added", "removed", "kept", "added − removed, in sd of the pool")
    scores = [(s.name, s.added, s.removed, s.kept, s.smd) for s in found.scores]
    return (
        f"<h2>{text(found.newer)} against the older {text(found.older)}</h2>"
        f"<p class='note'>Matched by {text(found.matched)}.</p>"
        + table(("", "rows"), [fact for fact in facts if fact[1] or fact[0] in ("added", "removed")])
        + ("<h3>Medians</h3>" + table(heads, scores) if scores else "")
    )


def _examples(found: Mapping[str, Sequence[Example]]) -> str:
    shown = {heading: rows for heading, rows in found.items() if rows}
    if not shown:
        return ""
    parts = ["<h2>Rows to read</h2>"]
    for heading, rows in shown.items():
        parts.append(f"<h3>{text(heading)}</h3>")
        for one in rows:
            parts.append(
                f"<details><summary>Row {one.row:,}: {text(' '.join(one.prompt.split())[:110])}</summary>"
                f"<pre>{text(one.prompt)}</pre><pre>{text(one.response)}</pre></details>"
            )
    return "".join(parts)


def _recipes(report: Report) -> str:
    parts = ["<h2>Recipes and cost</h2>"]
    for arm in report.comparison.arms:
        parts.append(f"<details><summary>{text(arm.name)}: {text(cost_text(arm))}</summary>")
        steps = [
            (step.name, step.use, seconds_text(step.seconds), ", ".join(step.shared_with), step.note)
            for step in arm.cost.steps
        ]
        parts.append(table(("step", "method", "time", "shared with", "note"), steps))
        if arm.name in report.recipes:
            parts.append(f"<pre>{text(report.recipes[arm.name])}</pre>")
        parts.append("</details>")
    return "".join(parts)
