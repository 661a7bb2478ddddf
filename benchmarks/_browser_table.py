"""The table of `browser.py`: figures beside the targets, and plotly's on the same rows."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _chromium import percentile

Figures = dict[str, Any]
COMMAND = "python benchmarks/browser.py --write"
SIZES = {"50k": "50,000 real rows", "1m": "1,000,000 synthetic rows"}


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Args:
        name: What was measured.
        value: From the figures of one size.
        unit: "ms", "s", "kB", "MB" or "GB" of the value as it is shown; values are milliseconds or bytes.
        most: Size → target, in the unit.
        plotly: The same from the baseline's figures.
    """

    name: str
    value: Callable[[Figures], float]
    unit: str
    most: dict[str, float]
    plotly: Callable[[Figures], float] | None = None


DRAWN = {
    "cpu": "the page's own loop on the processor, as wherever WebGL is only emulated",
    "gpu": "WebGL",
}
UNITS = {"ms": 1.0, "s": 1000.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """What 95 of a hundred do not exceed."""
    return percentile(values, 0.95)


DRAG, FIRST, RELEASE = {"50k": 100.0, "1m": 400.0}, {"50k": 4.0, "1m": 6.0}, {"50k": 500.0, "1m": 2000.0}
SENT, MEMORY = {"1m": 10.0}, {"1m": 4.0}

LINES: tuple[Line, ...] = (
    Line("first map, median", lambda f: median(f["first"]["ms"]), "s", FIRST, lambda f: median(f["first"])),
    Line("whole page at rest, median", lambda f: median(f["first"]["at_rest"]), "s", {}),
    Line("drag of a cut, step to screen, median", lambda f: median(f["cut"]["steps"]), "ms", DRAG),
    Line("drag of a cut, step to screen, p95", lambda f: p95(f["cut"]["steps"]), "ms", {}),
    Line("drag of the budget, step to screen, median", lambda f: median(f["budget"]["steps"]), "ms", DRAG),
    Line("drag of the budget, step to screen, p95", lambda f: p95(f["budget"]["steps"]), "ms", {}),
    Line("cut released to updated page, median", lambda f: median(f["cut"]["ms"]), "ms", {},
         lambda f: median(f["cut"])),
    Line("cut released to updated page, p95", lambda f: p95(f["cut"]["ms"]), "ms", RELEASE, lambda f: p95(f["cut"])),
    Line("budget released to updated page, p95", lambda f: p95(f["budget"]["ms"]), "ms", RELEASE),
    Line(
        "lasso of half the points released to updated page, median",
        lambda f: median(f["lasso"]["ms"]), "ms", {}, lambda f: median(f["lasso"]),
    ),
    Line(
        "lasso of half the points released to updated page, p95",
        lambda f: p95(f["lasso"]["ms"]), "ms", RELEASE, lambda f: p95(f["lasso"]),
    ),
    Line("pan, step to screen, median", lambda f: median(f["frames"]["pan"]), "ms", {}),
    Line("zoom, step to screen, median", lambda f: median(f["frames"]["zoom"]), "ms", {}),
    Line("pointer rests on a point to its text, median", lambda f: median(f["hover"]["ms"]), "ms", {}),
    Line("browser to server for a lasso, most", lambda f: max(f["lasso"]["sent"]), "kB", SENT,
         lambda f: max(f["lasso_sent"])),
    Line("browser to server for a cut, most", lambda f: max(f["cut"]["sent"]), "kB", SENT),
    Line("browser to server while a cut is dragged", lambda f: f["cut"]["sent_while_dragged"], "kB", {}),
    Line("server to browser, first map", lambda f: max(f["first"]["received"]), "MB", {},
         lambda f: max(f["first_bytes"])),
    Line("server to browser for a cut, median", lambda f: median(f["cut"]["received"]), "kB", {},
         lambda f: median(f["cut_received"])),
    Line("server to browser for a lasso, median", lambda f: median(f["lasso"]["received"]), "kB", {}),
    Line("server's memory afterwards", lambda f: f["memory"], "GB", {}, lambda f: f["memory"]),
    Line("server's memory, highest", lambda f: f["peak"], "GB", MEMORY, lambda f: f["peak"]),
)  # fmt: skip


def markdown(figures: Figures) -> str:
    """The section: how it was measured, the table, and what failed or was missed.

    Args:
        figures: Size (or "plotly") → what was measured; a size that is not there has empty cells.
    """
    ours = {size: figures.get(size) for size in SIZES}
    head = ["what", SIZES["50k"], "target", "plotly, same rows", "times less", SIZES["1m"], "target"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    missed: list[str] = []
    for line in LINES:
        cells = [line.name]
        for size in SIZES:
            value = _value(line.value, ours[size])
            said, ok = _target(line, size, value)
            cells += [_shown(value, line.unit), said]
            if ok is False:
                missed.append(f"{line.name}, {SIZES[size]}: {_shown(value, line.unit)}")
            if size == "50k":
                other = _value(line.plotly, figures.get("plotly"))
                cells += [_shown(other, line.unit), _ratio(other, value)]
        lines.append("| " + " | ".join(cells) + " |")
    failed = [
        f"{SIZES[size]}, {part}: {why}"
        for size, found in ours.items()
        if found
        for part, why in found["failed"].items()
    ]
    verdict = "All targets that were measured are met." if not missed else f"Missed: {'; '.join(missed)}."
    parts = ["```", COMMAND, "```", "", *_about(figures), "", *lines, "", verdict]
    if failed:
        parts += ["", f"Not measured: {'; '.join(failed)}."]
    return "\n".join(parts)


def _value(of: Callable[[Figures], float] | None, found: Figures | None) -> float | None:
    if of is None or found is None:
        return None
    try:
        return float(of(found))
    except KeyError:  # the part failed; it is named under the table
        return None


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    value /= UNITS[unit]
    return f"{value:,.0f} {unit}" if value >= 100 or unit == "ms" else f"{value:.2g} {unit}"


def _target(line: Line, size: str, value: float | None) -> tuple[str, bool | None]:
    most = line.most.get(size)
    if most is None:
        return "", None
    said = f"{most:g} {line.unit}"
    if value is None:
        return f"{said}: not measured", None
    ok = value / UNITS[line.unit] <= most
    return f"{said}: {'met' if ok else '**missed**'}", ok


def _ratio(other: float | None, value: float | None) -> str:
    return "" if other is None or not value else f"**{other / value:,.1f}×**"


def _about(figures: Figures) -> list[str]:
    """Where and when each part was measured; parts of one run are said once."""
    names = {**SIZES, "plotly": "plotly"}
    said: dict[tuple[str, ...], list[str]] = {}
    for key, name in names.items():
        if key in figures:
            about = figures[key]["about"]
            said.setdefault((about["date"], about["machine"], about["versions"]), []).append(name)
    lines = [f"{', '.join(which)}: {date}, {machine}; {versions}." for (date, machine, versions), which in said.items()]
    notes = [f"{SIZES[size]}: {figures[size]['note']}." for size in SIZES if size in figures]
    loads = [f"{figures[key]['about']['load']:.1f}" for key in names if key in figures]
    drawn = {figures[size].get("first", {}).get("drawn_by") for size in SIZES if size in figures}
    notes += [f"Points were drawn by {DRAWN[by]}." for by in sorted(drawn & set(DRAWN))]
    return [
        *lines,
        *notes,
        f"Load of the machine when each had been measured (this run's own included): {', '.join(loads)}.",
    ]


def facts_of_machine(chromium: str) -> dict[str, Any]:
    """Date, machine and versions, in plain words."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("streamlit", "plotly", "numpy"))
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} CPU cores ({_cpu()}), {_memory()}, no graphics card",
        "versions": f"Python {platform.python_version()}, {packages}, Chromium {chromium}",
        "load": os.getloadavg()[0],
    }


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _memory() -> str:
    import psutil

    return f"{psutil.virtual_memory().total / 2**30:.0f} GiB"
