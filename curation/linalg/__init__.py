"""Distances and neighbours of row vectors, in blocks, on the processor or a GPU."""
