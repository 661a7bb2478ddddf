"""Recipes: strict data that names methods, and the plan made from it. Nothing is computed here."""

from __future__ import annotations

from curation.recipe.data import INPUT_KINDS, RESERVED, Input, Recipe, load_yaml, preset_names, preset_text
from curation.recipe.planning import Plan, PlannedStep, hash_key, plan

__all__ = [
    "INPUT_KINDS",
    "RESERVED",
    "Input",
    "Plan",
    "PlannedStep",
    "Recipe",
    "hash_key",
    "load_yaml",
    "plan",
    "preset_names",
    "preset_text",
]
