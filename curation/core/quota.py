"""Quotas: how many rows of every value of a label (cluster, source, language, band) a selection must and may have.

A quota works with every selector, since it only reads the order in which a selector prefers rows: it walks that order
and takes a row if and only if its value's maximum is not reached and the places left after it still suffice for what
the minima of the other values lack. Such sets of rows form a matroid, so where the worth of a selection is the sum of
the scores of its rows and the order is by score, no selection that keeps to the quota is worth more (Rado 1957;
Edmonds 1971).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from difflib import get_close_matches
from typing import Any

import numpy as np

from curation.core.artifacts import NO_ROW, Labels, Selection
from curation.core.errors import CurationError
from curation.core.method import without_separators
from curation.core.selection import BY_HAND

EVERY = "*"
"""Stands for every value that is not named itself."""
NO_VALUE = "no value"
"""The value of rows without a label."""
SHARE_IS_OF = "percentages are of the rows to pick; minima are rounded down, maxima up"
NAMED_AT_MOST = 200
"""Values told one by one, in reasons and in `info`; with more, reasons do not name the value."""

UNLIMITED = np.iinfo(np.int64).max
TAKEN, FULL, KEPT_FREE = 0, 1, 2

_AMOUNT = re.compile(r"(\d+)(?: rows)?|(\d+(?:\.\d+)?) ?%")


# ---------------------------------------------------------------------- what is asked for


@dataclass(frozen=True)
class Quota:
    """Minima and maxima by value: a count, or a percentage such as "5%". `EVERY` is for values not named.

    Args:
        at_least: Value → amount.
        at_most: Value → amount.
    """

    at_least: dict[str, int | str] = field(default_factory=dict)
    at_most: dict[str, int | str] = field(default_factory=dict)

    @classmethod
    def read(cls, at_least: Any, at_most: Any) -> Quota:
        """From what a recipe says: a mapping of values to amounts, or one amount for every value.

        Raises:
            CurationError: if neither is given, or an amount is none.
        """
        found = cls(_amounts("at_least", at_least), _amounts("at_most", at_most))
        if not found.at_least and not found.at_most:
            raise CurationError(
                "a quota needs at_least or at_most", 'add  at_least: {NAME: 50}  or  at_most: {"*": 5%}'
            )
        return found

    def facts(self) -> dict[str, Any]:
        """Plain data, the same for the same quota however it was written."""
        return {"at_least": dict(sorted(self.at_least.items())), "at_most": dict(sorted(self.at_most.items()))}


def _amounts(word: str, given: Any) -> dict[str, int | str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        given = {EVERY: given}
    found: dict[str, int | str] = {}
    for value, amount in given.items():
        text = without_separators(str(amount).strip())
        match = None if isinstance(amount, bool) else _AMOUNT.fullmatch(text)
        if match is None or (match[2] and Decimal(match[2]) > 100):
            place = f"{word} of '{value}'" if value != EVERY else word
            raise CurationError(f"{place}: {amount!r} is no amount", "use a count (50) or a percentage (5%)")
        found[str(value)] = int(match[1]) if match[1] else f"{Decimal(match[2]).normalize():f}%"
    return found


def rows_meant(amount: int | str, budget: int, *, up: bool) -> int:
    """Rows that an amount means when `budget` rows are picked.

    Minima are rounded down and maxima up, so that shares that sum to 100 % fit into every budget.
    """
    if isinstance(amount, int):
        return amount
    exact = Decimal(amount.removesuffix("%")) * budget / 100
    return int(exact.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))


# ---------------------------------------------------------------------- what it means here


@dataclass(frozen=True)
class Limits:
    """A quota for one pool, checked: it can be kept to.

    Args:
        names: Values, `[g]`.
        value: int64 `[n]`, the value of every row, index into `names`.
        eligible: int64 `[g]`, rows there are to pick from.
        least: int64 `[g]`.
        most: int64 `[g]`, at most `eligible`.
        growing: True when a larger budget can only add rows: no minima, no percentages.
    """

    names: tuple[str, ...]
    value: np.ndarray
    eligible: np.ndarray
    least: np.ndarray
    most: np.ndarray
    growing: bool


def values_of(labels: Labels) -> tuple[np.ndarray, tuple[str, ...]]:
    """The value of every row, int64 `[n]`, and the values' names; rows without a label have the value `NO_VALUE`."""
    names = labels.names if NO_VALUE in labels.names else (*labels.names, NO_VALUE)
    without = labels.missing.mask | (np.asarray(labels.codes) == NO_ROW)
    return np.where(without, names.index(NO_VALUE), labels.codes).astype(np.int64), names


def limits_of(quota: Quota, labels: Labels, rows: np.ndarray, budget: int | None) -> Limits:
    """What a quota means for some rows.

    Args:
        quota: Minima and maxima.
        labels: Of all n rows.
        rows: int64: those that may be picked; for a selector without a budget those that it picked.
        budget: How many are picked, at most as many as there are; None = as many as the quota leaves.

    Raises:
        CurationError: if a name is unknown, or no selection can keep to the quota; it says what would be feasible.
    """
    value, names = values_of(labels)
    eligible = np.bincount(value[rows], minlength=len(names)).astype(np.int64)
    total = len(rows) if budget is None else budget
    for name in [*quota.at_least, *quota.at_most]:
        if name != EVERY and name not in names:
            near = get_close_matches(name, names, 3) or names[:10]
            raise CurationError(f"the quota names '{name}', which no row has", f"values: {', '.join(near) or 'none'}")
    least = np.array([_bound(quota.at_least, name, total, 0, up=False) for name in names], np.int64)
    most = np.array([_bound(quota.at_most, name, total, UNLIMITED, up=True) for name in names], np.int64)
    for place in np.flatnonzero(eligible == 0):  # what stands for every value stands for those that are here
        if names[place] not in quota.at_least:
            least[place] = 0
    _check(names, eligible, least, most, total if budget is not None else None)
    shares = any(isinstance(amount, str) for amount in quota.at_most.values())
    return Limits(names, value, eligible, least, np.minimum(most, eligible), not quota.at_least and not shares)


def _bound(amounts: dict[str, int | str], name: str, budget: int, default: int, *, up: bool) -> int:
    amount = amounts.get(name, amounts.get(EVERY))
    return default if amount is None else rows_meant(amount, budget, up=up)


def _check(
    names: tuple[str, ...], eligible: np.ndarray, least: np.ndarray, most: np.ndarray, budget: int | None
) -> None:
    """Raises a CurationError that names value and numbers where a quota cannot be kept to."""
    crossed = np.flatnonzero(least > most)
    if len(crossed):
        g = crossed[0]
        hint = f"raise at_most to {least[g]:,}, or lower at_least to {most[g]:,}; {SHARE_IS_OF}"
        raise CurationError(f"'{names[g]}' is to have at least {least[g]:,} rows and at most {most[g]:,}", hint)
    lacking = np.flatnonzero(least > eligible)
    if len(lacking):
        said = [f"'{names[g]}' has {eligible[g]:,} eligible rows, {least[g]:,} were asked for" for g in lacking[:3]]
        more = [f"so it is with {len(lacking) - 3:,} more values"] * (len(lacking) > 3)
        feasible = ", ".join(f"{names[g]}: {eligible[g]}" for g in lacking[:3])
        raise CurationError("; ".join([*said, *more]), f"feasible: at_least {{{feasible}}}, or let more rows in")
    if budget is None:
        return
    needed = int(least.sum())
    if needed > budget:
        raise CurationError(
            f"the minima add up to {needed:,} rows, {budget:,} are to be picked",
            f"a budget of {needed:,} would do, or smaller minima",
        )
    allowed = int(np.minimum(most, eligible).sum())
    if allowed < budget:
        raise CurationError(
            f"the maxima allow {allowed:,} rows, {budget:,} are to be picked",
            f"feasible: a budget of {allowed:,}, or maxima of {_least_cap(eligible, most, budget):,}",
        )


def _least_cap(eligible: np.ndarray, most: np.ndarray, budget: int) -> int:
    """The least c such that maxima of c, where they are smaller now, allow `budget` rows."""
    low, high = 0, int(eligible.max(initial=0))
    while low < high:
        middle = (low + high) // 2
        if int(np.minimum(np.maximum(most, middle), eligible).sum()) >= budget:
            high = middle
        else:
            low = middle + 1
    return low


# ---------------------------------------------------------------------- the walk


def walk(values: np.ndarray, least: np.ndarray, most: np.ndarray, budget: int) -> np.ndarray:
    """Goes through rows in the order of preference until the budget is filled; O(m).

    Args:
        values: int `[m]`, the value of each row, in order.
        least: int `[g]`, minima, with a sum of at most `budget`.
        most: int `[g]`, maxima, none below its minimum.
        budget: How many to take.

    Returns:
        int8, one for each row that was looked at: `TAKEN`, `FULL` (its value's maximum is reached) or `KEPT_FREE` (the
        places left are needed for the minima of other values).
    """
    minima, room, taken = least.tolist(), most.tolist(), [0] * len(least)
    left, lacking = budget, int(least.sum())
    found = bytearray()
    for value in values.tolist():
        if not left:
            break
        if taken[value] >= room[value]:
            found.append(FULL)
            continue
        if taken[value] < minima[value]:
            lacking -= 1
        elif left <= lacking:
            found.append(KEPT_FREE)
            continue
        taken[value] += 1
        left -= 1
        found.append(TAKEN)
    return np.frombuffer(bytes(found), np.int8)


def kept_to(made: Selection, limits: Limits, budget: int | None) -> Selection:
    """The part of a selection that keeps to a quota, in its order, with the reasons of the rows that do not.

    Its rows must be in order of preference. What is left of it after the budget is filled is beyond the budget. A row
    whose value had its quota already has as margin the number of rows of its value by which it came too late; one that
    was passed over for the minima of others, how many were so up to it. Weights stay as they are, and a note says for
    how many rows they were made. What stood for rows that are out is kept where it is still in. `short_by` is what is
    missing to the budget.

    Args:
        made: What a selector picked.
        limits: The quota.
        budget: None = as many as the maxima leave.
    """
    order = np.asarray(made.order, np.int64)
    values = limits.value[order]
    wanted = len(order) if budget is None else budget
    # a selector without a budget is not to keep places free: what it did not pick cannot be picked
    least = np.zeros_like(limits.least) if budget is None else limits.least
    verdict = walk(values, least, limits.most, wanted)
    looked = len(verdict)
    base = made.prefix(looked)
    taken, passed = verdict == TAKEN, verdict != TAKEN
    picked = np.bincount(values[:looked][taken], minlength=len(limits.names))
    stage = np.array(base.stage) if len(base.stage) else np.zeros(base.n, np.int16)
    margin = np.array(base.margin) if len(base.margin) else np.full(base.n, np.nan)
    stages = list(base.stages)
    for places, reason in _reasons(limits, values[:looked], verdict):
        stages.append(reason)
        stage[order[places]] = len(stages)
    full, kept_free = np.flatnonzero(verdict == FULL), np.flatnonzero(verdict == KEPT_FREE)
    margin[order[full]] = _ordinals(values[full])
    margin[order[kept_free]] = np.arange(1, len(kept_free) + 1)
    info = {**base.info, "quota": _told(limits, picked)}
    if BY_HAND in info:  # they are the last of the order
        info[BY_HAND] = int(taken[len(order) - info[BY_HAND] :].sum())
    lost = len(order) - int(taken.sum())
    if len(made.weights) and lost:
        note = f"weights and facts are those of {len(order):,} rows, of which {len(order) - lost:,} are here"
        info["notes"] = [*base.info.get("notes", []), note]
    short_by = wanted - int(taken.sum()) if budget is not None else made.short_by
    found = dataclasses.replace(
        base,
        order=order[:looked][taken],
        gains=base.gains[taken] if len(base.gains) else base.gains,
        weights=base.weights[taken] if len(base.weights) else base.weights,
        stage=stage,
        stages=tuple(stages),
        margin=margin,
        short_by=short_by,
        short_reason=_short(limits, picked, made) if short_by and budget is not None else made.short_reason,
        nested=made.nested and limits.growing,
        info=info,
    )
    return _still_covered(found, order[:looked][passed])


def _reasons(limits: Limits, values: np.ndarray, verdict: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """Places in the order that were passed over, and why."""
    found: list[tuple[np.ndarray, str]] = []
    full = np.flatnonzero(verdict == FULL)
    which = np.unique(values[full])
    if len(which) > NAMED_AT_MOST:
        found.append((full, "its value had its quota already"))
    else:
        found += [(full[values[full] == g], f"its value '{limits.names[g]}' had its quota already") for g in which]
    kept_free = np.flatnonzero(verdict == KEPT_FREE)
    if len(kept_free):
        before = np.bincount(values[: kept_free[0]][verdict[: kept_free[0]] == TAKEN], minlength=len(limits.names))
        lacking = np.flatnonzero(before < limits.least)  # from here on every place is theirs
        names = ", ".join(f"'{limits.names[g]}'" for g in lacking[:3])
        more = f" and {len(lacking) - 3:,} more" if len(lacking) > 3 else ""
        found.append((kept_free, f"its place was kept for the minimum of {names}{more}"))
    return found


def _ordinals(values: np.ndarray) -> np.ndarray:
    """For each element how many equal ones there are up to it: 1 for the first."""
    by_value = np.argsort(values, kind="stable")
    ordered = values[by_value]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    sizes = np.diff([*first, len(ordered)])
    found = np.empty(len(values), np.int64)
    found[by_value] = np.arange(len(values)) - np.repeat(first, sizes) + 1
    return found


def _short(limits: Limits, picked: np.ndarray, made: Selection) -> str:
    """Why a budget was not filled: the method's order ended before."""
    parts = [made.short_reason or "the method's order ends before the budget is filled"]
    for g in np.flatnonzero(picked < limits.least)[:3]:
        parts.append(f"'{limits.names[g]}' has {picked[g]:,} of at least {limits.least[g]:,}")
    return "; ".join(parts)


def _told(limits: Limits, picked: np.ndarray) -> dict[str, dict[str, int]]:
    """Picks and bounds of the first values that have rows, by name."""
    return {
        limits.names[g]: {
            "picked": int(picked[g]),
            "eligible": int(limits.eligible[g]),
            "at_least": int(limits.least[g]),
            "at_most": int(limits.most[g]),
        }
        for g in np.flatnonzero(limits.eligible)[:NAMED_AT_MOST]
    }


def _still_covered(made: Selection, gone: np.ndarray) -> Selection:
    """Without rows that are gone standing for others."""
    if not len(made.covered_by) or not len(gone):
        return made
    out = np.isin(made.covered_by, gone)
    return dataclasses.replace(
        made, covered_by=np.where(out, NO_ROW, made.covered_by), distance=np.where(out, np.nan, made.distance)
    )
