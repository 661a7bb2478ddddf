"""Gradients of single rows: ours against the loops that people write, as ratios in one run, with peak memory.

    python benchmarks/gradients.py --write                     # scratch on 2 cores, into docs/measurements.md: minutes
    python benchmarks/gradients.py --only features --rows 32   # less of it
    python benchmarks/gradients.py --only large --device cuda  # a random 0.5B model in two sizes of memory; needs a GPU

Every figure of memory is the highest of a process of its own. Features of both sides are compared in every run.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from _browser_table import _cpu  # noqa: E402
from _gradient_jobs import (  # noqa: E402
    Setup,
    loop,
    norms_at_once,
    norms_loop,
    norms_ours,
    ours,
    sketch,
    training,
)
from _measure import measure  # noqa: E402
from _rows import DATA  # noqa: E402
from _sections import write_section  # noqa: E402

PAGE = ROOT / "docs" / "measurements.md"
HEADINGS = {
    "features": "## Gradient features",
    "norms": "## Gradient norms",
    "sketch": "## CountSketch",
    "large": "## Gradients of a large model",
}
USUAL = ("features", "norms", "sketch")
CLOSE = 1e-4
"""Largest length of the difference of two features of length one that passes for equal."""
TARGET = 1.3
TOGETHER = 16
"""Rows that LESS's released code projects at once."""
KEPT_FLOAT = 7 << 30
"""Bytes of a matrix that a loop keeps in float32; beyond that it keeps it in int8."""
SLOW = 1 << 19
"""Rank times width beyond which the slow loops run on few rows."""
POOL, EPOCHS, SHARE = 50_000, 4, 0.05
"""Rows, passes and checkpoints, and share of the rows in the warm-up of LESS from end to end."""
SHAPES = {
    "0.5b": (151_936, 896, 4864, 24, 14, 2),
    "tiny": (512, 64, 128, 2, 4, 2),
}
"""Vocabulary, width, inner width, blocks, heads, heads of keys; 0.5b is that of Qwen2 0.5B."""
PROFILES = {"22 GB": (22.0, 32_768), "11 GB": (11.0, 12_288)}
"""Gigabytes (10⁹ bytes) that a GPU is held to, and tokens of a batch."""


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="a file of rows; empty: Alpaca, or the demo's")
    parser.add_argument("--only", default=",".join(USUAL), help=f"parts: {','.join(HEADINGS)}")
    parser.add_argument("--rows", type=int, default=256, help="spread evenly over the file")
    parser.add_argument("--ranks", default="128,8", help="of the adapters")
    parser.add_argument("--widths", default="2048,8192", help="of the projection")
    parser.add_argument("--memory-gb", type=float, default=4.0, help="that ours may take, as a run gives it")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu", help="of the part `large`")
    parser.add_argument("--size", choices=SHAPES, default="0.5b", help="of the part `large`")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    given = parser.parse_args()
    given.ranks, given.widths = ([int(n) for n in text.split(",")] for text in (given.ranks, given.widths))
    wanted = given.only.split(",")
    if set(wanted) - set(HEADINGS):
        parser.error(f"parts are {', '.join(HEADINGS)}")
    parts: dict[str, Callable[..., list[str]]] = {
        "features": features, "norms": norms, "sketch": sketches, "large": large,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        note = "" if wanted == ["large"] else prepare(Path(folder), given)
        for part in (name for name in HEADINGS if name in wanted):
            say(part)
            text = "\n".join([*parts[part](Path(folder), given, note), "", about(part, given)])
            print(f"{HEADINGS[part]}\n\n{text}\n", flush=True)
            if given.write:
                write_section(PAGE, f"gradients-{part}", text, HEADINGS[part])


def say(text: str) -> None:
    """Tell what happens, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def about(part: str, given: argparse.Namespace) -> str:
    """Where, when and how a table was measured."""
    where = f"{given.threads} threads of {os.cpu_count()} cores ({_cpu()}), load {os.getloadavg()[0]:.1f} at the end"
    if part == "large" and given.device.startswith("cuda"):
        import torch

        where = torch.cuda.get_device_name(given.device)
    versions = f"Python {platform.python_version()}, torch {version('torch')}"
    asked = f"--only {part}" + (f" --device {given.device} --size {given.size}" if part == "large" else "")
    return f"`python benchmarks/gradients.py {asked} --write`, {time.strftime('%Y-%m-%d')}: {where}; {versions}."


def table(header: str, lines: list[list[Any]]) -> list[str]:
    """A Markdown table."""
    names = [name.strip() for name in header.split("|")]
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names), *(f"| {' | '.join(map(str, x))} |" for x in lines)]


def prepare(folder: Path, given: argparse.Namespace) -> str:
    """The rows, and `scratch` in its usual shape after a few steps: speed does not depend on what it knows.

    Returns:
        What the rows are.
    """
    from curation.core.dataset import Dataset, DatasetWriter
    from curation.core.runtime import Runtime
    from curation.models.scratch import USUAL_SHAPE, pretrain_scratch
    from curation.readers.reading import read

    data = given.data or next(p for p in (DATA / "alpaca_9k.json", ROOT / "assets" / "demo.json") if p.is_file())
    (folder / "rows").mkdir()
    writer = DatasetWriter(folder / "rows", data.name)
    read([data], writer, reject=lambda rejected: None)
    writer.finish()
    pool = Dataset.open(folder / "rows")
    some = pool.take(np.linspace(0, len(pool) - 1, min(len(pool), 2000)).astype(int))  # enough for its vocabulary
    _, facts = pretrain_scratch(some, Runtime(), folder=folder / "model", tokens=4096)
    if facts["vocabulary"] < USUAL_SHAPE.vocabulary and len(pool) > 2000:
        raise SystemExit(f"the model has {facts['vocabulary']} tokens only")
    return f"rows of {data.name}, model `scratch` of {facts['parameters'] / 1e6:.1f} million weights"


def setup_of(folder: Path, given: argparse.Namespace, **changes: Any) -> Setup:
    """On what to work."""
    facts = {"rows": given.rows, "rank": 0, "memory": int(given.memory_gb * 1e9)} | changes
    return Setup(folder, given.threads, **facts)


def apart(job: Callable[..., Any], *words: Any, **named: Any) -> Any:
    """What a job finds in a process of its own."""
    return measure(functools.partial(job, *words, **named), fresh=True).result


def speed(found: dict[str, Any]) -> float:
    """Rows per second."""
    return len(found["result"]) / found["seconds"]


def memory(found: dict[str, Any]) -> str:
    """Peak, and what the run added."""
    return f"{found['peak_mb']:,.0f} MB (+{max(0.0, found['peak_mb'] - found['before_mb']):,.0f})"


def apart_by(mine: np.ndarray, other: dict[str, Any], most: float = CLOSE) -> float:
    """Largest length of the difference of features of length one.

    Raises:
        SystemExit: they differ.
    """
    found = float(np.linalg.norm(mine[other["which"]] - other["result"], axis=1).max())
    if not found <= most:
        raise SystemExit(f"the features differ by {found:.2g}")
    return found


# ------------------------------------------------------------------------ features


def features(folder: Path, given: argparse.Namespace, note: str) -> list[str]:
    """LoRA gradients, projected."""
    lines, notes, missed = [], [], []
    for rank in given.ranks:
        for width in given.widths:
            name = f"rank {rank}, width {width:,}"
            setup = setup_of(folder, given, rank=rank)
            say(f"  {name}: ours")
            mine = apart(ours, setup, width)
            say(f"  {name}: loops")
            some = TOGETHER if rank > 32 else 4 * TOGETHER
            slow = rank * width > SLOW  # seconds a row
            alone, anew = (4, 1) if slow else (some, 2)
            arms = [(True, TOGETHER, some), (True, 1, alone), (False, TOGETHER, TOGETHER), (False, 1, anew)]
            found = apart(loop, setup, width, arms, KEPT_FLOAT)
            worst = max(apart_by(mine["result"], other) for other in found)
            lines.append([f"**{name}**: ours", mine["rows"], f"{speed(mine):.3g}", "", memory(mine)])
            for (kept, at_once, _), other in zip(arms, found, strict=True):
                how = f"loop, matrix {'made once' if kept else 'made anew'} ({other['stored']})"
                how += f", {at_once} rows projected at once" if at_once > 1 else ", each row projected alone"
                if not kept and at_once > 1:
                    how += ", as LESS's released code does"
                ratio = speed(mine) / speed(other)
                lines.append([how, len(other["result"]), f"{speed(other):.3g}", f"**{ratio:.1f}×**", memory(other)])
                if kept and ratio < TARGET:
                    missed.append(f"{name}, {at_once} at once: {ratio:.2f}×")
            floor = sum(mine["operations"].values()) / mine["peak_rate"]
            share = floor / mine["seconds"]
            parts = ", ".join(f"{part} {x / mine['rows'] / 1e9:.2g}" for part, x in mine["operations"].items())
            notes.append(
                f"- {name}: {mine['weights']:,} weights of adapters. Operations a row in 10⁹: {parts}; at "
                f"{mine['peak_rate'] / 1e9:,.0f}·10⁹ a second, the rate of a large float32 product in the same "
                f"process, that takes {floor / mine['rows'] * 1e3:.3g} ms a row: ours is at {share:.0%} of the peak, "
                f"without the making of signs ({mine['signs']:.2g} s, once) at "
                f"{floor / (mine['seconds'] - mine['signs']):.0%}. Making the loop's matrix took "
                f"{found[0]['making']:.2g} s. Largest difference of a feature: {worst:.1g}."
            )
    head = [
        f"Gradients in the adapters (q, k, v, o) of {given.rows} {note}, {given.threads} threads; a projection by "
        f"random signs, the same matrix on both sides. The time of ours holds the making of the signs, that of a "
        f"loop with a matrix made once does not. A loop runs on fewer rows, spread over all lengths. Ours may take "
        f"{given.memory_gb:g} GB; memory is the highest of a process, and what the run added.",
        "",
    ]
    verdict = f"Target, {TARGET}× a loop with the matrix made once: " + (
        f"**missed** ({'; '.join(missed)})." if missed else "met in every case."
    )
    body = table("features | rows | rows/s | ours is as fast | peak memory", lines)
    return [*head, *body, "", verdict, "", *notes]


# --------------------------------------------------------------------------- norms


def norms(folder: Path, given: argparse.Namespace, note: str) -> list[str]:
    """Lengths of gradients in all linear layers."""
    setup = setup_of(folder, given)
    mine, other = apart(norms_ours, setup), apart(norms_loop, setup, 64)
    batch = apart(norms_at_once, setup, min(64, given.rows))
    far = float(np.abs(mine["result"][other["which"]] / other["result"] - 1).max())
    if not far <= CLOSE:
        raise SystemExit(f"the norms differ by {far:.2g}")
    if batch["batches"] != 1:
        raise SystemExit(f"{batch['rows']} rows took {batch['batches']} batches")
    whole = batch["rows"] * batch["weights"] * 4 / 1e6
    lines = [
        ["ours, batches of the usual size", mine["rows"], f"{speed(mine):.3g}", "", memory(mine)],
        ["loop, one row at a time", other["rows"], f"{speed(other):.3g}", f"**{speed(mine) / speed(other):.1f}×**",
         memory(other)],
        [f"ours, {batch['rows']} rows in one batch", batch["rows"], f"{speed(batch):.3g}", "", memory(batch)],
    ]  # fmt: skip
    added = batch["peak_mb"] - batch["pass_mb"]
    return [
        f"GraNd over all {mine['layers']} linear layers ({mine['weights'] / 1e6:.1f} million weights, the output layer "
        f"counted as a layer of its own) of {given.rows} {note}, {given.threads} threads.",
        "",
        *table("norms | rows | rows/s | ours is as fast | peak memory", lines),
        "",
        f"{batch['rows']} whole gradients would take {whole:,.0f} MB. A batch of {batch['rows']} rows of up to "
        f"{batch['longest']} tokens peaked at {batch['pass_mb']:,.0f} MB when it was read forward and backward alone, "
        f"and at {batch['peak_mb']:,.0f} MB with the norms: {max(0.0, added):,.0f} MB more. Largest relative gap "
        f"to the loop: {far:.1g}.",
    ]


# ----------------------------------------------------------------------- CountSketch


def sketches(folder: Path, given: argparse.Namespace, note: str) -> list[str]:
    """CountSketch beside the dense projection."""
    lines, facts = [], []
    count = min(given.rows, 128)
    for rank in sorted(given.ranks):
        # a wide projection of many weights takes long, and its errors say the same
        widths = given.widths if rank <= 32 else given.widths[:1]
        found = apart(sketch, setup_of(folder, given, rank=rank, rows=count), widths, 3 if rank <= 32 else 1)
        for dense, hashed in zip(found[::2], found[1::2], strict=True):
            for one in (dense, hashed):
                ratio = f"**{dense['seconds'] / one['seconds']:.1f}×**" if one is hashed else ""
                lines.append(
                    [f"rank {rank}, width {one['width']:,}", one["kind"],
                     f"{one['seconds'] / one['rows'] * 1e3:.3g}", ratio,
                     f"{one['std']:.4f}", f"{one['theory']:.4f}", f"{one['bias']:+.4f}"]
                )  # fmt: skip
        low, high = found[0]["cosines"]
        facts.append(
            f"rank {rank}: {found[0]['weights']:,} weights, true cosines mostly {low:.2f} to {high:.2f}, "
            f"{found[0]['pairs']:,} pairs"
        )
    return [
        f"The same gradients of {count} {note}, {given.threads} threads, projected densely (signs kept) and by "
        f"CountSketch; error of the cosine of every pair. Theory: (1 − ρ²)/√d for a cosine ρ.",
        "",
        *table(
            "adapters | projection | ms a row | CountSketch is as fast | error, root mean square | theory | mean error",
            lines,
        ),
        "",
        f"{'; '.join(facts)}.",
    ]


# --------------------------------------------------------------------------- large


def large(folder: Path, given: argparse.Namespace, _: str) -> list[str]:
    """A model of a real shape with random weights: rank 128, rows of 256 tokens, two sizes of memory."""
    rank, tiny = max(given.ranks), given.size == "tiny"
    lines, notes = [], []
    for profile, (gigabytes, batch_tokens) in PROFILES.items():
        facts = {
            "rank": rank, "device": given.device, "shape": SHAPES[given.size], "tokens": 32 if tiny else 256,
            "limit": int(gigabytes * 1e9), "batch_tokens": batch_tokens, "memory": int(gigabytes * 1e9) // 4,
        }  # fmt: skip
        setup = setup_of(folder, given, **facts)
        say(f"  {profile}: training")
        step = apart(training, setup, 4, min(32, given.rows))
        for width in given.widths:
            name = f"width {width:,}, {profile}"
            say(f"  {name}: ours")
            mine = apart(ours, setup, width)
            say(f"  {name}: loop")
            anew = apart(loop, setup, width, [(False, 1, 4), (False, TOGETHER, TOGETHER)], 0)
            close = CLOSE if given.device == "cpu" else 0.05  # products in bf16 round differently in batches
            worst = max(apart_by(mine["result"], other, close) for other in anew)
            runs = [("ours", mine), ("loop, matrix anew for every row", anew[0])]
            runs.append((f"loop, matrix anew for every {TOGETHER} rows", anew[1]))
            bits = mine["weights"] * width
            if bits < gigabytes * 1e9 * 0.75:  # kept in int8 beside the model, if it fits at all
                kept = apart(loop, setup, width, [(True, TOGETHER, 2 * TOGETHER)], 0)[0]
                worst = max(worst, apart_by(mine["result"], kept, close))
                runs.append((f"loop, matrix made once ({kept['stored']}), {TOGETHER} rows at once", kept))
            else:
                notes.append(f"- {name}: the matrix, {bits / 1e9:,.0f} GB in int8, does not fit beside the model.")
            for label, run in runs:
                ratio = "" if run is mine else f"**{speed(mine) / speed(run):.1f}×**"
                lines.append([f"{name}: {label}", len(run["result"]), f"{speed(run):.3g}", ratio, memory(run)])
            floor = sum(mine["operations"].values()) / mine["peak_rate"]
            hours = (POOL * EPOCHS / speed(mine) + POOL * SHARE * EPOCHS / step["rows_a_second"]) / 3600
            notes.append(
                f"- {name}: {mine['weights'] / 1e6:.1f} million weights of adapters beside {mine['model'] / 1e6:,.0f}; "
                f"{floor / mine['seconds']:.0%} of the peak of {mine['peak_rate'] / 1e12:.3g}·10¹² operations a "
                f"second, measured in the same process. {POOL:,} rows from end to end, {SHARE:.0%} of them for "
                f"{EPOCHS} passes of warm-up at {step['rows_a_second']:.3g} rows/s, then features at {EPOCHS} "
                f"checkpoints: {hours:.2g} hours. Largest difference of a feature: {worst:.1g}."
            )
    length = 32 if tiny else 256
    return [
        f"Random weights in the shape {given.size}, rank {rank} on q, k, v, o, {given.rows} rows of {length} tokens, "
        f"half of them a response.",
        "",
        *table("features | rows | rows/s | ours is as fast | peak memory", lines),
        "",
        *notes,
    ]


if __name__ == "__main__":
    main()
