"""Selections side by side, random always among them: overlap, coverage, distributions, cost and weakness, measured.

`load_comparison` puts stored selections together; every measure is a pure function on its arrays that returns one of
the values in `measured`.
"""

from __future__ import annotations

from curation.comparison.arms import load_comparison
from curation.comparison.curves import coverage_curves, coverage_recipe
from curation.comparison.difference import difference, older_selections
from curation.comparison.facts import RANDOM, Arm, Comparison, Cost, LeftOut, StepCost, Weakness
from curation.comparison.measured import (
    ArmSpread,
    CoverageCurves,
    Curve,
    Difference,
    LabelChange,
    Overlap,
    Pattern,
    Patterns,
    ScoreChange,
    Shares,
    Spread,
)
from curation.comparison.membership import agreed, left_by_one, only, overlap, patterns, taken_by_all, votes
from curation.comparison.shares import shares
from curation.comparison.spread import length_spread, score_spread
from curation.comparison.stored import stored_labels, stored_scores
from curation.comparison.together import Together, keys_of, notes_of, recipe_of_presets, recipe_of_selections
from curation.comparison.twins import Twin, twins, variant_recipe
from curation.comparison.weakness import weakness_of, weaknesses

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
    "Together",
    "Twin",
    "Weakness",
    "agreed",
    "coverage_curves",
    "coverage_recipe",
    "difference",
    "keys_of",
    "left_by_one",
    "length_spread",
    "load_comparison",
    "notes_of",
    "older_selections",
    "only",
    "overlap",
    "patterns",
    "recipe_of_presets",
    "recipe_of_selections",
    "score_spread",
    "shares",
    "stored_labels",
    "stored_scores",
    "taken_by_all",
    "twins",
    "variant_recipe",
    "votes",
    "weakness_of",
    "weaknesses",
]
