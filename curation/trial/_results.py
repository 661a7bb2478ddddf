"""Results of trainings done elsewhere: the same report and the same verdict from a file of measurements."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from curation.core.artifacts import Trial
from curation.core.errors import CurationError, DataError
from curation.trial._arms import SLACK
from curation.trial._verdicts import KINDS, LENGTH, RANDOM, SELECTION, Measure, assess, rivals

LEAST_RANDOM = 3
ONLY_MEANS = (
    "only means were entered: which evaluation rows there were is no part of the intervals, so they are too narrow"
)
OTHER_STEPS = "trainings took {low:,} to {high:,} steps: a fair comparison trains every arm for the same number of them"
ALL_ROWS = "all"
GROUP = "group:"


def from_results(
    path: str | Path, *, measure: Measure | None = None, trusted: bool | None = None, dataset: str = ""
) -> Trial:
    """A Trial from measurements of trainings that were done elsewhere.

    CSV: one line per run and evaluation row, with the columns `arm`, `kind` (selection, random, length-matched, full,
    untrained), `seed`, `row` and `value`; without `row` one line per run, its `value` the mean. `selection` says whose
    length-matched or random arm it is, `rows` how many rows it was trained on, `steps` for how many optimiser steps,
    `group:NAME` the group of the evaluation row in the grouping NAME. Random runs without a selection are compared with
    all selections of their size, which is known where both say their `rows`.

    JSON: `{"measure": "loss", "trusted": true, "runs": [{"arm": …, "kind": …, "seed": 0, "values": [...]}],
    "groups": {"source": [...]}}`; `value` instead of `values` for a mean.

    Args:
        path: The file.
        measure: "loss" (lower is better) or "accuracy" (0 to 1, higher is better); None = as the JSON says.
        trusted: Whether somebody vouches for the evaluation set; None = as the JSON says, else not.
        dataset: Fingerprint of the pool, where it is known.

    Raises:
        DataError: if the file cannot be read, a run lacks evaluation rows that others have or stands there twice, a
            value is none, or a run belongs to no selection of the file.
        CurationError: without a selection, or with fewer than three random runs of the size of one.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", "give a CSV or JSON file", file=str(path)) from error
    said: dict[str, Any] = {}
    if path.suffix.lower() == ".json":
        said = _json(text, path)
        runs, groups = _from_json(said, path), _groups_of_json(said, path)
    else:
        runs, groups = _from_csv(text, path)
    found = measure or said.get("measure")
    if found not in ("loss", "accuracy"):
        raise CurationError("it is not said what was measured", "measure: loss, or accuracy")
    how: Measure = "accuracy" if found == "accuracy" else "loss"
    vouched = _vouched(said, path) if trusted is None else trusted
    values = np.array([values for _, values in runs], np.float32)
    _check(values, how, path)
    arms = tuple(arm for arm, _ in runs)
    kinds = [arm["kind"] for arm in arms]
    if SELECTION not in kinds or kinds.count(RANDOM) < LEAST_RANDOM:
        raise CurationError(
            f"{path.name} has {kinds.count(SELECTION)} runs of selections and {kinds.count(RANDOM)} of random rows",
            f"a verdict needs a selection and at least {LEAST_RANDOM} random draws of the same size",
        )
    _belong(arms, path)
    _enough(arms, path)
    warnings = [ONLY_MEANS] if values.shape[1] == 1 else []
    steps = {int(a["steps"]) for a in arms if a["steps"] is not None and a["kind"] in (SELECTION, RANDOM, LENGTH)}
    if len(steps) > 1:
        warnings.append(OTHER_STEPS.format(low=min(steps), high=max(steps)))
    return Trial(
        dataset,
        arms=arms,
        values=values,
        measure=how,
        trusted=vouched,
        groups=groups,
        verdicts=assess(arms, values, measure=how, trusted=vouched, groups=groups),
        info={
            "task": "trained elsewhere",
            "evaluation": f"{values.shape[1]:,} rows, from {path.name}" if values.shape[1] > 1 else "means only",
            "evaluation_rows": values.shape[1],
            "warnings": warnings,
        },
    )


def _vouched(said: dict[str, Any], path: Path) -> bool:
    trusted = said.get("trusted", False)
    if not isinstance(trusted, bool):
        raise DataError(f"'{trusted}' does not say whether the rows are trusted", "true or false", file=path.name)
    return trusted


def _belong(arms: tuple[dict[str, Any], ...], path: Path) -> None:
    """Say of every run which selections it is compared with; changes the arms."""
    size_of = {a["selection"]: a["rows"] for a in arms if a["kind"] == SELECTION}
    for arm in arms:
        if arm["kind"] not in (RANDOM, LENGTH):
            continue
        if arm["selection"] and arm["selection"] not in size_of:
            raise DataError(
                f"'{arm['arm']}' belongs to '{arm['selection']}', which is no selection of this file",
                f"selections: {', '.join(size_of)}",
                file=path.name,
            )
        if arm["kind"] == LENGTH and not arm["selection"]:
            if len(size_of) > 1:
                raise DataError(
                    f"'{arm['arm']}' does not say whose lengths it matches",
                    "name the selection in the field 'selection'",
                    file=path.name,
                )
            arm["selection"] = next(iter(size_of))
        size = size_of.get(arm["selection"])
        if not _alike(size, arm["rows"]):
            raise DataError(
                f"'{arm['arm']}' has {arm['rows']:,} rows, its selection '{arm['selection']}' has {size:,}",
                "compare with draws of its size",
                file=path.name,
            )
        if arm["kind"] == RANDOM and not arm["selection"]:
            arm["serves"] = [name for name, size in size_of.items() if _alike(size, arm["rows"])]


def _alike(one: int | None, other: int | None) -> bool:
    """True for sizes that may be compared, and where one of them is not known."""
    return one is None or other is None or max(one, other) <= SLACK * min(one, other)


def _enough(arms: tuple[dict[str, Any], ...], path: Path) -> None:
    for selection, size in {a["selection"]: a["rows"] for a in arms if a["kind"] == SELECTION}.items():
        found = [i for i in rivals(arms, selection, RANDOM) if _alike(size, arms[i]["rows"])]
        if len(found) < LEAST_RANDOM:
            raise CurationError(
                f"{path.name} has {len(found)} random runs to compare the selection '{selection}' with",
                f"a verdict needs at least {LEAST_RANDOM} random draws of its size"
                + ("" if size is None else f", which is {size:,} rows"),
            )


Runs = list[tuple[dict[str, Any], list[float]]]


def _json(text: str, path: Path) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"no JSON: {error}", "see the docstring of curation.trial.from_results", file=path.name
        ) from None
    if not isinstance(data, dict) or not isinstance(data.get("runs"), list) or not data["runs"]:
        raise DataError("it has no list of runs", '{"measure": "loss", "runs": [...]}', file=path.name)
    return data


def _from_json(said: dict[str, Any], path: Path) -> Runs:
    runs: Runs = []
    for number, run in enumerate(said["runs"]):
        if not isinstance(run, dict):
            raise DataError("a run is no object", file=path.name, row=number)
        values = run.get("values", [run["value"]] if "value" in run else None)
        if not isinstance(values, list) or not values:
            raise DataError("a run has neither values nor value", file=path.name, row=number)
        runs.append((_arm(run, path, number), [_number(v, path, number) for v in values]))
    known: set[tuple[Any, ...]] = set()
    for number, (arm, _) in enumerate(runs):
        run = tuple(arm[field] for field in ("arm", "kind", "selection", "seed"))
        if arm["seed"] is not None and run in known:
            raise DataError(f"seed {arm['seed']} of arm '{arm['arm']}' stands here twice", file=path.name, row=number)
        known.add(run)
    lengths = {len(values) for _, values in runs}
    if len(lengths) > 1:
        raise DataError(
            f"runs have {' and '.join(map(str, sorted(lengths)))} values",
            "every run must be measured on the same evaluation rows, in the same order",
            file=path.name,
        )
    return runs


def _groups_of_json(said: dict[str, Any], path: Path) -> dict[str, np.ndarray]:
    groups = said.get("groups") or {}
    if not isinstance(groups, dict):
        raise DataError("groups is no object", '{"source": ["a", "b", ...]}', file=path.name)
    rows = len(said["runs"][0].get("values", [0]))
    for name, values in groups.items():
        if not isinstance(values, list) or len(values) != rows:
            raise DataError(f"the grouping '{name}' does not have one value per evaluation row", file=path.name)
    return {str(name): np.array([str(v) for v in values], object) for name, values in groups.items()}


def _from_csv(text: str, path: Path) -> tuple[Runs, dict[str, np.ndarray]]:
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    columns = [column for column in lines[0] if column] if lines else []
    missing = {"arm", "kind", "value"} - set(columns)
    if missing:
        raise DataError(
            f"it lacks the column '{sorted(missing)[0]}'", "columns: arm, kind, seed, row, value", file=path.name
        )
    by_run: dict[tuple[str, ...], dict[str, float]] = {}
    arms: dict[tuple[str, ...], dict[str, Any]] = {}
    group_of: dict[str, dict[str, str]] = {c.removeprefix(GROUP): {} for c in columns if c.startswith(GROUP)}
    for number, line in enumerate(lines):
        run = tuple(line.get(c) or "" for c in ("arm", "kind", "selection", "seed"))
        row = line.get("row") or ALL_ROWS
        measured = by_run.setdefault(run, {})
        if row in measured:
            raise DataError(f"row '{row}' of arm '{line['arm']}' stands here twice", file=path.name, row=number)
        measured[row] = _number(line["value"], path, number)
        arms.setdefault(run, _arm(line, path, number))
        for name, known in group_of.items():
            group = line.get(GROUP + name)
            if group and known.setdefault(row, group) != group:
                raise DataError(
                    f"evaluation row '{row}' is in the groups '{known[row]}' and '{group}' of '{name}'",
                    "give a row one group",
                    file=path.name,
                    row=number,
                )
    rows = _same_rows(by_run.values(), path)
    groups = {name: np.array([known.get(r, "no label") for r in rows], object) for name, known in group_of.items()}
    return [(arms[run], [measured[row] for row in rows]) for run, measured in by_run.items()], groups


def _same_rows(runs: Iterable[dict[str, float]], path: Path) -> list[str]:
    sets = list(runs)
    first = list(sets[0])
    for measured in sets[1:]:
        odd = set(first) ^ set(measured)
        if odd:
            raise DataError(
                f"evaluation row '{min(odd)}' was not measured in every run",
                "every run must be measured on the same evaluation rows",
                file=path.name,
            )
    return first


def _arm(given: dict[str, Any], path: Path, number: int) -> dict[str, Any]:
    kind, name = str(given.get("kind") or ""), str(given.get("arm") or "")
    if kind not in KINDS:
        raise DataError(f"'{kind}' is no kind of arm", f"kinds: {', '.join(KINDS)}", file=path.name, row=number)
    if not name:
        raise DataError("the arm has no name", file=path.name, row=number)
    selection = str(given.get("selection") or (name if kind == SELECTION else ""))
    arm: dict[str, Any] = {"arm": name, "kind": kind, "selection": selection}
    for field in ("seed", "rows", "tokens", "steps"):
        value = given.get(field)
        arm[field] = None if value in (None, "") else _count(value, field, path, number)
    return arm


def _count(value: Any, field: str, path: Path, number: int) -> int:
    try:
        return int(_number(value, path, number))
    except (DataError, ValueError, OverflowError):
        raise DataError(f"'{value}' is no count", file=path.name, row=number, field=field) from None


def _number(value: Any, path: Path, number: int) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise DataError(f"'{value}' is no number", file=path.name, row=number, field="value") from None


def _check(values: np.ndarray, measure: Measure, path: Path) -> None:
    if not np.isfinite(values).all():
        raise DataError(
            "a value is missing or infinite", "leave out evaluation rows that were not measured", file=path.name
        )
    if measure == "accuracy" and ((values < 0) | (values > 1)).any():
        raise DataError("an accuracy is not between 0 and 1", "give shares, not percentages", file=path.name)
