"""A comparison as files to keep: one HTML page that needs nothing but itself, and its figures as PNG."""

from __future__ import annotations

import io
import platform
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from curation.comparison.drawing import (
    draw_agreement,
    draw_changes,
    draw_coverage,
    draw_overlap,
    draw_patterns,
    draw_shares,
    draw_spread,
    map_pictures,
)
from curation.comparison.facts import Comparison, Weakness
from curation.comparison.measured import CoverageCurves, Difference, Overlap, Patterns, Shares, Spread
from curation.core.dataset import Dataset

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from curation.figures.palette import Mode

LETTERS = 700
"""Of a text in a report."""
MAP_COLOURS = 96
"""Colours of a picture: fewer make a smaller file."""
EXAMPLES = 4
"""Rows shown of those that one arm or all arms take."""


@dataclass(frozen=True)
class Example:
    """A row to read.

    Args:
        row: Of the Dataset.
        prompt: Its text, cut.
        response: Its text, cut.
    """

    row: int
    prompt: str
    response: str


@dataclass(frozen=True)
class Report:
    """What a report shows.

    Args:
        comparison: The arms and random.
        overlap: Rows in common.
        patterns: Rows by exactly which arms take them.
        coverage: Curves, None when nothing was measured.
        spreads: Numbers over the arms.
        shares: Labels over the arms.
        weaknesses: Measured, one per arm.
        difference: From an older selection, None for none.
        recipes: Name of an arm → recipe that made it, YAML.
        examples: Heading → rows to read.
        xy: float `[n, 2]`, the map; None without one.
        command: Command line that makes the comparison again.
        created: Date and time, as text.
    """

    comparison: Comparison
    overlap: Overlap
    patterns: Patterns
    coverage: CoverageCurves | None = None
    spreads: tuple[Spread, ...] = ()
    shares: tuple[Shares, ...] = ()
    weaknesses: tuple[Weakness, ...] = ()
    difference: Difference | None = None
    recipes: Mapping[str, str] = field(default_factory=dict)
    examples: Mapping[str, Sequence[Example]] = field(default_factory=dict)
    xy: np.ndarray | None = None
    command: str = ""
    created: str = ""


def examples_of(dataset: Dataset, rows: np.ndarray, most: int = EXAMPLES) -> list[Example]:
    """The first rows with their texts, cut to `LETTERS`."""
    rows = np.asarray(rows, np.int64)[:most]
    part = dataset.take(rows)
    texts = zip(rows.tolist(), part.texts("prompt"), part.texts("response"), strict=True)
    return [Example(row, _cut(prompt), _cut(response)) for row, prompt, response in texts]


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[:LETTERS].rstrip()} … ({len(text):,} characters)"


def versions() -> dict[str, str]:
    """Of this program and what the numbers hang on."""
    from curation.figures.embedding import plotly_version

    try:
        own = metadata.version("curation")
    except metadata.PackageNotFoundError:  # run from a folder that was never installed
        own = "unknown"
    return {
        "curation": own,
        "Python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": metadata.version("scipy"),
        "plotly": plotly_version(),
    }


# ---------------------------------------------------------------------- figures


def figures_of(report: Report, mode: Mode = "light") -> dict[str, go.Figure]:
    """All figures of a report, by a name that is a file's."""
    names = report.comparison.names
    found = {"overlap": draw_overlap(report.overlap, len(report.comparison.random), mode)}
    if len(names) > 1:
        found["combinations"] = draw_patterns(report.patterns, mode)
        found["agreement"] = draw_agreement(report.comparison, None, mode)
    if report.coverage is not None and report.coverage.curves:
        for measure in report.coverage.measures:
            found[f"coverage-{measure}"] = draw_coverage(report.coverage, names, measure, mode)
    found |= {f"spread-{spread.name}": draw_spread(spread, mode) for spread in report.spreads}
    found |= {f"share-{shares.name}": draw_shares(shares, names, mode) for shares in report.shares}
    if report.difference is not None:
        found |= {f"change-{change.name}": draw_changes(change, mode) for change in report.difference.labels}
    return _by_file(found)


def _by_file(figures: Mapping[str, go.Figure]) -> dict[str, go.Figure]:
    """The same under names that any file system takes, each its own."""
    named: dict[str, go.Figure] = {}
    for name, figure in figures.items():
        stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "figure"
        free, count = stem, 1
        while free in named:
            count += 1
            free = f"{stem}-{count}"
        named[free] = figure
    return named


def map_files(report: Report, mode: Mode = "light") -> dict[str, bytes]:
    """The map of every arm as a PNG file, by the arm's name; {} without a map. No browser is needed."""
    if report.xy is None:
        return {}
    pictures = map_pictures(report.comparison, report.xy, mode=mode)
    return {name: png_of(picture) for name, picture in pictures.items()}


def png_of(picture: np.ndarray) -> bytes:
    """uint8 `[h, w, 3]` as a PNG file with a palette of its own."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).quantize(MAP_COLOURS).save(out, "PNG", optimize=True)
    return out.getvalue()


def png_archive(report: Report, mode: Mode = "light") -> bytes:
    """All figures and maps as PNG files in one zip archive.

    Raises:
        MissingDependency: kaleido is not installed.
        CurationError: there is no Chrome that draws.
    """
    from curation.figures.png import png_pictures

    files = {f"{name}.png": data for name, data in png_pictures(figures_of(report, mode), mode=mode).items()}
    for place, data in enumerate(map_files(report, mode).values()):
        files[f"map-{_letter(report, place).lower()}.png"] = data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:  # PNG files are compressed already
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def _letter(report: Report, place: int) -> str:
    from curation.figures.arms import letter

    return letter(place) if place < len(report.comparison.arms) else "random"


def html_report(report: Report, mode: Mode = "light") -> str:
    """One HTML page with everything in it, about 5 MB; it asks for nothing from anywhere and may be sent to anyone.

    All text is escaped; a policy in the page forbids every connection, so that even a mistake could not phone home.
    """
    from curation.comparison.page import page_of

    return page_of(report, figures_of(report, mode), map_files(report, mode), versions(), mode)
