"""Scores as they arrive, counted in bins for a page that shows them while the judge is still being asked."""

from __future__ import annotations

import math
import time

import numpy as np

from curation.core.runtime import Runtime

BINS = 21
EVERY_S, SLOWER = 1.0, 300
"""Seconds between two records at first; later one part of so many of the time since the start, so that a run of a night
leaves two thousand lines and not thirty thousand."""
BIN, LOW, HIGH, SCORED = "bin_", "bins_low", "bins_high", "scored"


def between(begun: float) -> float:
    """Seconds until the next record of a run that began then (by the monotonic clock)."""
    return max(EVERY_S, (time.monotonic() - begun) / SLOWER)


class LiveScores:
    """Counts scores and records them through `Runtime.record` about once a second.

    ```python
    live = LiveScores(runtime, low=0, high=5)
    converse(len(pool), talk, connection, runtime, done=lambda row, score: live.add(score))
    live.close()
    ```

    Args:
        runtime: Whose `record` is called with `bin_0` … and the ends of the bins.
        low: Lowest score that the scale has: the middle of the first bin.
        high: Highest: the middle of the last bin, so that scores in whole or half steps stand in the middle of theirs.
        bins: Of equal width, at least 2.
    """

    def __init__(self, runtime: Runtime, low: float, high: float, bins: int = BINS) -> None:
        self.counts = np.zeros(bins, np.int64)
        half = (float(high) - float(low)) / (bins - 1) / 2
        self._runtime, self._low, self._high = runtime, low - half, high + half
        self._begun = self._said = time.monotonic()

    def add(self, score: float | None) -> None:
        """Count one score; None and NaN, which say that a row has none, are not counted."""
        if score is not None and math.isfinite(score):
            place = (score - self._low) / (self._high - self._low) * len(self.counts)
            self.counts[min(max(int(place), 0), len(self.counts) - 1)] += 1
        if time.monotonic() - self._said >= between(self._begun):
            self.close()

    def close(self) -> None:
        """Record what was counted so far."""
        self._said = time.monotonic()
        counts = {f"{BIN}{i}": float(c) for i, c in enumerate(self.counts)}
        self._runtime.record({**counts, LOW: self._low, HIGH: self._high, SCORED: float(self.counts.sum())})
