"""Selections side by side, random always among them: overlap, coverage, distributions, cost and weakness, measured.

`load_comparison` puts stored selections together; every measure is a pure function on its arrays that returns one of
the values in `facts`.
"""

from __future__ import annotations

from curation.comparison.facts import (
    RANDOM,
    Arm,
    ArmSpread,
    Comparison,
    Cost,
    CoverageCurves,
    Curve,
    Difference,
    LabelChange,
    LeftOut,
    Overlap,
    Pattern,
    Patterns,
    ScoreChange,
    Shares,
    Spread,
    StepCost,
    Weakness,
)

__all__ = [
    "RANDOM",
    "Arm",
    "ArmSpread",
    "Comparison",
    "Cost",
    "CoverageCurves",
    "Curve",
    "Difference",
    "LabelChange",
    "LeftOut",
    "Overlap",
    "Pattern",
    "Patterns",
    "ScoreChange",
    "Shares",
    "Spread",
    "StepCost",
    "Weakness",
]
