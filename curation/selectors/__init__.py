"""Selectors: rows in pick order, and why the others are out."""
