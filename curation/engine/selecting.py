"""Selectors: who is eligible, how many, the order that is stored once, and why every row is in or out."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np

from curation.core.artifacts import NO_ROW, Artifact, Features, Labels, Missing, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Selector, Size, parse_budget, resolve_count
from curation.core.quota import kept_to, limits_of
from curation.engine.context import Context, Made
from curation.engine.cutting import either, outside, size_of
from curation.recipe import PlannedStep

COVER_OPERATIONS = 4e12
"""Above this many multiply-adds, `covered_by` of a selection is not filled in by the engine."""
NO_TOKENS = "no token count"


def select(
    context: Context,
    step: PlannedStep,
    method: Selector,
    pool: Dataset,
    ports: dict[str, Any],
    within: Selection | None,
) -> Made:
    """Carry out a selector step.

    Raises:
        CurationError: if no row is eligible, not one fits into a token budget, or a quota cannot be kept to.
    """
    absent = _absent(method, pool, ports, within, step.within[0] if step.within else "")
    eligible = np.flatnonzero(~absent.mask)
    if within is not None and not len(within) and method.budgeted():
        # nothing is left to pick from because an earlier step kept nothing, which is an answer and no mistake
        return Made(
            _nothing(method, pool, absent, step.within[0] if step.within else ""), size_of(pool, eligible, ports, 0)
        )
    if not len(eligible):
        reasons = "; ".join(f"{v:,} rows {k}" for k, v in absent.counts().items())
        raise CurationError("no row is eligible", reasons or "the dataset has no rows")
    if not method.budgeted():
        made = _pick(step, method, pool, Ask(eligible), context, ports)
        if step.quota is not None:
            labels = cast(Labels, context.load(step.quota[1]))
            found = kept_to(made, limits_of(step.quota[2], labels, made.order, None), None)
            made = _to_cover_again(found, ports) if len(found) < len(made) else found
        return Made(_finish(made, absent, ports), size_of(pool, eligible, ports, 0))
    unit, number = parse_budget(getattr(method, "budget"))  # noqa: B009 - budgeted selectors have it, the base does not
    if unit == "tokens":
        tokens = cast(Score, context.load(step.tokens))
        return _by_tokens(context, step, method, pool, ports, absent, eligible, tokens, number)
    wanted = int(number) if unit == "rows" else resolve_count(f"{number}%", len(eligible))
    if step.quota is None:
        order, size, whole = _ordered(context, step, method, pool, ports, eligible, min(wanted, len(eligible)))
    else:
        order, size, whole = _by_quota(context, step, method, pool, ports, eligible, min(wanted, len(eligible)))
    if wanted > len(order):
        why = [order.short_reason] if order.short_by else []
        if wanted > len(eligible):
            why.append(f"only {len(eligible):,} rows are eligible")
        order = dataclasses.replace(order, short_by=wanted - len(order), short_reason="; ".join(why))
    return Made(_finish(order, absent, ports), size, whole=whole)


def _nothing(method: Selector, pool: Dataset, absent: Missing, name: str) -> Selection:
    """No pick, with the reason."""
    unit, number = parse_budget(getattr(method, "budget"))  # noqa: B009 - as above
    wanted = int(number) if unit == "rows" else 0
    empty = Selection(
        pool.fingerprint, len(pool), np.empty(0, np.int64), short_by=wanted, short_reason=f"`{name}` is empty"
    )
    return dataclasses.replace(empty, stage=absent.codes, stages=absent.reasons)


def _absent(method: Selector, pool: Dataset, ports: dict[str, Any], within: Selection | None, name: str) -> Missing:
    """Rows that may not be picked."""
    absent = Missing.none(len(pool)) if within is None else outside(within, name)
    for port in method.eligible_ports:
        value = ports.get(port)
        if isinstance(value, Artifact) and hasattr(value, "missing"):
            absent = either(absent, value.missing)
        if isinstance(value, Score):
            absent = either(absent, Missing.where(~np.isfinite(value.values), "no score"))
    return absent


def _pick(
    step: PlannedStep, method: Selector, pool: Dataset, ask: Ask, context: Context, ports: dict[str, Any]
) -> Selection:
    made: Selection = method.select(pool, ask, context.keeping(step), **ports)  # type: ignore[attr-defined]
    short = min(ask.count, len(ask.eligible)) - len(made)
    if method.budgeted() and short > made.short_by:
        raise AssertionError(f"{method.use()} returned {len(made)} rows of {ask.count} and did not say why")
    if ask.known is not None and not np.array_equal(made.order[: len(ask.known)], ask.known):
        raise AssertionError(f"{method.use()} calls its order nested, but began it in another way")
    return made


def _ordered(
    context: Context,
    step: PlannedStep,
    method: Selector,
    pool: Dataset,
    ports: dict[str, Any],
    eligible: np.ndarray,
    count: int,
) -> tuple[Selection, Size, bool]:
    """The first `count` picks; a nested order is stored once and only ever extended.

    Returns:
        The picks, what was worked on, and whether all of it was computed just now.
    """
    size = size_of(pool, eligible, ports, count)
    if step.order_key is None:
        return _pick(step, method, pool, Ask(eligible, count), context, ports), size, True
    with context.lock(f"order-{step.order_key}", "another job extends the same order"):
        known = context.workspace.order(step.order_key)
        whole = known is None
        if known is None or (len(known) < count and not known.short_by):
            ask = Ask(eligible, count, None if known is None else np.asarray(known.order))
            made = dataclasses.replace(_pick(step, method, pool, ask, context, ports), nested=True)
            context.workspace.publish_order(step.order_key, made, context.manifest(step, 0.0, 0.0))
            known = made
    short = max(count - len(known), 0)
    picks = known.prefix(count)
    # how many are short is a matter of this budget, not of the one that the order was made for
    picks = dataclasses.replace(picks, short_by=short, short_reason=known.short_reason if short else "")
    return picks, size, whole


def _by_quota(
    context: Context,
    step: PlannedStep,
    method: Selector,
    pool: Dataset,
    ports: dict[str, Any],
    eligible: np.ndarray,
    budget: int,
) -> tuple[Selection, Size, bool]:
    """Picks in the method's order that keep to the quota; the order is asked for as far as that takes.

    A rare value with a minimum may take the whole order. A method whose order is not nested is asked for more rows, and
    the order of the larger result counts.
    """
    assert step.quota is not None
    limits = limits_of(step.quota[2], cast(Labels, context.load(step.quota[1])), eligible, budget)
    count, whole = budget, True
    while True:
        made, size, fresh = _ordered(context, step, method, pool, ports, eligible, count)
        whole = whole and fresh
        found = kept_to(made, limits, budget)
        if not found.short_by or len(made) < count or count == len(eligible):
            break
        count = min(len(eligible), count * 2)
    return (_to_cover_again(found, ports) if len(found) < len(made) else found), size, whole


def _to_cover_again(made: Selection, ports: dict[str, Any]) -> Selection:
    """Without what stood for what, where it can be measured again for the picks that are left."""
    if not isinstance(ports.get("features"), Features):
        return made
    return dataclasses.replace(made, covered_by=np.empty(0, np.int64), distance=np.empty(0))


def _by_tokens(
    context: Context,
    step: PlannedStep,
    method: Selector,
    pool: Dataset,
    ports: dict[str, Any],
    absent: Missing,
    eligible: np.ndarray,
    tokens: Score,
    limit: float,
) -> Made:
    """Picks in order until the next one would exceed the token budget; rows without a count are passed over."""
    parts = [tokens.columns[c] for c in ("prompt_tokens", "response_tokens") if c in tokens.columns]
    counts = np.sum(parts, axis=0, dtype=float) if parts else np.asarray(tokens.values, float)
    counts = np.where(tokens.missing.mask | ~np.isfinite(counts) | (counts < 0), np.nan, counts)
    if np.isnan(counts[eligible]).all():
        raise CurationError("no eligible row has a token count", "count the tokens of these rows first")
    mean = float(np.nanmean(counts[eligible]))
    count = min(len(eligible), max(1, int(min(limit / max(mean, 1e-9) * 1.1, len(eligible)))))
    whole = True
    while True:
        made, size, fresh = _ordered(context, step, method, pool, ports, eligible, count)
        whole = whole and fresh
        spent = np.nancumsum(counts[made.order])
        if len(made) < count or count == len(eligible) or (len(spent) and spent[-1] > limit):
            break
        count = min(len(eligible), count * 2)
    fits = int(np.searchsorted(spent, limit, side="right"))
    cut = _without_count(made.prefix(fits), counts)
    if not len(cut):
        first = counts[made.order][~np.isnan(counts[made.order])][:1]
        hint = f"the first pick has {int(first[0]):,} tokens" if len(first) else "no pick has a token count"
        raise CurationError(f"not one row fits into {limit:,.0f} tokens", hint)
    used = float(spent[fits - 1])
    cut = dataclasses.replace(cut, short_by=0, short_reason="", info={**cut.info, "tokens": used})
    note = f"{used:,.0f} tokens" + (", all eligible rows" if len(cut) == len(eligible) else "")
    return Made(_finish(cut, absent, ports), size, note=note, whole=whole)


def _without_count(picks: Selection, counts: np.ndarray) -> Selection:
    keep = ~np.isnan(counts[picks.order])
    if keep.all():
        return picks
    stage = np.array(picks.stage) if len(picks.stage) else np.zeros(picks.n, np.int16)
    stage[picks.order[~keep]] = len(picks.stages) + 1
    return dataclasses.replace(
        picks,
        order=picks.order[keep],
        gains=picks.gains[keep] if len(picks.gains) else picks.gains,
        weights=picks.weights[keep] if len(picks.weights) else picks.weights,
        stage=stage,
        stages=(*picks.stages, NO_TOKENS),
        covered_by=np.empty(0, np.int64),
        distance=np.empty(0),
    )


def _finish(made: Selection, absent: Missing, ports: dict[str, Any]) -> Selection:
    """Check what a selector returned, write why the others are out and which pick stands for them."""
    order = np.asarray(made.order)
    if len(np.unique(order)) != len(order) or absent.mask[order].any():
        raise AssertionError("a selector returned a row twice, or one that was not eligible")
    stages = (*made.stages, *absent.reasons)
    stage = np.array(made.stage) if len(made.stage) else np.zeros(made.n, np.int16)
    stage = np.where(absent.mask, absent.codes + len(made.stages), stage).astype(np.int16)
    stage[order] = 0
    made = dataclasses.replace(made, stage=stage, stages=stages)
    features = ports.get("features")
    if isinstance(features, Features) and len(order) and not len(made.covered_by):
        made = _cover(made, features)
    return made


def _cover(made: Selection, features: Features) -> Selection:
    from curation.linalg.distances import measurable_rows
    from curation.linalg.nearest import nearest_selected

    metric = made.info.get("metric", "cosine")
    values = np.asarray(features.values)
    present, points = measurable_rows(values, np.flatnonzero(~features.missing.mask), metric)
    picks = made.order[np.isin(made.order, present)]
    work = float(len(present)) * len(picks) * values.shape[1]
    if not len(picks) or work > COVER_OPERATIONS:
        return made
    # unit rows, so the metric below is only how the distance is told
    near = nearest_selected(points, np.searchsorted(present, picks), metric=metric)
    covered = np.full(made.n, NO_ROW, np.int64)
    apart = np.full(made.n, np.nan)
    covered[present], apart[present] = present[near.rows], near.distances
    return dataclasses.replace(made, covered_by=covered, distance=apart)
