"""The two workspaces that `browser.py` opens: real rows repeated to 50,000, and a synthetic million.

Each is made once in minutes and kept: a later call with the same folder finds it. Both hold what the app itself would
have stored, under the keys that the same recipe has in the app, so every page takes the results for its own.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from _rows import DATA

from curation import jobs
from curation.core.artifact import Artifact
from curation.core.artifacts import Features, Labels, Layout, Missing, Score
from curation.core.dataset import Dataset, Message, Row
from curation.core.method import discover
from curation.recipe import Plan, Recipe, plan
from curation.workspace import Workspace

VERSION = 1
"""Of what is made here; a kept workspace of another version is made again."""
MADE, MAKING = "benchmark.json", "benchmark-unfinished.json"
REAL_FILES = (
    "alpaca_9k.json", "dolly_3k.json", "gsm8k_7k.json", "t0_tasks.jsonl", "alpaca_zh_1k.json",
    "v1_sft_messages.jsonl", "glaive_toolcall_sharegpt.json", "dpo_en_demo.json",
)  # fmt: skip
"""The instruction data of the folder, 38,138 records; the others label utterances."""
JITTER = 0.004
"""Spread of a repeated row around its place, as a share of the map's width."""

MAP_STEPS: dict[str, dict[str, Any]] = {
    "words": {"use": "encoder/tfidf", "on": "$pool"},
    "near": {"use": "neighbours", "features": "$words", "exact_up_to": 10_000, "approximate": "cells"},
    "map": {"use": "layout", "neighbours": "$near", "features": "$words"},
    "clusters": {"use": "labeller/clusters", "layout": "$map"},
}
REAL_STEPS: dict[str, dict[str, Any]] = {
    "length": {"use": "scorer/length", "on": "$pool"},
    "compression": {"use": "scorer/compression", "on": "$pool"},
    "type-token-ratio": {"use": "scorer/type-token-ratio", "on": "$pool"},
    "repetition": {"use": "scorer/repetition", "on": "$pool"},
    "readability": {"use": "scorer/readability", "on": "$pool"},
    "overlap": {"use": "scorer/overlap", "on": "$pool"},
    "boilerplate": {"use": "scorer/boilerplate", "on": "$pool"},
    "duplicates": {"use": "labeller/near-duplicates", "on": "$pool"},
    "any": {"use": "selector/random", "on": "$pool", "budget": "10%"},
    "pick": {"use": "selector/k-center", "features": "$words", "budget": "10%"},
}

CLUSTERS, SPREAD_OUT, DIMS = 60, 0.03, 64
BLOCK = 50_000
_WORDS = (
    "amber basket cedar dune ember fjord garnet harbour island juniper kettle lantern meadow nutmeg orchard pebble "
    "quartz ribbon saddle timber umbra velvet willow yarrow zephyr anchor bronze copper delta eagle feather glacier "
    "hollow indigo jasper kernel linen marble needle ochre pillar quiver raven silver thistle upland valley walnut"
)
WORDS = _WORDS.split()
HOSTILE = (
    "<b>bold</b>", "<script>alert(1)</script>", "![x](http://evil.test/p.png)", "$x^2$", ":red[no]", "`code`",
    "a\u202eb", "\U0001f600", "\u65e5\u672c\u8a9e", "=1+1", '"quoted"', "[link](javascript:0)", "# head",
    "\u0645\u0631\u062d\u0628\u0627",
)  # fmt: skip
"""Every text holds one of these: shown as anything but text, they would be seen."""
SCORES: dict[str, bool | None] = {
    "quality": True, "effort": True, "novelty": True, "toxicity": False, "loss": None, "reviewed": True,
}  # fmt: skip
"""Number fields of a synthetic record → whether higher is better. `toxicity` is missing in places, `reviewed` is 1."""
SYNTHETIC_PICKS = 0.1

Say = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """A finished workspace.

    Args:
        root: Its folder.
        dataset: Fingerprint of its one dataset.
        name: Of the dataset.
        rows: How many.
        note: Where the rows are from.
        seconds: What making it took.
    """

    root: str
    dataset: str
    name: str
    rows: int
    note: str
    seconds: float


def _aloud(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ------------------------------------------------------------------ kept between runs


def _kept(root: Path, wanted: Mapping[str, Any], make: Callable[[Workspace], tuple[Dataset, str]]) -> Made:
    """The workspace in `root`: found when it is finished and of the same make, else made anew.

    Raises:
        SystemExit: if the folder holds anything that was not made here.
    """
    facts = {"version": VERSION, **wanted}
    done = root / MADE
    if done.is_file():
        found = json.loads(done.read_text("utf-8"))
        if found["facts"] == facts:
            return Made(**{**found["made"], "root": str(root)})
    if root.exists() and any(root.iterdir()):
        if not done.is_file() and not (root / MAKING).is_file():
            raise SystemExit(f"{root} holds something else: name another folder")
        shutil.rmtree(root)
    start = time.perf_counter()
    workspace = Workspace.open(root)
    (root / MAKING).write_text("{}", "utf-8")
    _costs_are_known(workspace)
    dataset, note = make(workspace)
    made = Made(str(root), dataset.fingerprint, dataset.name, len(dataset), note, time.perf_counter() - start)
    done.write_text(json.dumps({"facts": facts, "made": asdict(made)}, indent=1), "utf-8")
    (root / MAKING).unlink()
    return made


def _costs_are_known(workspace: Workspace) -> None:
    """No page measures a method for its estimate while a benchmark runs."""
    for use in discover():
        workspace.record_timing(
            {
                "use": use, "digest": "", "device": "cpu", "work": 1e6, "rows": 10_000, "seconds": 1.0,
                "calibrated": True, "startup": 0.0, "bytes_per_row": 100.0, "cold": False, "time": 0.0,
            }
        )  # fmt: skip


def _recipe(steps: Mapping[str, Mapping[str, Any]], result: str) -> Recipe:
    return Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": f"${result}"})


def _run(workspace: Workspace, dataset: Dataset, steps: Mapping[str, Mapping[str, Any]], title: str) -> dict[str, str]:
    """Run every step as a job; returns step → key. A step that nothing reads is run on its own."""
    keys: dict[str, str] = {}
    read = {v[1:] for step in steps.values() for v in step.values() if isinstance(v, str) and v.startswith("$")}
    for name in [n for n in steps if n not in read] or list(steps):
        part = _needed(steps, name)
        _, outcome = jobs.run_here(
            workspace,
            _recipe(part, name),
            {"pool": dataset.fingerprint},
            title=f"{title}: {dataset.name}",
            device="cpu",
        )
        keys |= {step.name: step.key for step in outcome.steps}
    return keys


def _needed(steps: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for value in steps[name].values():
        if isinstance(value, str) and value.startswith("$") and value[1:] in steps:
            found |= _needed(steps, value[1:])
    return {**found, name: dict(steps[name])}


def _publish(workspace: Workspace, planned: Plan, made: Mapping[str, Artifact]) -> None:
    """Store artifacts under the keys that these steps of a plan have."""
    for step in planned.steps:
        if step.name in made:
            facts = {
                "use": step.use, "step": step.name, "parameters": step.method.model_dump(mode="json"),
                "ports": step.ports, "within": None, "recipe": planned.resolved_yaml(), "bindings": planned.bindings,
            }  # fmt: skip
            workspace.publish(step.key, made[step.name], facts)


# ------------------------------------------------------------------ real rows


def real_50k(root: Path, data: Path = DATA, *, rows: int = 50_000, say: Say = _aloud) -> Made:
    """Real instruction rows with real results, the last of them repeats of others.

    Vectors and map are computed for the distinct rows by the engine's own steps; a repeated row stands close to the
    one it repeats, with vectors as close. Everything else (clusters, seven indicators, near-duplicates, orders) is
    computed on all rows. About two minutes on two cores.

    Args:
        root: The workspace's folder.
        data: Folder with the instruction files.
        rows: How many; fewer than there are = the first ones.
        say: Told what happens.
    """
    files = [data / name for name in REAL_FILES if (data / name).is_file()]
    if not files:
        raise SystemExit(f"no benchmark data in {data}: it should hold {', '.join(REAL_FILES)}")
    wanted = {"kind": "real", "rows": rows, "files": [f.name for f in files]}
    return _kept(root, wanted, lambda workspace: _real(workspace, files, rows, say))


def _real(workspace: Workspace, files: list[Path], rows: int, say: Say) -> tuple[Dataset, str]:
    with workspace.scratch() as folder:
        first = Workspace.open(folder / "first")
        base = first.add(files, name="first").dataset
        say(f"{len(base):,} real rows from {len(files)} files")
        of = _repeats(len(base), rows)
        if len(base) > rows:  # only a small trial run has fewer rows than the files
            base = first.add_rows(_rows_of(base, of), "first").dataset
            of = np.arange(rows)
        keys = _run(first, base, _needed(MAP_STEPS, "map"), "Map")
        say("vectors and map of the distinct rows")
        features, layout = cast(Features, first.load(keys["words"])), cast(Layout, first.load(keys["map"]))
        dataset = workspace.add_rows(_rows_of(base, of), "real rows").dataset
        again = np.zeros(rows, bool)
        again[len(base) :] = True
        made = {
            "words": _near(features, of, again, dataset.fingerprint),
            "map": _moved(layout, of, again, dataset.fingerprint),
        }
    whole = plan(_recipe(MAP_STEPS, "clusters"), workspace, {"pool": dataset.fingerprint})
    _publish(workspace, whole, made)
    _run(workspace, dataset, MAP_STEPS, "Map")
    _run(workspace, dataset, {"words": MAP_STEPS["words"], **REAL_STEPS}, "Scores")
    say(f"clusters, indicators and orders of {rows:,} rows")
    note = f"{len(base):,} real rows"
    return dataset, note + (f", {again.sum():,} of them repeated with jitter" if again.any() else "")


def _repeats(distinct: int, rows: int) -> np.ndarray:
    """Which distinct row each row is: all in order, then a random draw."""
    more = np.random.default_rng(0).integers(0, distinct, max(rows - distinct, 0))
    return np.concatenate([np.arange(min(distinct, rows)), more])


def _rows_of(dataset: Dataset, rows: np.ndarray) -> Iterator[Row]:
    source, line, form = (dataset.column(name).to_pylist() for name in ("source", "line", "form"))
    for row in rows.tolist():
        record = json.dumps(dataset.record(row), ensure_ascii=False)
        yield Row(dataset.messages(row), record, source[row], line[row], form[row], dataset.tools(row))


def _near(features: Features, of: np.ndarray, again: np.ndarray, dataset: str) -> Features:
    """Vectors of repeats: those of the row that is repeated, turned by a degree or two."""
    values = np.asarray(features.values)[of]
    noise = np.random.default_rng(1).normal(size=(int(again.sum()), values.shape[1]))
    values[again] += 0.02 * noise / np.sqrt(values.shape[1])
    values[again] /= np.linalg.norm(values[again], axis=1, keepdims=True)
    return Features(dataset, values.astype(np.float32), features.missing.take(of), info=features.info)


def _moved(layout: Layout, of: np.ndarray, again: np.ndarray, dataset: str) -> Layout:
    """The map with repeats beside the row that they repeat."""
    xy = np.asarray(layout.xy)[of]
    width = float(np.nanmax(np.nanmax(xy, axis=0) - np.nanmin(xy, axis=0)))
    xy[again] += JITTER * width * np.random.default_rng(2).normal(size=(int(again.sum()), 2))
    return Layout(dataset, xy.astype(np.float32), layout.missing.take(of), layout.preview, layout.info)


# ------------------------------------------------------------------ the synthetic million


def million(root: Path, *, rows: int = 1_000_000, say: Say = _aloud) -> Made:
    """Synthetic rows: a mixture of Gaussians as vectors and map, six numbers in every record, hostile texts.

    The numbers are fields of the records and stored as the column scorer would read them; the two orders are made by
    the engine. About two minutes and 1.5 GB on disk.

    Args:
        root: The workspace's folder.
        rows: How many.
        say: Told what happens.
    """
    return _kept(root, {"kind": "synthetic", "rows": rows}, lambda workspace: _synthetic(workspace, rows, say))


def _synthetic(workspace: Workspace, rows: int, say: Say) -> tuple[Dataset, str]:
    rng = np.random.default_rng(7)
    codes = np.sort(rng.choice(CLUSTERS, rows, p=_shares())).astype(np.int32)[rng.permutation(rows)]
    codes = _largest_first(codes)
    values = synthetic_scores(codes, rng)
    dataset = workspace.add_rows(_synthetic_rows(codes, values), "synthetic rows").dataset
    say(f"{rows:,} synthetic rows written")
    name, none = dataset.fingerprint, Missing.none(rows)
    noise = rng.random(rows) < SPREAD_OUT
    words = tuple(f"{WORDS[i % len(WORDS)]}, {WORDS[(7 * i + 3) % len(WORDS)]}" for i in range(CLUSTERS))
    made: dict[str, Artifact] = {
        "words": Features(name, _vectors(codes, rng), none, info={"encoder": "synthetic"}),
        "map": Layout(name, _places(codes, noise, rng), none),
        "clusters": Labels(name, np.where(noise, -1, codes).astype(np.int32), words, none),
    }
    scores: dict[str, Artifact] = {
        field: Score(name, column, Missing.where(np.isnan(column), "no value"), field, SCORES[field])
        for field, column in values.items()
    }
    _publish(workspace, plan(_recipe(MAP_STEPS, "clusters"), workspace, {"pool": name}), made)
    steps = score_steps()
    for field in SCORES:
        _publish(workspace, plan(_recipe({field: steps[field]}, field), workspace, {"pool": name}), scores)
    budget = max(1, int(SYNTHETIC_PICKS * rows))
    picks: dict[str, dict[str, Any]] = {
        "quality": steps["quality"],
        "best": {"use": "selector/top-k", "score": "$quality", "budget": budget},
        "any": {"use": "selector/random", "on": "$pool", "budget": budget},
    }
    _run(workspace, dataset, picks, "Selection")
    say(f"vectors, map, clusters, {len(SCORES)} scores and two orders of {budget:,} rows")
    return dataset, "synthetic rows"


def score_steps() -> dict[str, dict[str, Any]]:
    """The steps that read the numbers of the synthetic records."""
    return {
        field: {"use": "scorer/column", "on": "$pool", "field": field, "higher_is_better": better}
        for field, better in SCORES.items()
    }


def _shares() -> np.ndarray:
    shares = 1.0 / np.arange(1, CLUSTERS + 1) ** 0.7
    return shares / shares.sum()


def _largest_first(codes: np.ndarray) -> np.ndarray:
    """Codes renumbered by size, as the labeller of clusters numbers them."""
    order = np.argsort(-np.bincount(codes, minlength=CLUSTERS), kind="stable")
    table = np.empty(CLUSTERS, np.int32)
    table[order] = np.arange(CLUSTERS)
    return table[codes]


def synthetic_scores(codes: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The number fields of the records, float64 `[n]` with three decimals; NaN where a record has none."""
    n = len(codes)
    level = rng.normal(size=CLUSTERS)[codes]
    quality = 1 / (1 + np.exp(-(0.6 * level + rng.normal(size=n))))
    found = {
        "quality": quality,
        "effort": 40 * quality + rng.gamma(2.0, 12.0, n),
        "novelty": rng.beta(2, 5, n),
        "toxicity": np.where(rng.random(n) < 0.08, np.nan, rng.exponential(0.1, n)),
        "loss": rng.normal(2.0, 0.5, n) - 0.3 * level,
        "reviewed": np.ones(n),
    }
    return {name: np.round(values, 3) for name, values in found.items()}


def _synthetic_rows(codes: np.ndarray, values: Mapping[str, np.ndarray]) -> Iterator[Row]:
    """Records with short texts made of a list of words, from three sources."""
    rng = np.random.default_rng(11)
    for begin in range(0, len(codes), BLOCK):
        here = codes[begin : begin + BLOCK].tolist()
        chosen = rng.integers(0, len(WORDS), (len(here), 14)).tolist()
        hostile = rng.integers(0, len(HOSTILE), len(here)).tolist()
        numbers = [values[field][begin : begin + BLOCK].tolist() for field in SCORES]
        for i, code in enumerate(here):
            words = [WORDS[w] for w in chosen[i]]
            prompt = f"{WORDS[code % len(WORDS)]} {words[0]} {HOSTILE[hostile[i]]} {' '.join(words[1:6])}?"
            response = " ".join(words[6 : 8 + (code + i) % 7])
            record: dict[str, Any] = {"instruction": prompt, "input": "", "output": response}
            for field, column in zip(SCORES, numbers, strict=True):
                if column[i] == column[i]:
                    record[field] = column[i]
            said: list[Message] = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
            place, line = f"part-{1 + (begin + i) % 3}.jsonl", (begin + i) // 3
            yield Row(said, json.dumps(record, ensure_ascii=False), place, line, "alpaca")


def _vectors(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors around one centre per cluster, float16 `[n, DIMS]`."""
    centres = rng.normal(size=(CLUSTERS, DIMS)).astype(np.float32)
    out = np.empty((len(codes), DIMS), np.float16)
    for begin in range(0, len(codes), BLOCK):
        part = centres[codes[begin : begin + BLOCK]]
        part = part + 0.7 * rng.standard_normal(part.shape, np.float32)
        out[begin : begin + BLOCK] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return out


def _places(codes: np.ndarray, noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A blob for each cluster on a spiral, noise between them, float32 `[n, 2]`."""
    turn = 2.4 * np.arange(CLUSTERS)
    centres = 1.9 * np.sqrt(np.arange(CLUSTERS) + 1.0)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    wide = rng.uniform(0.35, 0.75, (CLUSTERS, 2))
    xy = centres[codes] + wide[codes] * rng.normal(size=(len(codes), 2))
    far = float(np.abs(centres).max()) + 1.5
    xy[noise] = rng.uniform(-far, far, (int(noise.sum()), 2))
    return xy.astype(np.float32)
