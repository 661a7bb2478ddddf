"""Scorers: a number per row."""
