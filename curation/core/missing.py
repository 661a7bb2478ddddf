"""Why rows are missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NO_ROW = -1
"""Stands for "no row" wherever a row index is stored."""


@dataclass(frozen=True)
class Missing:
    """Why rows are missing: `codes[i]` is 0 for a present row, else 1 + the index into `reasons`.

    Args:
        codes: int16 `[n]`.
        reasons: One sentence each.
    """

    codes: np.ndarray
    reasons: tuple[str, ...] = ()

    @classmethod
    def none(cls, n: int) -> Missing:
        """Nothing is missing among `n` rows."""
        return cls(np.zeros(n, np.int16))

    @classmethod
    def where(cls, mask: np.ndarray, reason: str) -> Missing:
        """Rows under a boolean mask `[n]` are missing for one reason."""
        return cls(mask.astype(np.int16), (reason,)) if mask.any() else cls.none(len(mask))

    @classmethod
    def from_list(cls, reasons: list[str | None]) -> Missing:
        """One reason (or None for present) per row."""
        names = tuple(dict.fromkeys(r for r in reasons if r is not None))
        code = {name: i + 1 for i, name in enumerate(names)}
        return cls(np.array([0 if r is None else code[r] for r in reasons], np.int16), names)

    @property
    def mask(self) -> np.ndarray:
        """Boolean `[n]`, true where missing."""
        return self.codes > 0

    def reason(self, row: int) -> str | None:
        """The reason of one row, None when it is present."""
        code = int(self.codes[row])
        return self.reasons[code - 1] if code else None

    def counts(self) -> dict[str, int]:
        """Number of rows for each reason that occurs."""
        if not self.reasons:  # most results, and pages ask in every run
            return {}
        tally = np.bincount(self.codes, minlength=len(self.reasons) + 1)
        return {reason: int(c) for reason, c in zip(self.reasons, tally[1:], strict=True) if c}

    def take(self, rows: np.ndarray) -> Missing:
        """The same for a subset of rows."""
        return Missing(self.codes[rows], self.reasons)

    def scatter(self, rows: np.ndarray, n: int, outside: str) -> Missing:
        """Put these rows back into a dataset of `n` rows; the others are missing because of `outside`."""
        codes = np.full(n, len(self.reasons) + 1, np.int16)
        codes[rows] = self.codes
        return Missing(codes, (*self.reasons, outside))

    @classmethod
    def concat(cls, parts: list[Missing]) -> Missing:
        """Join consecutive parts."""
        names = tuple(dict.fromkeys(r for p in parts for r in p.reasons))
        code = {name: i + 1 for i, name in enumerate(names)}
        tables = [np.array([0, *(code[r] for r in p.reasons)], np.int16) for p in parts]
        return cls(np.concatenate([t[p.codes] for t, p in zip(tables, parts, strict=True)]), names)

    def compact(self) -> Missing:
        """The same with only those reasons that occur, in the order in which rows have them."""
        present, first = np.unique(self.codes, return_index=True)
        order = [int(c) for c in present[np.argsort(first)] if c > 0]
        table = np.zeros(len(self.reasons) + 1, np.int16)
        table[order] = np.arange(1, len(order) + 1)
        return Missing(table[self.codes], tuple(self.reasons[c - 1] for c in order))
