"""How far 600 judgements go: a distilled judge on real rows, with judges whose answer is known.

    python benchmarks/distillation.py                          # 10 to 20 minutes on 2 busy cores
    python benchmarks/distillation.py --rows 1500 --seeds 2    # a look at it, not a result

Prints a Markdown table. The rows are real; the judges are not: each gives a row 5, less for what was done to it, with
noise of half a point, in half points. So the numbers say what vectors and indicators can see, and whether the promises
of coverage and false-discovery rate hold on real vectors. They do not say how well a real judge can be learnt.

Everything is as in the preset judge-distilled: 200 random rows for calibration, 100 random rows to begin with, three
rounds of 100, four indicators, 128 components. All measures are taken on rows that no judge has seen.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from curation.core.artifacts import Features, Missing, Score, Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask
from curation.core.runtime import Runtime, resolve_device
from curation.engine import run
from curation.linalg.conformal import auc
from curation.linalg.rank_correlation import ranks, spearman
from curation.recipe import Recipe, plan
from curation.scorers.distilled import Distilled
from curation.selectors.acquire import Acquire
from curation.selectors.conformal import Conformal
from curation.workspace import Workspace

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CALIBRATION, BEGIN, ROUND, ROUNDS = 200, 100, 100, 3
THRESHOLD, RATE, COVERAGE, NOISE = 4.5, 0.1, 0.9, 0.5
SHARE = 0.4
INDICATORS = {
    "length": {"use": "scorer/length", "text": "response", "unit": "words"},
    "overlap": {"use": "scorer/overlap"},
    "compression": {"use": "scorer/compression"},
    "mtld": {"use": "scorer/mtld"},
}
PACKAGES = ("numpy", "scikit-learn")
Records = list[dict[str, Any]]


@dataclass(frozen=True)
class Judged:
    """Records, and what the judge gives each of them before its noise; float64 `[n]`."""

    name: str
    records: Records
    scores: np.ndarray


# ---------------------------------------------------------------------- judges


def damaged(records: Records, kinds: dict[str, float], seed: int) -> tuple[Records, np.ndarray]:
    """Some records with a worse response, and the points that are taken off for it; float64 `[n]`.

    Args:
        records: With the field `output`.
        kinds: Kind of damage → points off; rows are shared out among the kinds.
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(records))[: round(SHARE * len(records))]
    made, off = [dict(record) for record in records], np.zeros(len(records))
    for (kind, points), rows in zip(kinds.items(), np.array_split(order, len(kinds)), strict=True):
        for row, giver in zip(rows, np.roll(rows, 1), strict=True):
            before = records[row]["output"]
            words = before.split(" ")
            if kind == "of another row":
                after = records[giver]["output"]
            elif kind == "cut short":
                after = before[: max(1, int(len(before) * 0.4))]
            elif kind == "words in random order":
                after = " ".join(rng.permutation(words))
            else:
                after = " ".join([*words, *words, *words])
            made[row]["output"] = after
            off[row] = points if after != before else 0.0
    return made, off


def judges(folder: Path, rows: int, seed: int) -> list[Judged]:
    """Every judge of the table, with its rows."""
    records = json.loads((folder / "alpaca_9k.json").read_text("utf-8"))
    order = np.sort(np.random.default_rng(seed).permutation(len(records))[:rows])
    records = [r for r in (records[i] for i in order) if r["output"].strip()]
    every = {"of another row": 4.0, "cut short": 2.0, "words in random order": 4.0, "said three times": 2.0}
    found = []
    for name, kinds in (
        ("damage of four kinds", every),
        ("cut short", {"cut short": 3.0}),
        ("response of another row", {"of another row": 4.0}),
    ):
        made, off = damaged(records, kinds, seed)
        found.append(Judged(name, made, 5 - off))
    lengths = np.array([len(record["output"]) for record in records])
    found.append(Judged("likes long answers", records, 2 + 3 * ranks(lengths) / len(records)))
    numbers = np.random.default_rng((seed, 3)).uniform(2, 5, len(records))
    found.append(Judged("numbers drawn by chance", records, numbers))
    pairs = json.loads((folder / "dpo_en_demo.json").read_text("utf-8"))
    chosen = [_record(p, kind) for p in pairs for kind in ("chosen", "rejected")]
    found.append(Judged("people's preferences (dpo_en_demo)", chosen, np.tile([5.0, 2.0], len(pairs))))
    return found


def _record(pair: dict[str, Any], kind: str) -> dict[str, str]:
    turns = "\n\n".join(turn["value"] for turn in pair["conversations"])
    return {"instruction": turns, "input": "", "output": pair[kind]["value"]}


def noisy(scores: np.ndarray, seed: int) -> np.ndarray:
    """What the judge says: with noise, in half points, from 0 to 5."""
    drawn = scores + NOISE * np.random.default_rng((seed, 1)).normal(size=len(scores))
    return np.clip(np.round(drawn * 2) / 2, 0, 5)


# ---------------------------------------------------------------------- one run


@dataclass(frozen=True)
class Computed:
    """What does not depend on the judge's noise."""

    pool: Dataset
    features: Features
    indicators: dict[str, Score]


def compute(judged: Judged, folder: Path) -> Computed:
    """Vectors and indicators of the records."""
    file = folder / "rows.json"
    file.write_text(json.dumps(judged.records), "utf-8")
    workspace = Workspace.open(folder / "workspace")
    dataset = workspace.add(file, name=judged.name).dataset
    if len(dataset) != len(judged.records):
        raise SystemExit(f"{len(judged.records) - len(dataset)} rows of '{judged.name}' could not be read")
    steps: dict[str, dict[str, Any]] = {name: {**step, "on": "$pool"} for name, step in INDICATORS.items()}
    steps["embed"] = {"use": "encoder/sentence", "on": "$pool", "text": "both"}
    recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": "$embed"})
    runtime = Runtime(device=resolve_device())
    done = run(plan(recipe, workspace, {"pool": dataset.fingerprint}, runtime), workspace, runtime)
    features = done.artifact("embed")
    assert isinstance(features, Features)
    indicators = {name: done.artifact(name) for name in INDICATORS}
    return Computed(dataset, features, indicators)  # type: ignore[arg-type]


def one(made: Computed, said: np.ndarray, seed: int) -> dict[str, float]:
    """Calibrate, judge in rounds, and measure on all rows that were not judged."""
    pool, features, runtime = made.pool, made.features, Runtime()
    n = len(pool)
    small = n < 3 * (CALIBRATION + BEGIN + ROUNDS * ROUND)
    held, begin, each = (100, 60, 40) if small else (CALIBRATION, BEGIN, ROUND)
    order = np.random.default_rng((seed, 2)).permutation(n)  # a stream of its own: damage is drawn from seed 0
    check, judged = order[:held], order[held : held + begin]

    def score(rows: np.ndarray) -> Score:
        values = np.full(n, np.nan)
        values[rows] = said[rows]
        return Score(pool.fingerprint, values, Missing.where(np.isnan(values), "not judged"), "judge", True)

    def distil(rows: np.ndarray, **more: Any) -> Score:
        return Distilled(threshold=THRESHOLD, coverage=COVERAGE, more=0, **more).score(
            pool, runtime, features=features, judged=score(rows), calibration=score(check), indicators=made.indicators
        )

    barred = [Selection(pool.fingerprint, n, check)]
    for _ in range(ROUNDS):
        found = Acquire(threshold=THRESHOLD, seed=seed).select(
            pool, Ask(np.arange(n), each), runtime, features=features, distilled=distil(judged, learner="ridge"),
            indicators=made.indicators, exclude=barred,
        )  # fmt: skip
        judged = np.concatenate([judged, found.order])
    final = distil(judged)
    picks = Conformal(threshold=THRESHOLD, rate=RATE, known=False).select(
        pool, Ask(np.arange(n)), runtime, distilled=final, calibration=score(check), judged=score(judged)
    )
    chance = order[held : held + begin + ROUNDS * each]
    plain = distil(chance)
    rest = np.setdiff1d(np.arange(n), np.concatenate([check, judged]))
    other = np.setdiff1d(np.arange(n), np.concatenate([check, chance]))
    predicted, good = np.asarray(final.columns["predicted"]), said >= THRESHOLD
    inside = (final.columns["low"] <= said) & (said <= final.columns["high"])
    lengths = np.asarray(pool.lengths("response"), np.float64)
    wrong = float((~good[picks.order]).mean()) if len(picks) else 0.0
    return {
        "judged": float(len(judged)),
        "calibration": float(held),
        "good": float(good[rest].mean()),
        "spearman": spearman(predicted[rest], said[rest]),
        "auc": auc(predicted[rest], good[rest]),
        "auc_random": auc(np.asarray(plain.columns["predicted"])[other], good[other]),
        "coverage": float(inside[rest].mean()),
        "half": float(final.info["half_width"]),
        "picks": float(len(picks)),
        "wrong": wrong,
        "found": float(good[picks.order].sum() / good[rest].sum()),
        "length": spearman(predicted[rest], lengths[rest]),
        "judge_length": spearman(said[rest], lengths[rest]),
        "boosted": float(final.info["learner"] == "boosted"),
    }


# ---------------------------------------------------------------------- the table


def line(name: str, rows: int, runs: list[dict[str, float]]) -> str:
    """One judge of the table: means over the seeds, with the standard error of the promises."""
    mean = {key: float(np.mean([r[key] for r in runs])) for key in runs[0]}

    def error(key: str) -> float:
        return float(np.std([r[key] for r in runs], ddof=1) / np.sqrt(len(runs))) if len(runs) > 1 else float("nan")

    cells = [
        name,
        f"{rows:,}",
        f"{mean['judged']:.0f} + {mean['calibration']:.0f}",
        f"{mean['good']:.0%}",
        f"{mean['spearman']:.2f}",
        f"{mean['auc']:.3f} ± {error('auc'):.3f}",
        f"{mean['auc_random']:.3f}",
        f"{mean['coverage']:.1%} ± {error('coverage'):.1%}",
        f"{mean['half']:.2f}",
        f"{mean['picks']:,.0f}",
        f"{mean['wrong']:.1%} ± {error('wrong'):.1%}",
        f"{mean['found']:.0%}",
        f"{mean['length']:.2f} / {mean['judge_length']:.2f}",
        f"{mean['boosted']:.0%}",
    ]
    return "| " + " | ".join(cells) + " |"


def run_all(options: argparse.Namespace, say: Callable[[str], object]) -> list[str]:
    """Every judge, and the lines to print."""
    begin, lines = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:  # one workspace: rows that judges share are encoded once
        for judged in judges(options.data, options.rows, 0):
            made = compute(judged, Path(folder))
            runs = [one(made, noisy(judged.scores, seed), seed) for seed in range(options.seeds)]
            lines.append(line(judged.name, len(judged.records), runs))
            say(f"{judged.name}: {time.perf_counter() - begin:.0f} s\n")
    minutes = (time.perf_counter() - begin) / 60
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    command = shlex.join(["python", "benchmarks/distillation.py", *sys.argv[1:]])
    head = (
        "| judge | rows | judged + calibration | good | ρ | AUC | AUC, rows at random | coverage (90 % promised) "
        "| half-width | picks | wrong (10 % allowed) | found of good | ρ with length: predicted / judge | boosted |"
    )
    return [
        f"`{command}`: {options.seeds} seeds, {minutes:.0f} minutes. Python {platform.python_version()}, {versions}.",
        "",
        head,
        "|---" * 14 + "|",
        *lines,
    ]


def main() -> None:
    """Reads the command line and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DATA, help="folder with the instruction files")
    parser.add_argument("--rows", type=int, default=3000, help="of Alpaca, drawn at random: 3,000")
    parser.add_argument("--seeds", type=int, default=10, help="draws of judge's noise and of rows: 10")
    sys.stdout.write("\n".join(run_all(parser.parse_args(), sys.stderr.write)) + "\n")


if __name__ == "__main__":
    main()
