"""Recipes from what is stored; see `curation.complete.stored`, where this is done without a page."""

from __future__ import annotations

from curation.complete.stored import Parts, reached_from, tidy

__all__ = ["Parts", "reached_from", "tidy"]
