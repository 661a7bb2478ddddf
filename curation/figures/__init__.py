"""Figures: values in, one plotly figure out. Imported lazily, since plotly takes a quarter of a second."""
