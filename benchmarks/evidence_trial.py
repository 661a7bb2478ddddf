"""A trial on three real files: which selections of a mixed pool beat random on held-out arithmetic problems?

    python benchmarks/evidence_trial.py ../shared/data                        # about 25 minutes on 2 cores
    python benchmarks/evidence_trial.py ../shared/data --tokens 200000        # longer trainings, up to some hours
    python benchmarks/evidence_trial.py ../shared/data --rows 150 --tokens 2000 --budget 60 --evaluation 20   # a look

The folder holds alpaca_9k.json, gsm8k_7k.json and dolly_3k.json. The model is `scratch`, made here from a share of the
pool: what it shows is how a trial reads, not what a real model would gain. The trusted rows are a tenth of gsm8k, in no
arm, their near-duplicates taken away. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import curation
from curation.api import Pool, Result
from curation.core.artifacts import Features, Trial
from curation.trial import arm_table

FILES = ("alpaca_9k.json", "gsm8k_7k.json", "dolly_3k.json")
TARGET = "gsm8k_7k.json"
EXAMPLES = 50  # of the target, that the nearest rows are looked for from; none of them is an evaluation row


def cut(folder: Path, files: Path, rows: int | None) -> list[Path]:
    """The files, or the first rows of each."""
    found = [files / name for name in FILES]
    if rows is None:
        return found
    for path in found:
        records = json.loads(path.read_text(encoding="utf-8"))[:rows]
        (folder / path.name).write_text(json.dumps(records), encoding="utf-8")
    return [folder / path.name for path in found]


def nearest(pool: Pool, vectors: Result, train: Result, target: Result, budget: int) -> np.ndarray:
    """The rows whose best cosine with a few examples of the target is highest, the examples themselves left out."""
    features = vectors.artifact
    assert isinstance(features, Features)
    points = np.nan_to_num(np.asarray(features.values, np.float32))
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    may = np.asarray(train.values)
    examples = np.random.default_rng(0).permutation(np.intersect1d(np.asarray(target.values), may))[:EXAMPLES]
    rest = np.setdiff1d(may, examples)
    best = (points[rest] @ points[examples].T).max(axis=1)
    return rest[np.argsort(-best, kind="stable")[:budget]]


def selections(pool: Pool, budget: int) -> tuple[dict[str, Result], Result]:
    """Name → selection, and the trusted rows."""
    split = pool.label("split", share=0.1)
    train = pool.select("where", labels=split, values=["train"])
    target = pool.select("where", labels=pool.label("column"), values=[TARGET])
    trusted = pool.select("where", labels=split, values=["held-out"], within=target)
    length = pool.score("length", text="response")
    vectors = pool.run("encoder/tfidf")
    near = ", ".join(str(row) for row in nearest(pool, vectors, train, target, budget))
    chosen: dict[str, Any] = {"score": length, "budget": budget, "within": train}
    return {
        "nearest to gsm8k": pool.select("rows", rows=near),
        "k-center": pool.select("k-center", features=vectors, budget=budget, within=train),
        "longest responses": pool.select("top-k", keep="highest", **chosen),
        "shortest responses": pool.select("top-k", keep="lowest", **chosen),
    }, trusted


def markdown(columns: list[str], rows: list[list[object]]) -> str:
    """A table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def told(report: Trial, pool: Pool) -> str:
    """The report as Markdown."""
    arms = [
        [a["arm"], a["runs"], f"{a['rows']:,}", f"{a['tokens']:,.0f}", f"{a['mean']:.4f}", f"{a['spread']:.4f}"]
        for a in arm_table(report.arms, report.values)
    ]
    parts = [
        f"Pool: {len(pool):,} rows of {', '.join(FILES)}; evaluation: {report.info['evaluation']}; "
        f"{report.info['eligible']:,} rows may be trained on; {report.info['steps']} steps of "
        f"{report.info['batch_rows']} rows.",
        markdown(["arm", "trainings", "rows", "tokens", "loss (nats a token)", "spread of trainings"], arms),
        "\n".join(f"- **{v['selection']}**: {v['words']}" for v in report.verdicts if not v["grouping"]),
    ]
    parts += [f"Note: {warning}." for warning in report.info["warnings"]]
    return "\n\n".join(parts)


def main() -> None:
    """Run it and print it."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path)
    parser.add_argument("--tokens", type=int, default=50_000, help="of one training, at the pool's mean length")
    parser.add_argument("--budget", type=int, default=2000, help="rows of every selection")
    parser.add_argument("--evaluation", type=int, default=200, help="trusted rows to measure")
    parser.add_argument("--rows", type=int, help="only the first rows of every file")
    parser.add_argument("--workspace", type=Path, help="a folder to keep; an interrupted run goes on from it")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.workspace or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        pool = curation.load(cut(folder, args.files, args.rows), workspace=folder / "workspace", name="mixed")
        chosen, trusted = selections(pool, args.budget)
        base = pool.run("trainer/base")
        report = pool.run(
            "trial",
            selections=chosen,
            model=base,
            evaluation=trusted,
            duplicates=pool.label("near-duplicates"),
            train_tokens=args.tokens,
            max_tokens=256,
            seeds=2,
            random_seeds=5,
            length_matched=3,
            evaluation_rows=args.evaluation,
        )
        artifact = report.artifact
        assert isinstance(artifact, Trial)
        print(told(artifact, pool))
    print(f"\nTook {(time.perf_counter() - began) / 60:.1f} minutes with {args.threads} threads.")


if __name__ == "__main__":
    main()
