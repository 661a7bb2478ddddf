"""What to beware of in a score before anything is selected by it: dead, saturated, missing, driven by length, ..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

DEAD_SHARE = 0.95
"""One value on more than this share of the rows that have the score: it tells rows apart hardly at all."""
END_SHARE = 0.25
"""So large a share exactly at the lowest or highest value: the scale ends before the rows do."""
END_LEVELS = 2.0
"""A score of few levels has much at its ends by nature: its end has to hold this many times an even share."""
MISSING_SHARE = 0.05
"""More missing than this is said; rows without a score are not eligible, so a cut drops them unseen."""
LENGTH_RHO = 0.7
"""From this |rank correlation| with length on, a score mostly measures length."""
DUPLICATE_RHO = 0.98
"""From this |rank correlation| on, two scores order the rows the same way."""
FEW_LEVELS = 20
"""A score with whole numbers and no more distinct values than this is read as a grade."""
TOP_SHARE = 0.10
"""The cut that ties and stability are looked at for: the best tenth."""
TIE_SHARE = 0.02
"""Ties at that cut are said when they are more than this share of the rows."""
STABLE_SHARE = 0.8
"""Of the best tenth so much should be found again when a noisy score is measured once more."""
DRAWS = 20

Kind = Literal[
    "empty", "dead", "saturated", "missing", "not finite", "length", "duplicate", "few levels", "tie", "unstable"
]


@dataclass(frozen=True)
class Finding:
    """One thing to beware of.

    Args:
        kind: Which.
        severe: True where selecting by the score means little: it needs consent.
        meaning: What was found, one sentence, with its number.
        advice: What to do, one sentence.
        other: The other score, for duplicates.
    """

    kind: Kind
    severe: bool
    meaning: str
    advice: str
    other: str = ""


@dataclass(frozen=True)
class Tie:
    """Equal values at a cut.

    Args:
        value: Where the cut falls.
        wanted: Rows that the cut asks for.
        better: Rows strictly better than the value.
        equal: Rows with exactly that value.
    """

    value: float
    wanted: int
    better: int
    equal: int

    @property
    def splits(self) -> bool:
        """True when the cut takes some of the equal rows and leaves others."""
        return self.better + self.equal > self.wanted


def tie_at(ordered: np.ndarray, share: float = TOP_SHARE, *, highest: bool = True) -> Tie | None:
    """The tie that a cut at the best `share` of the rows falls into; None without rows. O(log n).

    Args:
        ordered: float64 `[m]`, finite values in ascending order.
        share: 0 to 1.
        highest: True when higher is better.
    """
    m = len(ordered)
    if not m:
        return None
    wanted = max(1, int(np.floor(share * m + 0.5)))
    value = float(ordered[m - wanted] if highest else ordered[wanted - 1])
    first, last = (int(np.searchsorted(ordered, value, side=s)) for s in ("left", "right"))
    return Tie(value, wanted, m - last if highest else first, last - first)


def top_stability(
    values: np.ndarray, spread: np.ndarray, share: float = TOP_SHARE, *, highest: bool = True, seed: int = 0
) -> float:
    """Share of the best rows that are among the best again when each is measured once more, mean of 20 draws.

    Each draw adds normal noise of the row's own spread. O(20 n).

    Args:
        values: float64 `[n]`; only rows with finite value and spread count.
        spread: float64 `[n]`, standard deviation of one measurement.
        share: How many are the best.
        highest: True when higher is better.
        seed: Of the draws.

    Returns:
        0 to 1, NaN without rows that have both.
    """
    both = np.isfinite(values) & np.isfinite(spread)
    x, noise = np.asarray(values, np.float64)[both], np.asarray(spread, np.float64)[both]
    if not len(x):
        return float("nan")
    x = x if highest else -x
    k = max(1, int(np.floor(share * len(x) + 0.5)))
    best = np.argpartition(-x, k - 1)[:k]
    inside = np.zeros(len(x), bool)
    inside[best] = True
    rng = np.random.default_rng(seed)
    again = [
        inside[np.argpartition(-(x + noise * rng.standard_normal(len(x))), k - 1)[:k]].mean() for _ in range(DRAWS)
    ]
    return float(np.mean(again))


def check(
    ordered: np.ndarray,
    n: int,
    *,
    infinite: int = 0,
    highest: bool | None = None,
    length: Mapping[str, float] | None = None,
    others: Mapping[str, float] | None = None,
    stability: float | None = None,
) -> list[Finding]:
    """Everything to beware of, the severe first. O(m).

    Args:
        ordered: float64 `[m]`, the score's finite values in ascending order.
        n: Rows of the dataset.
        infinite: Rows whose value is infinite.
        highest: Which end is better; None when neither is by itself.
        length: Rank correlation with the length of each text, by its name ("prompt", "response"); NaN = unknown.
        others: Rank correlation with other scores, by name.
        stability: From `top_stability`, for scores that know their noise.
    """
    if not len(ordered):
        return [Finding("empty", True, "No row has this score.", "Read the reasons, mend them, and compute it again.")]
    found = [
        *_spread(ordered),
        *_gaps(len(ordered), n, infinite),
        *_length(length or {}),
        *_ties(ordered, highest),
        *_noise(stability),
        *_twins(others or {}),
    ]
    return sorted(found, key=lambda f: not f.severe)


def is_dead(ordered: np.ndarray) -> bool:
    """True when a score tells rows apart hardly at all, or no row has it. O(m)."""
    return not len(ordered) or most_common(ordered)[1] > DEAD_SHARE


def most_common(ordered: np.ndarray) -> tuple[float, float]:
    """The most frequent value and its share; (NaN, 0) without values. O(m)."""
    if not len(ordered):
        return float("nan"), 0.0
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(starts, len(ordered)))
    best = int(counts.argmax())
    return float(ordered[starts[best]]), float(counts[best] / len(ordered))


def levels(ordered: np.ndarray) -> int:
    """Distinct values. O(m)."""
    return int((ordered[1:] != ordered[:-1]).sum()) + 1 if len(ordered) else 0


def _spread(ordered: np.ndarray) -> list[Finding]:
    value, share = most_common(ordered)
    if share > DEAD_SHARE:
        many = "All rows" if share == 1 else f"{_percent(share)} of the rows"
        return [
            Finding(
                "dead", True, f"{many} have the same value, {value:.4g}.",
                "Do not rank by it: the order among equal rows is only their place in the file. Dropping or keeping "
                "the few others may still make sense.",
            )
        ]  # fmt: skip
    found = []
    least = max(END_SHARE, END_LEVELS / levels(ordered))
    for word, end in (("lowest", ordered[0]), ("highest", ordered[-1])):
        at_end = float(np.searchsorted(ordered, end, "right") - np.searchsorted(ordered, end, "left")) / len(ordered)
        if at_end >= least:
            found.append(
                Finding(
                    "saturated", False, f"{_percent(at_end)} of the rows are exactly at the {word} value, {end:.4g}.",
                    "It cannot tell those rows apart: break their ties with a second score, or use it only to separate "
                    "them from the others.",
                )
            )  # fmt: skip
    return found


def _gaps(m: int, n: int, infinite: int) -> list[Finding]:
    found = []
    gaps = n - m
    if gaps > MISSING_SHARE * n:
        found.append(
            Finding(
                "missing", gaps > 0.5 * n, f"{gaps:,} rows ({_percent(gaps / n)}) lack it.",
                "Read why below; a cut never keeps them, so decide first whether they are worth keeping.",
            )
        )  # fmt: skip
    if infinite:
        rows = "1 row has" if infinite == 1 else f"{infinite:,} rows have"
        found.append(
            Finding(
                "not finite", False, f"{rows} an infinite value, which counts as missing.",
                "Look at those rows: a division by zero or an empty text is the usual cause.",
            )
        )  # fmt: skip
    return found


def _length(length: Mapping[str, float]) -> list[Finding]:
    known = {name: rho for name, rho in length.items() if np.isfinite(rho)}
    if not known:
        return []
    name = max(known, key=lambda k: abs(known[k]))
    if abs(known[name]) < LENGTH_RHO:
        return []
    which = "longer" if known[name] > 0 else "shorter"
    return [
        Finding(
            "length", False, f"It follows the length of the {name} (ρ = {known[name]:.2f}): high means {which}.",
            "Compare rows of like length, or take the length out with the indicator “Adjusted score”.",
        )
    ]  # fmt: skip


def _ties(ordered: np.ndarray, highest: bool | None) -> list[Finding]:
    if most_common(ordered)[1] > DEAD_SHARE:
        return []
    tie = tie_at(ordered, highest=highest is not False)
    inside = tie is not None and tie.splits and tie.equal > TIE_SHARE * len(ordered)
    count = levels(ordered)
    grades = count <= FEW_LEVELS and np.array_equal(ordered, np.round(ordered))
    cut = ""
    if tie is not None and inside:
        end = "bottom" if highest is False else "top"
        cut = f"a cut at the {end} 10 % falls inside a tie of {tie.equal:,} rows with {tie.value:.4g}"
    advice = "Choose a threshold instead of a number of rows, or break ties with a second score in a formula."
    if grades:
        more = f", and {cut}" if cut else ""
        return [Finding("few levels", False, f"It has only {count} different values{more}.", advice)]
    return [Finding("tie", False, f"{cut[0].upper()}{cut[1:]}.", advice)] if cut else []


def _noise(stability: float | None) -> list[Finding]:
    if stability is None or not np.isfinite(stability) or stability >= STABLE_SHARE:
        return []
    return [
        Finding(
            "unstable", False, f"Measured again, only {_percent(stability)} of its best tenth would be there again.",
            "Average more runs, or select a wider share.",
        )
    ]  # fmt: skip


def _twins(others: Mapping[str, float]) -> list[Finding]:
    found = []
    for name, rho in others.items():
        if np.isfinite(rho) and abs(rho) >= DUPLICATE_RHO:
            how = "the same way" if rho > 0 else "the opposite way"
            found.append(
                Finding(
                    "duplicate", False, f"It orders the rows {how} as “{name}” (ρ = {_rho(rho)}).",
                    "Use one of the two: together they count the same thing twice.", name,
                )
            )  # fmt: skip
    return found


def _rho(rho: float) -> str:
    """Two digits, never rounded up to ±1."""
    return f"{np.sign(rho) * np.floor(abs(rho) * 1000) / 1000:.3f}" if abs(rho) < 1 else f"{rho:.0f}"


def _percent(share: float) -> str:
    """Whole percent, one digit near the ends so that it never says 0 or 100 where it is not."""
    return f"{100 * share:.0f} %" if 0.015 <= share <= 0.985 or share in (0, 1) else f"{_near(share)} %"


def _near(share: float) -> str:
    value = 100 * share
    return f"{min(value, 99.9):.1f}" if value > 50 else f"{max(value, 0.1):.1f}"
