"""Similarities as whole numbers, in which facility location counts. Apart from its kernels, which load numba."""

from __future__ import annotations

from typing import Literal

Similarity = Literal["shifted", "clipped"]
"""shifted: (1 + cos) / 2, from 0 to 1; clipped: max(0, cos)."""

ONE = 1 << 30
"""The whole number that stands for similarity 1."""

NEARLY_ONE = ONE - 128
"""Similarities from here on are 1: float32 vectors cannot tell such rows apart, and a row is as similar to itself."""
