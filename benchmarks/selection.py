"""k-center against the loops that people write: one pass over all rows for every pick.

    python benchmarks/selection.py ../shared/data/alpaca_9k.json ../shared/data/gsm8k_7k.json --budget 2000
    python benchmarks/selection.py --rows 50000 --json

With files, the vectors are TF-IDF + truncated SVD of their rows; without, planted clusters of uneven spread.
(Not called selectors.py: a script's folder comes first on Python's path, and the standard library has a `selectors`.)
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _measure import Row, measure, report, row

from curation.linalg.distances import unit_rows
from curation.selectors.k_center import k_center_greedy, most_central


def product_per_pick(points: np.ndarray, budget: int, first: int) -> np.ndarray:
    """Distances to the newest pick by one matrix-vector product; `|x|² + |c|² − 2·x·c`."""
    norms = np.einsum("ij,ij->i", points, points)
    nearest = np.full(len(points), np.inf, points.dtype)
    order = np.empty(budget, np.int64)
    pick = first
    for place in range(budget):
        order[place] = pick
        np.minimum(nearest, norms + norms[pick] - 2 * (points @ points[pick]), out=nearest)
        nearest[pick] = 0
        pick = int(nearest.argmax())
    return order


def pairwise_distances_per_pick(points: np.ndarray, budget: int, first: int) -> np.ndarray:
    """Distances to the newest pick by scikit-learn, as active-learning libraries do."""
    from sklearn.metrics import pairwise_distances

    nearest = np.full(len(points), np.inf)
    order = np.empty(budget, np.int64)
    pick = first
    for place in range(budget):
        order[place] = pick
        np.minimum(nearest, pairwise_distances(points, points[pick : pick + 1]).ravel(), out=nearest)
        nearest[pick] = 0
        pick = int(nearest.argmax())
    return order


def texts_of(path: Path) -> Iterator[str]:
    """All strings of each record of a JSON, JSONL or CSV file, joined."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as lines:
            records: list[object] = list(csv.DictReader(lines))
    elif path.suffix == ".jsonl":
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    else:
        records = json.loads(path.read_text(encoding="utf-8"))
    for record in records:
        yield " ".join(_strings(record))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def vectors_of(files: list[Path], rows: int, dims: int, seed: int) -> np.ndarray:
    """Unit rows float32 `[n, dims]`."""
    if files:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        words = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(
            text for path in files for text in texts_of(path)
        )
        return unit_rows(TruncatedSVD(dims, random_state=seed).fit_transform(words)).values
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((64, dims))
    spread = rng.gamma(2, 0.4, (rows, 1))
    return unit_rows(centres[rng.integers(0, 64, rows)] + spread * rng.standard_normal((rows, dims))).values


def benchmark(points: np.ndarray, budget: int) -> list[Row]:
    """Measures all contenders on the same points, and stops with an error when their picks differ."""
    first = most_central(points)
    wide = points.astype(np.float64)  # in float32 the products' noise decides between near-equal rows
    ours = measure(lambda: k_center_greedy(points, budget))
    product = measure(lambda: product_per_pick(wide, budget, first))
    narrow = measure(lambda: product_per_pick(points, budget, first))
    sklearn = measure(lambda: pairwise_distances_per_pick(wide, budget, first))
    for name, other in (("numpy", product), ("scikit-learn", sklearn)):
        different = np.flatnonzero(ours.result.order != other.result)
        if len(different):
            raise SystemExit(f"the picks differ from {name}'s from pick {different[0] + 1} on")
    same = float((ours.result.order == narrow.result).mean())
    title = f"k-center, {len(points):,} x {points.shape[1]}, {budget:,} picks"
    rows = []
    for name, other in (
        ("numpy product per pick", product),
        (f"numpy float32 product per pick ({same:.1%} same picks)", narrow),
        ("scikit-learn pairwise_distances per pick", sklearn),
    ):
        rows += [row(name, other), row(title, ours, against=name, baseline=other)]
    return rows


def main() -> None:
    """Reads the command line, makes the vectors, measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="JSON, JSONL or CSV files; without any, planted clusters")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of planted clusters")
    parser.add_argument("--dims", type=int, default=384)
    parser.add_argument("--budget", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print a list of objects instead of a table")
    options = parser.parse_args()
    points = vectors_of(options.files, options.rows, options.dims, options.seed)
    if options.budget >= len(points):
        sys.exit(f"there are only {len(points)} rows; ask for fewer picks than that")
    report(benchmark(points, options.budget), json=options.json)


if __name__ == "__main__":
    main()
