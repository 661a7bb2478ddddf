"""What asking will cost, from what was measured; and what it cost, beside that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curation.estimates.counting import Calls
from curation.estimates.extrapolate import Range, exactly, extrapolate
from curation.models.chat.asking import Asking

FEWEST, USUAL, MOST = 1 / 6, 1 / 4, 1 / 2
"""Tokens per byte of text where nothing was measured: few, usual and many."""
AROUND, MOST_AROUND = 4, 16
"""Tokens that a chat template puts around each message: usual and many."""


@dataclass(frozen=True)
class Group:
    """A group of rows that was really asked about.

    Args:
        name: 16 hex digits of its rows' contents.
        rows: How many.
        requests: Their first requests.
        characters: Of these.
        calls: Requests in all.
        tokens_in: Read, as the server counts them.
        tokens_out: Written.
        seconds: From the first request to the last reply.
    """

    name: str
    rows: int
    requests: int
    characters: int
    calls: float
    tokens_in: float
    tokens_out: float
    seconds: float


@dataclass(frozen=True)
class Cost:
    """What is still to be spent, with 95 % intervals.

    Args:
        rows: Rows still to be asked about.
        calls: Requests.
        tokens_in: Read by the model.
        tokens_out: Written by it.
        money: None where the connection names no prices.
        currency: Of `money`, "" where that is None.
        seconds: Expected and least with as many requests at once as the connection allows, most with as many as there
            were in the probe; None where nothing was measured.
        basis: "stored" = nothing is left to ask; "probe" = rows like these were asked; "replies" = replies stored by a
            run that was stopped; "history" = the last run of the same method; "text" = nothing was ever asked, so only
            limits are known, and the expected value of what is written is the most it can be.
        sample: Rows that it rests on.
        stand_in: True where nobody is asked: the stand-in counts characters, which tells nothing about a model.
        spent: What a probe took: calls, answered, reused, retries, tokens_in, tokens_out, money; {} without one.
        groups: What was measured.
    """

    rows: int
    calls: Range
    tokens_in: Range
    tokens_out: Range
    money: Range | None
    currency: str
    seconds: Range | None
    basis: str
    sample: int = 0
    stand_in: bool = False
    spent: dict[str, float] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()

    @property
    def tokens(self) -> Range:
        """Read and written together, which a cap on tokens counts."""
        return self.tokens_in.plus(self.tokens_out)


# ------------------------------------------------------------------ extrapolating


def cost_from_groups(
    method: Asking, counted: Calls, groups: Sequence[Group], *, skip: np.ndarray | None = None, basis: str = "probe"
) -> Cost:
    """What the open rows will cost, from groups that were measured.

    Where no request of the sample had to be repeated, others may still have to be, as often as a sample of this
    size can miss: upper ends allow for it.

    Args:
        method: What asks; its connection says prices and how many requests may be under way at once.
        counted: From `plan_calls`.
        groups: Random groups of rows; without any only limits are known.
        skip: bool `[n]`, rows not to count although they are open.
        basis: To say in the cost.
    """
    left = counted.is_open if skip is None else counted.is_open & ~skip
    rows = int(left.sum())
    rest = np.array([counted.open_sizes[left].sum(), counted.open_counts[left].sum()], np.float64)
    if not rows:
        nothing = exactly(0.0)
        return priced(method, 0, nothing, nothing, nothing, lambda *_: nothing, nothing, "stored", groups)
    if not groups:
        return limits(method, counted)
    table = np.array([(g.characters, g.requests, g.calls, g.tokens_in, g.tokens_out) for g in groups], np.float64)
    size = np.array([g.rows for g in groups], np.int64)

    unseen = _unseen(groups)

    def part(*columns: tuple[int, float]) -> Range:
        """Of the sum of columns, each times a factor; tokens read grow with characters, the rest with requests."""
        per = [0 if column == 3 else 1 for column, _ in columns]
        measured = np.stack([table[:, column] * factor for column, factor in columns], 1)
        found = extrapolate(measured, table[:, per], rest[per], size, rows)
        up = float(np.hypot(found.high - found.value, unseen * found.value))
        return Range(found.value, found.low, found.value + up)

    calls = part((2, 1.0))
    seconds = _seconds(method, groups, rows, calls)
    return priced(
        method, rows, calls, part((3, 1.0)), part((4, 1.0)), lambda i, o: part((3, i), (4, o)), seconds, basis, groups
    )


def limits(method: Asking, counted: Calls) -> Cost:
    """What the open rows can cost where nothing was ever measured: from their texts, and from what may be written."""
    scale = counted.for_each
    read = Range(
        (counted.bytes * USUAL + counted.messages * AROUND) * scale,
        counted.bytes * FEWEST * scale,
        (counted.bytes * MOST + counted.messages * MOST_AROUND) * scale,
    )
    written = Range(counted.most_out * scale, min(counted.calls, counted.most_out * scale), counted.most_out * scale)
    return priced(
        method,
        counted.open,
        exactly(counted.calls),
        read,
        written,
        lambda i, o: read.times(i).plus(written.times(o)),
        None,
        "text",
        (),
    )


def priced(
    method: Asking,
    rows: int,
    calls: Range,
    read: Range,
    written: Range,
    money: Callable[[float, float], Range],
    seconds: Range | None,
    basis: str,
    groups: Sequence[Group],
) -> Cost:
    """A cost by the prices of the method's connection; `money` takes those of one token read and one written."""
    from curation.models.chat.connections import connection_of

    connection = connection_of(method.connection)
    prices = connection.prices
    return Cost(
        rows,
        calls,
        read,
        written,
        None if prices is None else money(prices.input / 1e6, prices.output / 1e6),
        "" if prices is None else prices.currency,
        seconds,
        basis,
        sum(group.rows for group in groups),
        connection.endpoint == "stand-in",
        groups=tuple(groups),
    )


def _unseen(groups: Sequence[Group]) -> float:
    """Share of requests that may have to be repeated although none in the sample was: the exact 97.5 % limit."""
    requests = sum(group.requests for group in groups)
    each = {round(group.calls / max(group.requests, 1), 9) for group in groups}
    return 1 - 0.025 ** (1 / requests) if len(each) == 1 and requests else 0.0


def _seconds(method: Asking, groups: Sequence[Group], rows: int, calls: Range) -> Range:
    """Seconds for all rows: at the connection's highest concurrency, and at the probe's."""
    from curation.models.chat.connections import connection_of

    took, size = float(np.mean([g.seconds for g in groups])), float(np.mean([g.rows for g in groups]))
    in_turn = max(sum(g.calls for g in groups) / sum(g.rows for g in groups), 1.0)  # requests of a row, one by one
    at_once = max(min(float(connection_of(method.connection).concurrency), calls.value), 1.0)
    least = max(calls.value * took / in_turn / at_once, took)
    return Range(least, least, max(took * rows / size, least))


# ------------------------------------------------------------------ afterwards


@dataclass(frozen=True)
class Beside:
    """A quantity as it was expected and as it came.

    Args:
        name: "calls", "tokens_in", "tokens_out" or "money".
        expected: With its interval.
        actual: What was spent.
    """

    name: str
    expected: Range
    actual: float

    @property
    def inside(self) -> bool:
        """True when the interval holds what came."""
        return self.expected.holds(self.actual)

    @property
    def off(self) -> float:
        """Actual / expected − 1; NaN where nothing was expected."""
        return self.actual / self.expected.value - 1 if self.expected.value else float("nan")


def compare(cost: Cost, spent: Mapping[str, Any]) -> list[Beside]:
    """What was expected beside what a run took.

    Args:
        cost: From before the run.
        spent: Of the run: `Meter.facts()`, or what the engine notes of a step (`StepFact.spent`).
    """
    expected = {"calls": cost.calls, "tokens_in": cost.tokens_in, "tokens_out": cost.tokens_out, "money": cost.money}
    return [Beside(name, of, float(spent.get(name, 0.0))) for name, of in expected.items() if of is not None]
