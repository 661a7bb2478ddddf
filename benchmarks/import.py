"""Importing a million Alpaca rows: rows per second and peak memory, against what people use to open such a file.

    python benchmarks/import.py [--rows 1000000] [--json]

Each run is a process of its own, so peak memory is that of the import alone. The baselines load the file into a table
and do less: no messages, no content hash, no report of bad records.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from functools import partial
from pathlib import Path

from _measure import Row, measure, report, row

WORDS = [
    f"{a}{b}" for a in ("", "re", "un", "over", "out") for b in ("do", "make", "write", "think", "say", "go", "the")
]


def write_rows(folder: Path, rows: int, lines: bool) -> Path:
    """Synthetic Alpaca rows of about 450 characters, escapes and some Chinese included, as a list or one per line."""
    random.seed(0)
    path = folder / ("rows.jsonl" if lines else "rows.json")
    with path.open("w", encoding="utf-8") as file:
        file.write("" if lines else "[\n")
        for i in range(rows):
            record = {
                "instruction": f'Task {i}: write about "{" ".join(random.choices(WORDS, k=8))}" \\ 写一段话。',
                "input": " ".join(random.choices(WORDS, k=12)) if i % 3 == 0 else "",
                "output": " ".join(random.choices(WORDS, k=60)) + "\nEnd.",
            }
            text = json.dumps(record, ensure_ascii=i % 2 == 0, indent=None if lines else 2)
            file.write(text + ("\n" if lines else ",\n" if i < rows - 1 else "\n]\n"))
    return path


def with_curation(path: Path) -> int:
    """Rows read by this package into a Dataset on disk."""
    from curation.core.dataset import DatasetWriter
    from curation.readers import read

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        writer = DatasetWriter(Path(folder), "rows")
        facts = read([path], writer, reject=print)
        writer.finish(facts)
        return writer.rows


def with_pandas(path: Path) -> int:
    """Rows read by pandas."""
    import pandas as pd

    return len(pd.read_json(path, lines=path.suffix == ".jsonl"))


def with_datasets(path: Path) -> int:
    """Rows read by Hugging Face's datasets into its cache."""
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(dir=path.parent) as cache:
        return len(datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=cache))


def main() -> None:
    """Write the files, run every contender on each, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for lines in (False, True):
            path = write_rows(Path(folder), args.rows, lines)
            kind = "JSONL" if lines else "JSON list"
            name = f"{kind}, {args.rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB"
            pandas = measure(partial(with_pandas, path), fresh=True)
            datasets = measure(partial(with_datasets, path), fresh=True)
            ours = measure(partial(with_curation, path), fresh=True)
            assert pandas.result == datasets.result == ours.result == args.rows
            against = f"{kind}: pandas.read_json"
            found.append(row(against, pandas))
            found.append(row(f"{kind}: datasets.load_dataset", datasets, against=against, baseline=pandas))
            speed = f"{args.rows / ours.seconds:,.0f} rows/s"
            found.append(row(f"curation import, {name}, {speed}", ours, against=against, baseline=pandas))
            path.unlink()
    report(found, json=args.json)


if __name__ == "__main__":
    main()
