"""What a Trial says, in the order and words in which the page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curation.core.artifacts import Trial
from curation.figures.trial import NO_GROUP, Line
from curation.trial import arm_table
from curation.ui.text import duration, number

RANDOM, SELECTION, LENGTH, FULL, UNTRAINED = "random", "selection", "length-matched", "full", "untrained"
OVERALL = ""
CLAIM = 0.05
"""A difference is claimed where its corrected probability is at most this."""
UNITS = {"loss": "nats per token", "accuracy": "share right"}


def measured_means(trial: Trial) -> np.ndarray:
    """The mean of each run over the evaluation rows that were measured in every run, float64 `[runs]`."""
    values = np.asarray(trial.values, np.float64)
    whole = np.isfinite(values).all(axis=0)
    return values[:, whole].mean(axis=1) if whole.any() else np.full(len(values), np.nan)


def verdicts(trial: Trial, *, against: str = "random", grouping: str = OVERALL) -> list[dict[str, Any]]:
    """The verdicts of one family, in the order of the trial."""
    return [dict(v) for v in trial.verdicts if v["against"] == against and v["grouping"] == grouping]


def claim(verdict: Mapping[str, Any]) -> int:
    """1 = better, -1 = worse, 0 = no difference."""
    adjusted = verdict.get("adjusted")
    if adjusted is None or not adjusted <= CLAIM:
        return 0
    return 1 if verdict["gain"] > 0 else -1


def amount(value: float, measure: str, *, sign: bool = True) -> str:
    """A gain or a mean for people: nats, or per cent."""
    if value != value:
        return "–"
    plus = "+" if sign else ""
    return f"{value:{plus}.4f}" if measure == "loss" else f"{100 * value:{plus}.1f} %"


def detail(verdict: Mapping[str, Any]) -> str:
    """The verdict's sentence without the verdict itself, which stands above it."""
    words = str(verdict.get("words", ""))
    head = str(verdict.get("verdict", ""))
    rest = words.removeprefix(head).lstrip(": ")
    return rest[:1].upper() + rest[1:] + ("." if rest and not rest.endswith(".") else "")


# ------------------------------------------------------------------ arms


def arm_lines(trial: Trial) -> list[Line]:
    """One line per arm for the figure: random draws, then what is compared with them; then the other arms."""
    means = measured_means(trial)
    by_arm: dict[tuple[str, str], list[int]] = {}
    for run, arm in enumerate(trial.arms):
        by_arm.setdefault((str(arm["kind"]), str(arm["arm"])), []).append(run)
    gains = {str(v["selection"]): v for v in verdicts(trial)}
    found: list[Line] = []
    placed: set[tuple[str, str]] = set()
    for group, random in enumerate(k for k in by_arm if k[0] == RANDOM):
        found.append(Line(random[1], RANDOM, means[by_arm[random]], group=group))
        placed.add(random)
        serves = served(trial.arms[by_arm[random][0]])
        for key, runs in by_arm.items():
            own = str(trial.arms[runs[0]].get("selection") or "")
            if key[0] not in (SELECTION, LENGTH) or key in placed or (serves and own not in serves):
                continue
            shift = (
                _interval(gains.get(own), float(means[by_arm[random]].mean()), trial) if key[0] == SELECTION else None
            )
            found.append(Line(key[1], key[0], means[runs], shift, group))
            placed.add(key)
    order = (SELECTION, LENGTH, FULL, UNTRAINED)
    rest = sorted((k for k in by_arm if k not in placed), key=lambda k: order.index(k[0]))
    return [*found, *(Line(k[1], k[0], means[by_arm[k]], group=NO_GROUP) for k in rest)]


def served(arm: Mapping[str, Any]) -> list[str]:
    """Selections that a random arm is compared with; [] = all."""
    return [str(s) for s in arm.get("serves") or ([arm["selection"]] if arm.get("selection") else [])]


def _interval(verdict: Mapping[str, Any] | None, random: float, trial: Trial) -> tuple[float, float] | None:
    """Where the selection's mean may lie: random's mean and the interval of the gain."""
    if verdict is None or verdict.get("low") is None:
        return None
    sign = -1.0 if trial.measure == "loss" else 1.0
    ends = sorted((random + sign * float(verdict["low"]), random + sign * float(verdict["high"])))
    return ends[0], ends[1]


def arm_rows(trial: Trial) -> list[dict[str, Any]]:
    """One line per arm: what it was trained on and what it came to. Columns that nobody filled are left out."""
    lines = []
    for line in arm_table(trial.arms, trial.values):
        first = next(a for a in trial.arms if (a["kind"], a["arm"]) == (line["kind"], line["arm"]))
        seconds = [a["seconds"] for a in trial.arms if a["arm"] == line["arm"] and a.get("seconds") is not None]
        lines.append(
            {
                "arm": line["arm"],
                "kind": line["kind"],
                "trainings": line["runs"],
                "rows": number(line["rows"]) if line["rows"] is not None else "",
                "tokens read": number(round(line["tokens"])) if line["tokens"] > 0 else "",
                "steps": number(first["steps"]) if first.get("steps") else "",
                "time": duration(sum(seconds)) if seconds else "",
                "mean": amount(line["mean"], trial.measure, sign=False),
                "spread": amount(line["spread"], trial.measure, sign=False),
            }
        )
    return [{k: v for k, v in line.items() if any(other[k] != "" for other in lines)} for line in lines]


# ------------------------------------------------------------------ groups


def groupings(trial: Trial) -> list[str]:
    """Groupings that verdicts are told apart by."""
    return list(dict.fromkeys(str(v["grouping"]) for v in trial.verdicts if v["grouping"]))


def group_rows(found: Sequence[Mapping[str, Any]], grouping: str, measure: str) -> list[dict[str, Any]]:
    """One line per group for a table."""
    return [
        {
            grouping: str(v["group"]),
            "evaluation rows": int(v.get("rows", 0)),
            "verdict": str(v["verdict"]),
            "gain": amount(float(v["gain"]), measure) if "gain" in v else "–",
            "interval": f"{amount(float(v['low']), measure)} to {amount(float(v['high']), measure)}"
            if "gain" in v
            else "–",
        }
        for v in found
    ]


# ------------------------------------------------------------------ words


def warnings_of(trial: Trial) -> list[str]:
    """What the user should know, each once."""
    found = [str(w) for w in trial.info.get("warnings", [])]
    removed = trial.info.get("removed") or {}
    for name, reasons in removed.items():
        listed = ", ".join(f"{count:,} rows: {reason}" for reason, count in reasons.items())
        if listed:
            found.append(f"taken out of '{name}': {listed}")
    return list(dict.fromkeys(found))
