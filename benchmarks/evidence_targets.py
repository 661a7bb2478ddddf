"""Ten examples of a task: which selections find its other rows in a mixed pool, and which help a model with them?

    python benchmarks/evidence_targets.py --write                  # into docs/evidence.md; half an hour on a busy core
    python benchmarks/evidence_targets.py --rows 300 --training-tokens 10000 --steps 2         # a look, not a result
    python benchmarks/evidence_targets.py --rows 9000 --training-tokens 1000000 --layers 4 --model-width 192 --steps 60

Pool: t0_tasks, alpaca_9k and gsm8k, so many random rows in all that are no longer than --chars characters. Targets:
five families of tasks, ten examples of each, which are not in the pool. Selections take the top 5 % of the rows that
scratch was not pre-trained on. Counted is how many of them belong to the family, which no method is told. Then each
selection is trained on, and measured by the loss on other rows of the family. The model is `scratch`, less than a
million weights pre-trained here: no evidence about real models. With --workspace a killed run goes on.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import numpy as np
from _sections import write_section
from _targets import FAMILIES, FILES, TITLES, TRIED, Sizes, cut, members, recipe_of

from curation.core.artifacts import Model, Selection, Trial
from curation.core.runtime import Runtime, resolve_device
from curation.engine import Outcome, run
from curation.recipe import Recipe, plan
from curation.trial import arm_table
from curation.workspace import Workspace

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "evidence.md"
SECTION, HEADING = "targets", "## 6. Ten examples of a task: who finds its rows, and who helps with them?"
PACKAGES = ("numpy", "torch", "transformers", "sentence-transformers")
MODEL = (
    "**The model is `scratch`, {parameters:,} weights pre-trained on {tokens:,} tokens of other rows of the pool (loss "
    "{loss:.2f} nats a token on its own text). This is no evidence about real models**, neither for nor against the "
    "methods that read it: LESS, RDS, RDS+."
)


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def picked(outcome: Outcome, name: str) -> np.ndarray:
    """Rows of a selection."""
    made = outcome.artifact(name)
    assert isinstance(made, Selection)
    return np.asarray(made.order, np.int64)


def shares(outcome: Outcome, family: np.ndarray) -> Iterator[str]:
    """Lines that tell which share of each selection belongs to the family it was looked for."""
    fresh = picked(outcome, "fresh")
    budget = len(picked(outcome, "random-0"))
    there = {name: int((family[fresh] == name).sum()) for name in FAMILIES}

    def share(step: str, name: str) -> float:
        return float((family[picked(outcome, step)] == name).mean())

    def told(values: list[float]) -> list[str]:
        return [f"{100 * value:.0f}" for value in values]

    rows = [
        [title, *told(values), f"{100 * np.mean(values):.0f}"]
        for method, title in TITLES.items()
        for values in [[share(f"{method}-{name}", name) for name in FAMILIES]]
    ]
    chance = [[share(f"random-{seed}", name) for seed in range(3)] for name in FAMILIES]
    rows.append(
        ["random (3 draws)", *(f"{100 * np.mean(c):.0f} ± {100 * np.std(c, ddof=1):.0f}" for c in chance)]
        + [f"{100 * np.mean(chance):.0f}"]
    )
    pool = [there[name] / len(fresh) for name in FAMILIES]
    most = [min(1.0, there[name] / budget) for name in FAMILIES]
    rows.append(["*share of the rows that may be picked*", *told(pool), f"{100 * np.mean(pool):.0f}"])
    rows.append(["*most that is possible*", *told(most), f"{100 * np.mean(most):.0f}"])
    yield f"Of the {budget:,} rows picked, in % those of the family ({len(fresh):,} rows may be picked):"
    yield ""
    yield from table(["selection", *FAMILIES, "mean"], rows)


def trials(outcome: Outcome) -> Iterator[str]:
    """Lines that tell what training on each selection brought against random rows."""
    reports: dict[str, Trial] = {}
    for name in FAMILIES:
        report = outcome.artifact(f"trial-{name}")
        assert isinstance(report, Trial)
        reports[name] = report
    arms = {n: {a["arm"]: a for a in arm_table(r.arms, r.values)} for n, r in reports.items()}
    rows, tokens = [], []
    for method in TRIED:
        line: list[str] = []
        read: list[str] = []
        gains: list[float] = []
        for name in FAMILIES:
            said = next(v for v in reports[name].verdicts if v["selection"] == method and not v["grouping"])
            mark = {"beats random": "**", "worse than random": "*"}.get(said["verdict"], "")
            line.append(f"{mark}{said['gain']:+.3f}{mark} ({said['low']:+.2f} to {said['high']:+.2f})")
            gains.append(float(said["gain"]))
            read.append(f"{arms[name][method]['tokens']:,.0f}")
        rows.append([TITLES[method], *line, f"{np.mean(gains):+.3f}"])
        tokens.append([TITLES[method], *read])
    random = [next(a for a in arms[name].values() if a["kind"] == "random") for name in FAMILIES]
    tokens.append(["random", *(f"{a['tokens']:,.0f}" for a in random)])
    losses = [f"{a['mean']:.3f} ± {a['spread']:.3f}" for a in random]
    before = [f"{arms[name]['untrained']['mean']:.3f}" for name in FAMILIES]
    info, runs = reports[FAMILIES[0]].info, arms[FAMILIES[0]][TRIED[0]]["runs"]
    yield (
        "How much lower the loss on held-out rows of the family is than after training on random rows, in nats a "
        "token, with 95 % intervals; bold: beats random, italic: worse than random, after correction for a family's "
        f"{len(TRIED)} comparisons. {info['steps']} steps of {info['batch_rows']} rows, {runs} trainings on each "
        f"selection and {random[0]['runs']} on random rows."
    )
    yield ""
    yield from table(["selection", *FAMILIES, "mean"], rows)
    yield ""
    yield from table(
        ["loss (nats a token)", *FAMILIES], [["after random rows ± spread", *losses], ["before training", *before]]
    )
    yield ""
    yield "Tokens that a training read (the steps are the same, the rows are not equally long):"
    yield ""
    yield from table(["selection", *FAMILIES], tokens)


def run_all(options: argparse.Namespace, sizes: Sizes, folder: Path, say: Callable[[str], object]) -> list[str]:
    """Make pool and targets, compute everything, and return the lines to print."""
    pool, apart = cut(options.data, folder / "data", sizes)
    workspace = Workspace.open(folder / "workspace")
    dataset = workspace.add(pool, name="pool").dataset
    bound = {"pool": dataset.fingerprint}
    for family, files in apart.items():
        for what, file in zip(("examples", "held-out"), files, strict=True):
            bound[f"{family}-{what}"] = workspace.add(file, name=file.stem).dataset.fingerprint
    runtime = Runtime(device=resolve_device())
    begin = time.perf_counter()
    planned = plan(Recipe.read(recipe_of(sizes)), workspace, bound, runtime)
    outcome = run(
        planned, workspace, runtime,
        done_step=lambda fact: say(f"{fact.name}: {fact.seconds:.1f} s{' (stored)' if fact.reused else ''}\n"),
    )  # fmt: skip
    minutes = sum(fact.seconds for fact in outcome.steps) / 60
    stored = ", without what was stored" if any(fact.reused for fact in outcome.steps) else ""
    say(f"this call: {(time.perf_counter() - begin) / 60:.1f} minutes\n")
    base = outcome.artifact("base")
    assert isinstance(base, Model)
    families = members(dataset.sources, dataset.records)
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    command = shlex.join(["python", "benchmarks/evidence_targets.py", *sys.argv[1:]])
    warm = outcome.artifact("warm")
    assert isinstance(warm, Model)
    said = ", ".join(
        f"{name} {getattr(sizes, name):,}"
        for name in ("chars", "max_tokens", "training_tokens", "layers", "model_width", "vocabulary", "width")
    )
    return [
        f"`{command}`: {len(dataset):,} rows with a response, drawn from {', '.join(FILES)} ({said}); "
        f"{sizes.examples} examples and {sizes.held_out} held-out rows of each family; warm-up on "
        f"{warm.info['rows']:,} rows, {warm.info['checkpoints']} checkpoints; {minutes:.0f} minutes on "
        f"{runtime.device}, shared with other programs{stored}. "
        f"Python {platform.python_version()}, {versions}.",
        "",
        MODEL.format(parameters=base.info["parameters"], tokens=base.info["tokens"], loss=base.info["final_loss"]),
        "",
        *shares(outcome, families),
        "",
        *trials(outcome),
    ]


def main() -> None:
    """Reads the command line and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DATA, help="the folder with the three files")
    for field in fields(Sizes):
        kind = float if field.name == "budget" else int
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=kind, default=field.default, help=f"see Sizes in _targets.py; {field.default}")
    parser.add_argument(
        "--workspace", type=Path, help="keep results here, so that a killed run goes on; else a new one"
    )
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    options = parser.parse_args()
    sizes = Sizes(**{field.name: getattr(options, field.name) for field in fields(Sizes)})
    with tempfile.TemporaryDirectory() as temporary:
        lines = run_all(options, sizes, options.workspace or Path(temporary), sys.stderr.write)
    text = "\n".join(lines)
    sys.stdout.write(text + "\n")
    if options.write:
        write_section(PAGE, SECTION, text, HEADING)


if __name__ == "__main__":
    main()
