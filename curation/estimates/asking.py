"""What a method that asks a chat model will cost, measured by really asking about a few rows.

`probe` asks about some thirty rows drawn by their content, through the method's own verb: their replies are stored like
all others, so a run that follows does not pay for them again. `plan_calls` only counts, and sends nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from curation.core.artifacts import Artifact, Selection
from curation.core.chance import chance
from curation.core.dataset import Dataset
from curation.core.errors import CapReached
from curation.core.method import Ask, Selector
from curation.core.runtime import Runtime
from curation.core.spending import Meter
from curation.estimates.counting import Calls, plan_calls, replies_of, resolved
from curation.estimates.extrapolate import Range
from curation.estimates.spending import Beside, Cost, Group, compare, cost_from_groups, limits
from curation.models.chat.asking import Asking

__all__ = ["Beside", "Calls", "Cost", "Group", "Range", "compare", "cost_from_groups", "limits", "plan_calls", "probe"]

PROBE_ROWS = 30
GROUPS = 10
"""A probe asks in about so many groups of rows: what they differ by gives the interval."""


def probe(
    method: Asking,
    pool: Dataset,
    runtime: Runtime,
    rows: int = PROBE_ROWS,
    ports: Mapping[str, Any] | None = None,
    *,
    known: Sequence[Group] = (),
) -> Cost:
    """Really ask about a few rows, and tell what the rest will cost.

    The rows are drawn by their content: the same pool gives the same rows, and those whose reply is stored cost
    nothing. They are asked in groups, one after the other, with `runtime.caps` over all of them.

    Args:
        method: What asks.
        pool: All rows that it will be asked about.
        runtime: Where replies are stored, caps, progress (1 per row).
        rows: How many to measure.
        ports: What the method's verb reads.
        known: Groups measured before (`Cost.groups`), which are not asked again.

    Raises:
        CurationError: whatever asking raises: no such connection, a wrong key, no server; CapReached when the caps
            stop it before two groups were measured.
    """
    method, _ = resolved(method, runtime)
    counted = plan_calls(method, pool, runtime)
    before = {group.name: group for group in known}
    spent, groups, done = Meter(), list[Group](), np.zeros(len(pool), bool)
    seen = 0  # rows looked at, whatever came of them: a probe never asks about more
    here = dataclasses.replace(
        runtime, meter=spent, progress=lambda _, total, note="": runtime.progress(min(seen, rows), rows, note)
    )
    try:
        for members in _drawn(pool, counted, rows):
            if seen >= rows:
                break
            group = before.get(_name(pool, members)) or stored_group(method, pool, members, counted, runtime)
            if group is None and counted.several and not counted.is_open[members].all():
                continue  # what is stored of it hides what it takes
            seen += len(members)
            if group is None:
                runtime.progress(seen - len(members), rows, "asking about a few rows")
                group = _ask(method, pool, members, here, ports or {}, counted)
                done[members] = True
            if group is not None and group.calls:
                groups.append(group)
    except CapReached:
        if len(groups) < 2:
            raise
    if runtime.replies is not None:
        counted = plan_calls(method, pool, runtime)
        done[:] = False
    found = cost_from_groups(method, counted, groups, skip=done)
    return dataclasses.replace(found, spent=spent.since(Meter()))


def _drawn(pool: Dataset, counted: Calls, rows: int) -> Iterator[np.ndarray]:
    """Groups of rows in an order that follows from their contents."""
    yield from _grouped(pool, np.flatnonzero(counted.counts), rows)


def _grouped(pool: Dataset, candidates: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    order = candidates[np.argsort(chance(pool.contents[candidates], 0, "probe"), kind="stable")]
    size = max(1, min(rows, len(order)) // GROUPS)
    for begin in range(0, len(order), size):
        yield np.sort(order[begin : begin + size])


def _name(pool: Dataset, members: np.ndarray) -> str:
    return hashlib.blake2b(pool.contents[members].tobytes(), digest_size=8).hexdigest()


def stored_group(method: Asking, pool: Dataset, members: np.ndarray, counted: Calls, runtime: Runtime) -> Group | None:
    """What a group took, from its stored replies; None where one is missing, or most requests depend on answers."""
    if counted.several or counted.is_open[members].any():
        return None
    return _from_replies(method, pool, members, counted, runtime)


def _from_replies(method: Asking, pool: Dataset, members: np.ndarray, counted: Calls, runtime: Runtime) -> Group | None:
    _, identity = resolved(method, runtime)
    keys = [request.key(identity) for each in method.requests(pool.take(members)) for request in each]
    replies = list(replies_of(keys, runtime).values())
    if len(replies) < len(set(keys)):
        return None
    more = counted.for_each
    return Group(
        _name(pool, members),
        len(members),
        int(counted.counts[members].sum()),
        int(counted.sizes[members].sum()),
        more * len(replies),
        more * sum(reply.tokens_in for reply in replies),
        more * sum(reply.tokens_out for reply in replies),
        max((reply.seconds for reply in replies), default=0.0),
    )


def stored_groups(method: Asking, pool: Dataset, counted: Calls, runtime: Runtime) -> list[Group]:
    """Up to 90 rows whose replies are all stored, in groups, drawn as a probe draws them.

    What a run that was stopped has paid for already tells what the rest will cost.
    """
    found: list[Group] = []
    if counted.several or not counted.stored:
        return found
    answered = np.flatnonzero((counted.counts > 0) & ~counted.is_open)
    for members in _grouped(pool, answered, 3 * PROBE_ROWS):
        if sum(group.rows for group in found) >= 3 * PROBE_ROWS:
            break
        group = stored_group(method, pool, members, counted, runtime)
        if group is not None:
            found.append(group)
    return found


def _ask(
    method: Asking, pool: Dataset, members: np.ndarray, runtime: Runtime, ports: Mapping[str, Any], counted: Calls
) -> Group | None:
    """Ask about a group; None where some replies were stored, so that what it takes cannot be told."""
    part = pool.take(members)
    cut = {name: value if name in method.elsewhere else cut_port(value, members, part) for name, value in ports.items()}
    before, start = dataclasses.replace(runtime.meter), time.perf_counter()
    if isinstance(method, Selector):
        method.select(part, Ask(np.arange(len(part)), len(part)), runtime, **cut)
    else:
        getattr(method, method.verb)(part, runtime, **cut)
    seconds, took = time.perf_counter() - start, runtime.meter.since(before)
    if not counted.several:
        told = _from_replies(method, pool, members, counted, runtime)
        if not counted.is_open[members].all():
            return told
        # what the server took, without opening a client for so few rows
        seconds = seconds if told is None else min(seconds, told.seconds)
    return Group(
        _name(pool, members),
        len(members),
        int(counted.counts[members].sum()),
        int(counted.sizes[members].sum()),
        took.get("calls", 0.0),
        took.get("tokens_in", 0.0),
        took.get("tokens_out", 0.0),
        seconds,
    )


def cut_port(value: Any, members: np.ndarray, part: Dataset) -> Any:
    """What a port reads, for some rows only."""
    if isinstance(value, list):
        return [cut_port(each, members, part) for each in value]
    if isinstance(value, dict):
        return {name: cut_port(each, members, part) for name, each in value.items()}
    if isinstance(value, Selection):
        return Selection(part.fingerprint, len(part), np.flatnonzero(value.mask[members]))
    if isinstance(value, Artifact) and value.row_aligned:
        return value.take(members, part.fingerprint)
    return value
