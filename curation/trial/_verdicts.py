"""From measurements to words: which selection beats random, overall and in every group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np

from curation.core.errors import CurationError
from curation.trial._statistics import CONFIDENCE, Difference, difference, holm

SELECTION, RANDOM, LENGTH, FULL, UNTRAINED = "selection", "random", "length-matched", "full", "untrained"
KINDS = (SELECTION, RANDOM, LENGTH, FULL, UNTRAINED)
"""Kinds of arms, in the order of tables."""

GROUP_ROWS = 20
"""Evaluation rows that a group needs for a verdict of its own."""
OVERALL = ""
"""Stands for "all evaluation rows" in `grouping` and `group`."""

Measure = Literal["loss", "accuracy"]


def verdict(found: Difference, adjusted: float, *, against: str, trusted: bool) -> str:
    """The verdict alone: "beats random", "worse than random", "no difference from random".

    Without a trusted evaluation set nothing is ever beaten: the words then are of likeness to the pool.

    Args:
        found: The difference.
        adjusted: Its probability, corrected for the number of comparisons.
        against: What it is compared with, "random" or "length-matched random".
        trusted: Whether the user named the evaluation set.
    """
    claim = adjusted <= 1 - CONFIDENCE
    if trusted:
        return (
            f"no difference from {against}" if not claim else f"{'beats' if found.gain > 0 else 'worse than'} {against}"
        )
    if not claim:
        return f"resembles the pool as much as {against}"
    return f"resembles the pool {'more' if found.gain > 0 else 'less'} than {against}"


def words(found: Difference, adjusted: float, *, against: str, trusted: bool, measure: Measure, family: int) -> str:
    """One sentence for people: verdict, difference, and what could have been seen.

    Args:
        found: The difference.
        adjusted: Its corrected probability.
        against: "random" or "length-matched random".
        trusted: Whether the user named the evaluation set.
        measure: Of the difference; loss is shown in nats per token, accuracy in percentage points.
        family: Number of comparisons that `adjusted` was corrected for.
    """

    def number(value: float, sign: bool = True) -> str:
        plus = "+" if sign else ""
        return f"{value:{plus}.4f}" if measure == "loss" else f"{100 * value:{plus}.1f}"

    unit = "nats lower loss" if measure == "loss" else "points of accuracy"
    head = verdict(found, adjusted, against=against, trusted=trusted)
    text = f"{head}: {number(found.gain)} {unit} (95 % interval {number(found.low)} to {number(found.high)})"
    if adjusted <= 1 - CONFIDENCE:
        return text
    text += f"; a difference of ±{number(found.seen, sign=False)} could have been seen"
    if found.p <= 1 - CONFIDENCE:
        text += f"; alone its interval leaves 0 out, but not after correction for {family} comparisons"
    return text


def assess(
    arms: Sequence[Mapping[str, Any]],
    values: np.ndarray,
    *,
    measure: Measure,
    trusted: bool,
    groups: Mapping[str, np.ndarray],
    seed: int = 0,
) -> tuple[dict[str, Any], ...]:
    """What is found about every selection: against random overall, against length-matched random, and in every group.

    The verdicts against random over all rows are one family, corrected by Holm; so are the ones against length-matched
    random. The groups of one grouping of one selection are a family as well, and stay marked as exploratory: a grouping
    is looked at because it is there, not because something was expected of it.

    Args:
        arms: As in `core.training.Trial`; a random arm with `selection` "" stands for all selections, one with a name
            for that one (draws of its size).
        values: `[runs, m]`; rows that are NaN in any run are left out of everything.
        measure: "loss" or "accuracy".
        trusted: Whether the user named the evaluation set.
        groups: Name of a grouping → text `[m]`.
        seed: Of the bootstrap.

    Returns:
        Dicts with `selection`, `against`, `grouping`, `group` ("" = all rows), `verdict`, `words`, `exploratory`,
        `comparisons`, `adjusted` and the fields of `Difference`. Groups with fewer than `GROUP_ROWS` rows have the
        verdict "too few rows" and no numbers.

    Raises:
        CurationError: no row was measured in every run.
    """
    measured = np.isfinite(values).all(axis=0)
    if not measured.any():
        nothing = [str(a["arm"]) for a, v in zip(arms, values, strict=True) if not np.isfinite(v).any()]
        raise CurationError(
            "no evaluation row was measured in every training",
            f"nothing was measured after training {', '.join(dict.fromkeys(nothing))}; lower the learning rate"
            if nothing
            else "measure the same rows after every training",
        )
    table = np.asarray(values, np.float64)[:, measured]
    places = _places(arms)
    found: list[dict[str, Any]] = []
    for kind, against in ((RANDOM, "random"), (LENGTH, "length-matched random")):
        names = [n for n in places if len(rivals(arms, n, kind)) > 1]
        compared = [
            difference(
                table[places[n]], table[rivals(arms, n, kind)], higher_is_better=measure == "accuracy", seed=seed
            )
            for n in names
        ]
        said = _family(compared, against=against, trusted=trusted, measure=measure)
        found += [{"selection": n, **_about(against), **s} for n, s in zip(names, said, strict=True)]
    _mark_length(found)
    for name in places:
        random = rivals(arms, name, RANDOM)
        for grouping, of_rows in groups.items():
            if len(random) > 1:
                part = (table[places[name]], table[random], np.asarray(of_rows)[measured])
                found += _grouped(name, grouping, *part, measure=measure, trusted=trusted, seed=seed)
    return tuple(found)


def _about(against: str, grouping: str = OVERALL, group: str = OVERALL) -> dict[str, Any]:
    return {"against": against, "grouping": grouping, "group": group, "exploratory": bool(grouping)}


def _places(arms: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Selection → its runs."""
    found: dict[str, list[int]] = {}
    for place, arm in enumerate(arms):
        if arm["kind"] == SELECTION:
            found.setdefault(str(arm["selection"]), []).append(place)
    return found


def rivals(arms: Sequence[Mapping[str, Any]], selection: str, kind: str) -> list[int]:
    """The runs of one kind that a selection is compared with: its own, else those that stand for all."""
    own = [i for i, a in enumerate(arms) if a["kind"] == kind and selection in of_selections(a)]
    return own or [i for i, a in enumerate(arms) if a["kind"] == kind and not a["selection"]]


def of_selections(arm: Mapping[str, Any]) -> list[str]:
    """Names of the selections that a run belongs to; draws of one size serve all selections of that size."""
    shared = arm.get("serves")
    return [str(s) for s in shared] if shared else [str(arm["selection"])] if arm["selection"] else []


def _family(compared: Sequence[Difference], *, against: str, trusted: bool, measure: Measure) -> list[dict[str, Any]]:
    """Verdicts of comparisons that are corrected together."""
    adjusted = holm([c.p for c in compared])
    shared: dict[str, Any] = {"against": against, "trusted": trusted}
    return [
        {
            "verdict": verdict(c, a, **shared),
            "words": words(c, a, measure=measure, family=len(compared), **shared),
            "adjusted": a,
            "comparisons": len(compared),
            **asdict(c),
        }
        for c, a in zip(compared, adjusted, strict=True)
    ]


def _mark_length(found: list[dict[str, Any]]) -> None:
    """Says where what looks like a gain may be response length: better than random, not than length-matched random."""
    matched = {v["selection"]: v for v in found if v["against"] != "random"}
    for each in found:
        other = matched.get(each["selection"])
        each["may_be_length"] = bool(
            each["against"] == "random"
            and each["adjusted"] <= 1 - CONFIDENCE
            and each["gain"] > 0
            and other is not None
            and not (other["adjusted"] <= 1 - CONFIDENCE and other["gain"] > 0)
        )
        if each["may_be_length"]:
            each["words"] += "; the gain may be length: random rows of the same lengths were not beaten"


def _grouped(
    name: str,
    grouping: str,
    arm: np.ndarray,
    random: np.ndarray,
    of_rows: np.ndarray,
    *,
    measure: Measure,
    trusted: bool,
    seed: int,
) -> list[dict[str, Any]]:
    """One selection against random in every group of one grouping."""
    found, compared, large = [], [], []
    for group in sorted({str(g) for g in of_rows}):
        rows = of_rows == group
        if rows.sum() < GROUP_ROWS:
            short = {"verdict": "too few rows", "words": f"too few rows ({rows.sum()} of {GROUP_ROWS} needed)"}
            found.append({"selection": name, **_about("random", grouping, group), **short, "rows": int(rows.sum())})
            continue
        large.append(group)
        compared.append(difference(arm[:, rows], random[:, rows], higher_is_better=measure == "accuracy", seed=seed))
    said = _family(compared, against="random", trusted=trusted, measure=measure)
    found += [{"selection": name, **_about("random", grouping, g), **s} for g, s in zip(large, said, strict=True)]
    return sorted(found, key=lambda v: v["group"])


def arm_table(arms: Sequence[Mapping[str, Any]], values: np.ndarray) -> list[dict[str, Any]]:
    """One dict per arm, in the order of `KINDS`: `arm`, `kind`, `runs`, `rows`, `tokens`, `mean`, `spread`.

    Args:
        arms: As in `core.training.Trial`.
        values: `[runs, m]`; the mean is over the rows measured in every run, `spread` the standard deviation of the
            runs' means (NaN for one run), `tokens` NaN where they are not known.
    """
    means = np.asarray(values, np.float64)[:, np.isfinite(values).all(axis=0)].mean(axis=1)
    names = dict.fromkeys((str(a["kind"]), str(a["arm"])) for a in arms)
    rows = []
    for kind, name in sorted(names, key=lambda pair: KINDS.index(pair[0])):
        runs = [i for i, a in enumerate(arms) if a["kind"] == kind and a["arm"] == name]
        own = means[runs]
        rows.append(
            {
                "arm": name,
                "kind": kind,
                "runs": len(runs),
                "rows": arms[runs[0]].get("rows"),
                "tokens": float(np.mean(np.array([arms[i].get("tokens") for i in runs], np.float64))),
                "mean": float(own.mean()),
                "spread": float(own.std(ddof=1)) if len(own) > 1 else float("nan"),
            }
        )
    return rows
