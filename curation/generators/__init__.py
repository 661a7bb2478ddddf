"""Generators: new rows made from rows."""
