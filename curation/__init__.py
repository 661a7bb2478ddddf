"""Data curation for fine-tuning: see, score, select, prove, export.

import curation

pool = curation.load("my.json")
vectors = pool.run("encoder/sentence")
picks = pool.select("k-center", features=vectors, budget=200)
picks.export("subset.json", format="alpaca")
"""

from __future__ import annotations

__version__ = "0.1.0"

from curation.api import Pool, Result, load, methods, open_workspace
from curation.core.errors import CurationError, DataError, MissingDependency, ModelError, RecipeError
from curation.core.spending import Caps

__all__ = [
    "Caps",
    "CurationError",
    "DataError",
    "MissingDependency",
    "ModelError",
    "Pool",
    "RecipeError",
    "Result",
    "load",
    "methods",
    "open_workspace",
]
