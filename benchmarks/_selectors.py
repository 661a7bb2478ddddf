"""What `selectors.py` measures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from _loops import (
    diverse_filter_by_row,
    diverse_filter_by_row_buffered,
    facility_location_apricot,
    faiss_pairs,
    log_det_textbook,
    pairwise_distances_per_pick,
    product_per_pick,
)
from _measure import Measured, Row, measure, report, row
from _rows import DATA, texts

PAGE = Path(__file__).resolve().parents[1] / "docs" / "measurements.md"
BEGIN, END = "<!-- selectors: begin -->", "<!-- selectors: end -->"
ROWS = 36_039  # all real rows with an instruction and an answer in English
DIMS = 384
WARM = 300

Say = Callable[[str], None]


def vectors_of(path: Path | None, data: Path, rows: int) -> np.ndarray:
    """Unit vectors float32 `[rows, 384]` of real rows by the packaged encoder; kept in `path` when it is named."""
    if path is not None and path.is_file():
        return np.load(path, allow_pickle=False)[:rows]
    from curation.models.sentence import load_encoder

    found, note = texts(data, rows)
    print(f"encoding {note}", file=sys.stderr, flush=True)
    made = load_encoder().encode(found).values.astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    if path is not None:
        np.save(path, made)
    return made


def gemm_rate(points: np.ndarray) -> float:
    """Multiply-adds a second of a float32 product of these shapes: the arithmetic floor."""
    left = np.ascontiguousarray(points[:256])
    blocks = [points[i : i + 4096] for i in range(0, len(points), 4096)]
    best = min(measure(lambda: [left @ block.T for block in blocks]).seconds for _ in range(5))
    return 256.0 * len(points) * points.shape[1] / best


def same(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Stop where the picks differ."""
    if len(ours) != len(theirs) or (ours != theirs).any():
        short = min(len(ours), len(theirs))
        place = int(np.append(np.flatnonzero(ours[:short] != theirs[:short]), short)[0])
        raise SystemExit(f"{name}: the picks differ from pick {place + 1} on")


def k_center(points: np.ndarray, say: Say) -> Iterable[Row]:
    """2,000 and 5,000 picks."""
    from curation.selectors.k_center import k_center_greedy, most_central

    k_center_greedy(points[:WARM], 50)
    rate, first = gemm_rate(points), most_central(points)
    wide = points.astype(np.float64)
    for budget in (2000, 5000):
        title = f"k-center, {len(points):,} rows, {budget:,} picks"
        ours = best_of(3, lambda b=budget: k_center_greedy(points, b))
        narrow = best_of(2, lambda b=budget: product_per_pick(points, b, first))
        product = measure(lambda b=budget: product_per_pick(wide, b, first))
        sklearn = measure(lambda b=budget: pairwise_distances_per_pick(wide, b, first))
        same(title, ours.result.order, product.result)
        same(title, ours.result.order, sklearn.result)
        alike = float((ours.result.order == narrow.result).mean())
        floor = budget * len(points) * points.shape[1] / rate
        say(f"{title}: floor {floor:.3f} s, {ours.seconds / floor:.2f} times that; float32 picks alike: {alike:.1%}")
        for name, other in (
            ("numpy float32 product per pick", narrow),
            ("numpy float64 product per pick", product),
            ("scikit-learn pairwise_distances per pick", sklearn),
        ):
            yield row(name, other)
            yield row(title, ours, against=name, baseline=other)


def diverse(points: np.ndarray, say: Say) -> Iterable[Row]:
    """6,000 picks at 0.9 and 0.6."""
    from curation.selectors.diverse_filter import diverse_filter

    scores = np.random.default_rng(0).standard_normal(len(points))
    diverse_filter(points[:WARM], scores[:WARM], 50, 0.9)
    for limit in (0.9, 0.6):
        title = f"diverse filter, {len(points):,} rows, 6,000 picks at {limit}"
        ours = best_of(3, lambda m=limit: diverse_filter(points, scores, 6000, m))
        for name, loop in (
            ("row by row, kept rows gathered", diverse_filter_by_row),
            ("row by row, kept rows in a buffer", diverse_filter_by_row_buffered),
        ):
            other = measure(lambda m=limit, f=loop: f(points, scores, 6000, m))
            same(title, ours.result.order, other.result)
            yield row(name, other)
            yield row(title, ours, against=name, baseline=other)
        say(f"{title}: {ours.result.info['examined']:,} rows examined")


def facility(points: np.ndarray, say: Say) -> Iterable[Row]:
    """10,000 rows, 500 picks, the matrix of similarities included on both sides."""
    from curation.selectors.facility_location import facility_location

    some = np.ascontiguousarray(points[:10_000])
    facility_location(some[:WARM], 20)

    def theirs() -> np.ndarray:
        similarity = (1 + some.astype(np.float64) @ some.T.astype(np.float64)) / 2
        return facility_location_apricot(similarity, 500)

    facility_location_apricot((1 + some[:WARM] @ some[:WARM].T).astype(np.float64) / 2, 20)  # compiles
    title = "facility location, 10,000 rows, 500 picks"
    ours, other = best_of(2, lambda: facility_location(some, 500)), best_of(2, theirs)

    def objective(order: np.ndarray) -> float:
        wide = some.astype(np.float64)
        best = np.full(len(some), -np.inf)
        for pick in order:
            np.maximum(best, wide @ wide[pick], out=best)
        return float(((1 + best) / 2).sum())

    say(f"{title}: objective {objective(ours.result.order) / objective(other.result):.6f} of apricot's")
    yield row("apricot-select lazy greedy", other)
    yield row(title, ours, against="apricot-select lazy greedy", baseline=other)


def log_det(points: np.ndarray, say: Say) -> Iterable[Row]:
    """20,000 rows, 1,000 picks."""
    from curation.selectors.log_det import log_det as ours_log_det

    some = np.ascontiguousarray(points[:20_000])
    ours_log_det(some[:WARM], 20)
    title = "log-det, 20,000 rows, 1,000 picks"
    ours = best_of(2, lambda: ours_log_det(some, 1000))
    other = measure(lambda: log_det_textbook(some, 1000, 1e-3))
    same(title, ours.result.order, other.result)
    say(f"{title}: the same picks")
    yield row("textbook numpy loop", other)
    yield row(title, ours, against="textbook numpy loop", baseline=other)


def duplicates(points: np.ndarray, say: Say) -> Iterable[Row]:
    """All pairs at 0.9, and the whole of SemDeDup, of all rows."""
    from curation.linalg.pairs import nearest_earlier, similar_pairs

    similar_pairs(points[:WARM], 0.9)
    rate = gemm_rate(points)
    floor = len(points) ** 2 / 2 * points.shape[1] / rate
    title = f"similar pairs at 0.9, {len(points):,} rows"
    ours = best_of(2, lambda: similar_pairs(points, 0.9))
    other = best_of(2, lambda: faiss_pairs(points, 0.9))
    say(
        f"{title}: {len(ours.result.rows):,} pairs, faiss finds {other.result:,} in its rounding; "
        f"half of all products at full precision would take {floor:.2f} s"
    )
    name = "faiss IndexFlatIP range search"
    yield row(name, other)
    yield row(title, ours, against=name, baseline=other)
    nearest_earlier(points[:WARM])
    earlier = best_of(2, lambda: nearest_earlier(points))
    yield row(f"similarity to an earlier copy, {len(points):,} rows", earlier, against=name, baseline=other)


def million(folder: Path, say: Say) -> Iterable[Row]:
    """10,000 picks among 10⁵ and 10⁶ rows of a synthetic mixture, float16 and memory-mapped."""
    path = folder / "mixture.npy"
    if not path.is_file():
        _mixture(path, 1_000_000)
    size = path.stat().st_size / 1e6
    for rows in (100_000, 1_000_000):
        found = measure(partial(_k_center_of_file, path, rows, 10_000), fresh=True)
        title = f"k-center, {rows:,} rows of float16 from disk, 10,000 picks"
        say(f"{title}: {found.seconds:.0f} s, peak {found.peak_mb:,.0f} MB ({size * rows / 1e6:,.0f} MB of vectors)")
        yield row(title, found)


def _k_center_of_file(path: Path, rows: int, budget: int) -> float:
    from curation.selectors.k_center import k_center_greedy

    points = np.load(path, mmap_mode="r", allow_pickle=False)[:rows]
    return float(k_center_greedy(points, budget).info["radius"])


def _mixture(path: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((2000, DIMS)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    out = np.lib.format.open_memmap(path, "w+", np.float16, (rows, DIMS))
    for start in range(0, rows, 50_000):
        count = min(50_000, rows - start)
        points = centres[rng.integers(0, len(centres), count)]
        points = points + 0.04 * rng.standard_normal((count, DIMS)).astype(np.float32)
        out[start : start + count] = points / np.linalg.norm(points, axis=1, keepdims=True)
    out.flush()


def best_of(times: int, function: Callable[[], object]) -> Measured:
    """The quickest of some runs, since what else runs on the machine only ever makes them slower."""
    return min((measure(function) for _ in range(times)), key=lambda found: found.seconds)


PARTS: dict[str, Callable[[np.ndarray, Say], Iterable[Row]]] = {
    "k-center": k_center,
    "diverse": diverse,
    "facility": facility,
    "log-det": log_det,
    "duplicates": duplicates,
}


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=DATA, help="folder with the instruction files")
    parser.add_argument("--vectors", type=Path, help="file to keep the vectors in")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--only", default=",".join([*PARTS, "million"]), help="parts to measure")
    parser.add_argument("--folder", type=Path, help="where the synthetic million is kept (0.8 GB); default: removed")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args()
    wanted = options.only.split(",")
    notes: list[str] = []

    def say(text: str) -> None:
        notes.append(text)
        print(text, file=sys.stderr, flush=True)

    rows: list[Row] = []
    if set(wanted) & set(PARTS):
        points = vectors_of(options.vectors, options.data, options.rows)
        for name in wanted:
            if name in PARTS:
                rows += PARTS[name](points, say)
    if "million" in wanted:
        if options.folder is not None:
            rows += million(options.folder, say)
        else:
            with tempfile.TemporaryDirectory() as folder:
                rows += million(Path(folder), say)
    report(rows, json=options.json)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        head, tail = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{_markdown(rows, notes)}\n{END}{tail}", encoding="utf-8")


def _markdown(rows: list[Row], notes: list[str]) -> str:
    lines = ["| run | seconds | peak MB | times as fast | as |", "|---|---|---|---|---|"]
    for each in rows:
        ratio = "" if each.ratio is None else f"**{each.ratio:.1f}×**"
        lines.append(f"| {each.name} | {each.seconds:.2f} | {each.peak_mb:,.0f} | {ratio} | {each.baseline or ''} |")
    return "\n".join([*lines, "", *(f"- {note}." for note in notes)])
