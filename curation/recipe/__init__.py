"""Recipes: strict data that names methods, and the plan made from it. Nothing is computed here."""

from __future__ import annotations

from curation.recipe.data import INPUT_KINDS, RESERVED, Input, Recipe, load_yaml, preset_names, preset_text
from curation.recipe.planning import DERIVED, Plan, PlannedStep, hash_key, maker_of, plan

__all__ = [
    "DERIVED",
    "INPUT_KINDS",
    "RESERVED",
    "Input",
    "Plan",
    "PlannedStep",
    "Recipe",
    "hash_key",
    "load_yaml",
    "maker_of",
    "plan",
    "preset_names",
    "preset_text",
]
