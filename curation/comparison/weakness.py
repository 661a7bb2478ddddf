"""The known weakness of each method's class, measured on this pool; what cannot be measured says what it would need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from curation.comparison.facts import Arm, Comparison, Weakness
from curation.comparison.lineage import Link, class_of, lineage
from curation.comparison.predictors import Prediction, score_prediction
from curation.comparison.spread import mean_difference
from curation.comparison.twins import ENCODER, MODEL, SEED, Twin, twins
from curation.core.artifacts import Score, Selection
from curation.workspace import Workspace

CLAIMS = {
    "statistical": "It never asks the model that is to be trained: the same rows, whatever that model knows already.",
    "zero-order": "It stands on a score, and a score may follow simple features of the text rather than its quality.",
    "first-order": "It needs trainings or gradients, which cost most, and its picks belong to the model behind them.",
    "bayesian": "It takes a linear model on the vectors for the network; where the line fits badly, so do the picks.",
}
MOST_SCORES = 6
LEFT_OUT_R2 = "R² of rows left out"
"""What a coreset calls the fit of its line."""


def weaknesses(workspace: Workspace, comparison: Comparison) -> tuple[Weakness, ...]:
    """One per arm, in their order. A few seconds for every arm that stands on a score."""
    return tuple(weakness_of(workspace, comparison, arm) for arm in comparison.arms)


def weakness_of(workspace: Workspace, comparison: Comparison, arm: Arm) -> Weakness:
    """What the class of an arm's method is known to be weak at, measured."""
    links = lineage(workspace, arm.key)
    if arm.method_class == "zero-order":
        return _zero_order(workspace, arm, links)
    if arm.method_class == "first-order":
        return _first_order(workspace, comparison, arm, links)
    if arm.method_class == "bayesian":
        return _bayesian(workspace, arm)
    return _statistical(workspace, comparison, arm, links)


def _claim(arm: Arm) -> str:
    return CLAIMS.get(arm.method_class, "")


# ---------------------------------------------------------------------- statistical


def _statistical(workspace: Workspace, comparison: Comparison, arm: Arm, links: list[Link]) -> Weakness:
    """What a model says of its rows, and its picks by another seed or encoder."""
    asks = [link for link in links if class_of([link]) != "statistical"]
    scores = model_scores(workspace, comparison.dataset)[:MOST_SCORES]
    rows: list[tuple[str | int | float, ...]] = []
    numbers: dict[str, float] = {"steps": float(len(links)), "steps that ask a model": float(len(asks))}
    said = [
        f"of its {_count(len(links), 'step')}, {len(asks) or 'none'} ask{'s' * (len(asks) < 2)} a model for losses, "
        "gradients or answers"
    ]
    for key, score in scores:
        apart, low, high = difference_from_pool(score, comparison, arm)
        if np.isfinite(apart):
            rows.append((f"{score.name} (by a model)", "difference from the pool, deviations", apart, low, high))
            numbers[f"difference in {score.name} {key[:6]}"] = apart
            if len(rows) == 1:
                said.append(
                    f"in '{score.name}', which comes from a model, its rows are {apart:+.2f} standard deviations from "
                    f"the pool (random: {low:+.2f} to {high:+.2f})"
                )
    found = [twin for twin in twins(workspace, arm.key, arm.order, comparison.n) if twin.kind in (SEED, ENCODER)]
    rows += _twin_rows(found)
    for kind in (SEED, ENCODER):
        of_kind = [twin for twin in found if twin.kind == kind]
        if of_kind:
            numbers[f"same rows with another {kind}"] = of_kind[0].share
            said.append(_same_rows(of_kind[0], f"another {kind}"))
    missing = []
    if not scores:
        missing.append("no score by a model is stored for these rows (scorer/loss, for instance)")
    if not found:
        missing.append("no selection by the same recipe with another seed or encoder is stored: run one and look again")
    columns = ("of", "what", "value", "random from", "random to")
    return Weakness(
        arm.name, arm.method_class, _claim(arm), _sentence(said), numbers, columns, tuple(rows), "; ".join(missing)
    )


def model_scores(workspace: Workspace, dataset: str) -> list[tuple[str, Score]]:
    """Stored scores that a model had a part in, with their keys; the newest of each method."""
    found: dict[str, str] = {}
    for info in workspace.results(dataset):
        if info.kind != Score.kind or info.use in found:
            continue
        if class_of(lineage(workspace, info.key)) in ("zero-order", "first-order"):
            found[info.use] = info.key
    return [(key, cast(Score, workspace.load(key))) for key in found.values()]


def difference_from_pool(score: Score, comparison: Comparison, arm: Arm) -> tuple[float, float, float]:
    """Standardised difference of an arm's mean from the pool's, and the lowest and highest of random draws."""
    values = _values(score)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan"), float("nan")
    mean, deviation = float(finite.mean()), float(finite.std())

    def apart(rows: np.ndarray) -> float:
        part = values[rows]
        return mean_difference(part[np.isfinite(part)], mean, deviation)

    chance = [apart(draw.order[: len(arm)]) for draw in comparison.random]
    return apart(arm.order), min(chance, default=float("nan")), max(chance, default=float("nan"))


# ---------------------------------------------------------------------- zero-order


def score_behind(workspace: Workspace, links: Sequence[Link]) -> tuple[Link, Score] | None:
    """The score that a selection stands on: the nearest that a model had a part in, else the nearest at all."""
    scores = [link for link in links if link.manifest.get("kind") == Score.kind]
    by_model = [link for link in scores if class_of(lineage(workspace, link.key)) != "statistical"]
    chosen = next(iter(by_model or scores), None)
    return None if chosen is None else (chosen, cast(Score, workspace.load(chosen.key)))


def _zero_order(workspace: Workspace, arm: Arm, links: list[Link]) -> Weakness:
    """How well simple features foretell its score."""
    behind = score_behind(workspace, links)
    if behind is None:
        reason = "no score stands behind it: it picks by likeness to given rows, so there is nothing to foretell"
        return Weakness(arm.name, arm.method_class, _claim(arm), missing_reason=reason)
    link, score = behind
    found = score_prediction(workspace.dataset(score.dataset), _values(score))
    if isinstance(found, str):
        return Weakness(arm.name, arm.method_class, _claim(arm), missing_reason=f"not measured on {link.use}: {found}")
    numbers = {
        "rows": float(found.rows),
        "R² of a line": found.linear_r2,
        "R² of trees": found.trees_r2,
        "lowest R² of a fold": min(found.by_fold),
        "highest R² of a fold": max(found.by_fold),
    }
    table = tuple(
        (name, fall, correlation)
        for name, fall, correlation in zip(found.columns, found.falls, found.correlations, strict=True)
    )
    columns = ("feature", "fall of R² without it", "rank correlation with the score")
    return Weakness(arm.name, arm.method_class, _claim(arm), _foretold(link, found), numbers, columns, table)


def _foretold(link: Link, found: Prediction) -> str:
    share = max(found.trees_r2, found.linear_r2)
    what = f"'{link.manifest.get('step', '')}' ({link.use})"
    if share <= 0.01:
        return f"Simple features of the text foretell nothing of the ranks of {what} (R² {share:.2f} on rows left out)."
    first = ", ".join(name for name, fall in zip(found.columns[:3], found.falls[:3], strict=True) if fall > 0)
    return (
        f"Simple features of the text foretell {100 * share:.0f} % of the variance of the ranks of {what} on rows left "
        f"out{f', {first} above all' if first else ''}."
    )


# ---------------------------------------------------------------------- first-order


def _first_order(workspace: Workspace, comparison: Comparison, arm: Arm, links: list[Link]) -> Weakness:
    """What its trainings and gradients cost, and its picks by another model."""
    by_key = {link.key: link for link in links}
    steps = arm.cost.steps
    dear = [s for s in steps if s.key in by_key and class_of([by_key[s.key]]) == "first-order"]
    seconds = sum(s.seconds for s in dear if s.seconds == s.seconds)
    numbers = {"seconds of trainings and gradients": seconds, "seconds of all steps": arm.cost.total}
    rows: list[tuple[str | int | float, ...]] = [(s.name, s.use, s.seconds, float("nan"), float("nan")) for s in dear]
    said = []
    missing = []
    if dear and arm.cost.total > 0:
        said.append(f"{seconds:,.1f} s of its {arm.cost.total:,.1f} s go into trainings and gradients")
    elif not dear:
        missing.append("no manifest of a training or gradient step is stored any more")
    others = [other.cost.total for other in comparison.arms if other.name != arm.name and other.cost.total > 0]
    if others and arm.cost.total > 0:
        numbers["times the cheapest other arm"] = arm.cost.total / min(others)
        said.append(f"it cost {arm.cost.total / min(others):,.1f} times the cheapest other arm")
    if arm.cost.partly:
        missing.append(f"a part of {', '.join(arm.cost.partly)} was stored from earlier, so the cost is higher")
    found = [twin for twin in twins(workspace, arm.key, arm.order, comparison.n) if twin.kind == MODEL]
    if found:
        numbers["same rows with another model"] = found[0].share
        said.append(_same_rows(found[0], "another model"))
        rows += [
            (f"another model: {twin.said()}", "share of rows that both take", twin.share, *_chance(twin))
            for twin in found
        ]
    else:
        missing.append(
            "no selection by the same recipe with another model is stored: run it with another model and look again"
        )
    columns = ("of", "what", "value", "random from", "random to")
    return Weakness(
        arm.name, arm.method_class, _claim(arm), _sentence(said), numbers, columns, tuple(rows), "; ".join(missing)
    )


# ---------------------------------------------------------------------- bayesian


def _bayesian(workspace: Workspace, arm: Arm) -> Weakness:
    """How well its line fits, as its selector measured it."""
    info = cast(Selection, workspace.load(arm.key)).info
    if info.get("fit_r2") is not None:
        numbers = {"R² on rows left out": float(info["fit_r2"])}
        if info.get("fit_rank_correlation") is not None:
            numbers["rank correlation on rows left out"] = float(info["fit_rank_correlation"])
        folds = [float(x) for x in info.get("fit_r2_by_fold", [])]
        table = tuple((f"fold {place + 1}", value) for place, value in enumerate(folds))
        said = (
            f"a linear model on its vectors foretells {100 * max(float(info['fit_r2']), 0):.0f} % of the variance of "
            f"'{info.get('fit_signal', 'the signal')}' on rows left out"
        )
        return Weakness(
            arm.name, arm.method_class, _claim(arm), _sentence([said]), numbers, ("fold", "R² on rows left out"), table
        )
    if LEFT_OUT_R2 in info:
        numbers = {"R² on rows left out": float(info[LEFT_OUT_R2])}
        said = f"its line foretells {100 * max(numbers['R² on rows left out'], 0):.0f} % of the variance of "
        said += f"'{info.get('signal', 'the signal')}', each row without itself"
        if "error left, share" in info:
            numbers["error left by the weighted rows, share"] = float(info["error left, share"])
        table = tuple(numbers.items())
        return Weakness(arm.name, arm.method_class, _claim(arm), _sentence([said]), numbers, ("what", "value"), table)
    reason = str(info.get("fit") or "its selector did not measure a fit; give it a signal (a loss or a score) to fit")
    return Weakness(arm.name, arm.method_class, _claim(arm), missing_reason=reason)


# ---------------------------------------------------------------------- words


def _values(score: Score) -> np.ndarray:
    return np.where(score.missing.mask, np.nan, np.asarray(score.values, np.float64))


def _chance(twin: Twin) -> tuple[float, float]:
    smaller = max(min(twin.size, twin.other_size), 1)
    return twin.low / smaller, twin.high / smaller


def _twin_rows(found: Sequence[Twin]) -> list[tuple[str | int | float, ...]]:
    return [
        (f"another {twin.kind}: {twin.said()}", "share of rows that both take", twin.share, *_chance(twin))
        for twin in found
    ]


def _same_rows(twin: Twin, what: str) -> str:
    return f"with {what} {100 * twin.share:.0f} % of its rows are the same (random: {100 * twin.expected_share:.0f} %)"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""
