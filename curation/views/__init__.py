"""Views: conditions on rows that combine, travel in a link, and turn into a recipe."""

from curation.views.conditions import (
    Among,
    Condition,
    Decided,
    Like,
    Picked,
    Range,
    Region,
    Rows,
    Shape,
    Where,
    Words,
)
from curation.views.view import History, View

__all__ = [
    "Among",
    "Condition",
    "Decided",
    "History",
    "Like",
    "Picked",
    "Range",
    "Region",
    "Rows",
    "Shape",
    "View",
    "Where",
    "Words",
]
