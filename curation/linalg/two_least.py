"""The least and the second least of every column, kept up to date block by block in one compiled pass."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numba as nb
import numpy as np

log = logging.getLogger(__name__)


def _run(
    products: np.ndarray,
    norms: np.ndarray,
    before: int,
    least: np.ndarray,
    second: np.ndarray,
    first: np.ndarray,
) -> None:
    # One thread: threads of numba's beside those of the product before it wait for each other longer than this takes.
    # Choices without branches become vector instructions; min() and max(), which care for NaN, do not.
    for row in range(products.shape[0]):
        line = products[row]
        norm = norms[row]
        number = np.int32(before + row)
        for column in range(products.shape[1]):
            value = line[column] + norm
            old, runner_up = least[column], second[column]
            nearer = value < old
            larger = old if nearer else value
            second[column] = larger if larger < runner_up else runner_up
            first[column] = number if nearer else first[column]
            least[column] = value if nearer else old


def _compiled() -> Callable[[np.ndarray, np.ndarray, int, np.ndarray, np.ndarray, np.ndarray], None]:
    try:
        return nb.njit(nogil=True, cache=True)(_run)
    except RuntimeError as error:  # no folder to keep compiled code in
        log.info("compiled code is not kept on this machine: %s", error)
        return nb.njit(nogil=True)(_run)


two_least = _compiled()
"""Merges `products + norms[:, None]` into the two least of every column, in place.

Args:
    products: `[m, b]`, no NaN.
    norms: `[m]`, the same precision.
    before: Number of the first row.
    least: `[b]`, inf where nothing came before.
    second: `[b]`, the same.
    first: int32 `[b]`, number of the row with the least; of equals the one seen first.
"""
