"""A map as pixels, drawn on the server: for reports, which must hold a million points in some kilobytes."""

from __future__ import annotations

import numpy as np

from curation.figures import palette
from curation.figures.map import first_view
from curation.figures.palette import Mode

MARGIN = 8
"""Pixels around the points."""
SIZES = ((3_000, 7), (20_000, 4), (100_000, 2), (float("inf"), 1))
"""Fewer rows than this are squares of so many pixels; lit ones are a pixel larger."""


def map_raster(
    xy: np.ndarray,
    lit: np.ndarray,
    *,
    colour: str,
    width: int = 640,
    height: int = 480,
    mode: Mode = "light",
) -> np.ndarray:
    """All rows as grey dots, the lit ones in colour on top; the darker a pixel, the more rows it holds.

    Args:
        xy: float `[n, 2]`; rows with NaN have no place.
        lit: bool `[n]`.
        colour: Of lit rows, `#rrggbb`.
        width: Pixels.
        height: Pixels.
        mode: Theme it is shown on; its background fills the picture.

    Returns:
        uint8 `[height, width, 3]`. Points outside the first view (a few far ones) stand at the border.
    """
    c = palette.colours(mode)
    picture = np.broadcast_to(_rgb(c.background), (height, width, 3)).copy()
    xy = np.asarray(xy)
    placed = np.isfinite(xy).all(1) if len(xy) else np.zeros(0, bool)
    if not placed.any():
        return picture.round().astype(np.uint8)
    low, high = first_view(xy[placed])
    room = np.array([width, height]) - 2 * MARGIN - 2
    at = ((xy - low) / (high - low)).clip(0, 1) * room + MARGIN
    radius = next(size for most, size in SIZES if placed.sum() < most)
    for rows, tint, opacity in ((placed & ~lit, c.context, 0.55), (placed & lit, colour, 0.8)):
        _paint(picture, at[rows], _rgb(tint), opacity, radius + (tint == colour))
    return picture.round().astype(np.uint8)


def _paint(picture: np.ndarray, at: np.ndarray, tint: np.ndarray, opacity: float, size: int) -> None:
    """Squares of `size` pixels; where k of them lie on each other, the background shines through by (1 − opacity)^k."""
    height, width = picture.shape[:2]
    column = at[:, 0].astype(np.int64)
    line = height - 2 - at[:, 1].astype(np.int64)  # up is up
    counts = np.zeros(height * width, np.int64)
    for dx in range(size):
        for dy in range(size):
            place = (line + dy).clip(0, height - 1) * width + (column + dx).clip(0, width - 1)
            counts += np.bincount(place, minlength=height * width)
    through = ((1 - opacity) ** np.minimum(counts, 60)).reshape(height, width, 1)
    picture[:] = picture * through + tint * (1 - through)


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float64)
