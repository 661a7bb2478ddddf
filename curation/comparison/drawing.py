"""From the measures of a comparison to its figures: what the Compare page shows is what a report holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from curation.comparison.facts import Comparison
from curation.comparison.measured import ArmSpread, CoverageCurves, LabelChange, Overlap, Patterns, Shares, Spread
from curation.comparison.membership import votes
from curation.coverage import MEASURES
from curation.figures.agreement import agreement_figure
from curation.figures.arm_coverage import arm_coverage_figure
from curation.figures.arm_shares import arm_shares_figure
from curation.figures.arm_spread import arm_spread_figure
from curation.figures.arms import arm_look, random_look
from curation.figures.changes import changes_figure
from curation.figures.overlap import overlap_figure
from curation.figures.patterns import patterns_figure
from curation.figures.raster import map_raster

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from curation.figures.palette import Mode


def draw_overlap(found: Overlap, draws: int, mode: Mode = "light") -> go.Figure:
    """Overlap of each two arms beside chance; the last `draws` names are random."""
    return overlap_figure(
        found.names, found.sizes, found.shared, found.expected, found.low, found.high, draws=draws, mode=mode
    )


def draw_patterns(found: Patterns, mode: Mode = "light") -> go.Figure:
    """Rows by exactly which arms take them."""
    place = {name: i for i, name in enumerate(found.names)}
    return patterns_figure(
        found.names,
        [[place[name] for name in p.members] for p in found.patterns],
        np.array([p.count for p in found.patterns], np.int64),
        np.array([p.expected for p in found.patterns]),
        others=found.others,
        mode=mode,
    )


def at_least(comparison: Comparison) -> tuple[np.ndarray, np.ndarray]:
    """Rows that at least 1, 2, ... arms take, int64 `[a]`, and how many if the arms were random, float64 `[a]`."""
    count = len(comparison.arms)
    found = np.bincount(votes(comparison), minlength=count + 1)[: count + 1]
    # the number of arms that take a row, if each took it by chance: a sum of independent draws, one arm after the other
    population = max(len(comparison.eligible), 1)
    chance = np.ones(1)
    for arm in comparison.arms:
        share = min(len(arm) / population, 1.0)
        chance = np.append(chance, 0.0) * (1 - share) + np.append(0.0, chance) * share
    return np.cumsum(found[::-1])[::-1][1:], population * np.cumsum(chance[::-1])[::-1][1:]


def draw_agreement(comparison: Comparison, chosen: int | None = None, mode: Mode = "light") -> go.Figure:
    """Rows that at least m arms take, for every m."""
    counts, expected = at_least(comparison)
    return agreement_figure(counts, expected, chosen=chosen, mode=mode)


def spread_note(arm: ArmSpread) -> str:
    """A few words: how far an arm's mean is from the pool's, and whether chance explains its distribution."""
    if not np.isfinite(arm.smd):
        return ""
    same = " ≈ chance" if arm.ks <= arm.ks_chance else ""
    return f"mean {arm.smd:+.2f} sd{same}".replace("-", "−", 1)


def draw_spread(found: Spread, mode: Mode = "light") -> go.Figure:
    """One number over all arms."""
    return arm_spread_figure(
        [arm.name for arm in found.arms],
        found.edges,
        np.array([arm.counts for arm in found.arms]),
        found.pool.counts,
        title=found.name,
        medians=np.array([arm.quantiles[2] for arm in found.arms]),
        pool_median=float(found.pool.quantiles[2]),
        random=np.array([arm.counts for arm in found.random]),
        notes=[spread_note(arm) for arm in found.arms],
        logarithmic=found.logarithmic,
        mode=mode,
    )


def draw_shares(found: Shares, names: Sequence[str], mode: Mode = "light") -> go.Figure:
    """Shares of every arm by label."""
    return arm_shares_figure(
        names, found.labels, found.pool, found.shares, counts=found.counts, low=found.chance_low,
        high=found.chance_high, mode=mode,
    )  # fmt: skip


def draw_coverage(found: CoverageCurves, names: Sequence[str], measure: str, mode: Mode = "light") -> go.Figure:
    """One measure over the budget for every arm that has it; random's band is that of the longest curve."""
    curves = [curve for curve in found.curves if measure in curve.values and len(curve.budgets)]
    longest = max(curves, key=lambda curve: int(curve.budgets[-1]), default=None)
    shown = MEASURES.get(measure)
    return arm_coverage_figure(
        names,
        [list(names).index(curve.name) for curve in curves],
        [curve.budgets for curve in curves],
        [curve.values[measure] for curve in curves],
        ordered=[curve.ordered for curve in curves],
        title=measure,
        random_budgets=None if longest is None else longest.budgets,
        random=None if longest is None else longest.random.get(measure),
        lower_is_better=bool(shown and shown.lower_is_better),
        percent=bool(shown and shown.percent),
        mode=mode,
    )


def draw_changes(found: LabelChange, mode: Mode = "light") -> go.Figure:
    """Added and removed rows by label."""
    return changes_figure(found.labels, found.added, found.removed, found.kept, mode=mode)


def map_pictures(
    comparison: Comparison, xy: np.ndarray, *, width: int = 640, height: int = 480, mode: Mode = "light"
) -> dict[str, np.ndarray]:
    """The map of every arm, and of the first random draw, as pixels `[height, width, 3]`.

    Args:
        comparison: The arms.
        xy: float `[n, 2]`, places of all rows.
        width: Pixels.
        height: Pixels.
        mode: Theme it is shown on.
    """
    looks = [arm_look(place, arm.name, mode).colour for place, arm in enumerate(comparison.arms)]
    looks += [random_look(len(comparison.random), mode).colour for _ in comparison.random[:1]]
    pictures = {}
    for arm, colour in zip((*comparison.arms, *comparison.random[:1]), looks, strict=True):
        lit = np.zeros(comparison.n, bool)
        lit[arm.order] = True
        pictures[arm.name] = map_raster(xy, lit, colour=colour, width=width, height=height, mode=mode)
    return pictures
