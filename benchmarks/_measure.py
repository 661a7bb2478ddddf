"""Time and peak memory of a call, and the one way every benchmark prints its findings.

A benchmark script measures each contender with `measure`, makes one `Row` of it with `row` and ends with `report`:

    ours = measure(lambda: fast(points))
    theirs = measure(lambda: slow(points))
    report([row("slow", theirs), row("fast", ours, against="slow", baseline=theirs)], json=args.json)
"""

from __future__ import annotations

import gc
import json as json_module
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

MB = 1_000_000
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


class Measured(NamedTuple, Generic[T]):
    """What a call returned and what it took.

    Attributes:
        result: The call's return value.
        seconds: Wall-clock time of the call.
        peak_mb: Highest resident memory of the process while the call ran, in megabytes (10^6 bytes): everything the
            process held, interpreter and inputs included, which is what a machine must have.
    """

    result: T
    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Row:
    """One line of a benchmark.

    Attributes:
        name: What was run.
        ratio: How many times faster than the baseline (baseline seconds / seconds); None for a run with no baseline.
        seconds: Wall-clock time.
        peak_mb: Peak resident memory.
        baseline: Name of the run that `ratio` compares with, from the same process or session; None if there is none.
    """

    name: str
    ratio: float | None
    seconds: float
    peak_mb: float
    baseline: str | None


def measure(function: Callable[[], T], *, fresh: bool = False) -> Measured[T]:
    """Runs a function once and measures wall time and peak resident memory.

    Args:
        function: Called without arguments. With `fresh` it must be picklable (a module-level function or a
            `functools.partial` of one), and so must its result.
        fresh: Run in a new interpreter, so that memory held by this process is not counted. Start-up and imports at
            the function's module top are not timed.

    Returns:
        Result, seconds and peak memory. Where the system cannot reset its high-water mark (anything but Linux), the
        in-process peak is that of the whole process so far; `fresh=True` is exact everywhere.

    Raises:
        RuntimeError: The fresh process ended without an answer; errors inside `function` are raised as they are.
    """
    return _measure_fresh(function) if fresh else _measure_here(function)


def row(
    name: str, measured: Measured[Any], *, against: str | None = None, baseline: Measured[Any] | None = None
) -> Row:
    """Makes a report line; `against` names the run that `baseline` measured."""
    ratio = None if baseline is None else round(baseline.seconds / max(measured.seconds, 1e-9), 3)
    return Row(name, ratio, round(measured.seconds, 4), round(measured.peak_mb, 1), against)


def report(rows: Iterable[Row], json: bool = False) -> None:
    """Prints the rows to standard output: a table for people, or a JSON list of objects with the fields of `Row`."""
    rows = list(rows)
    if json:
        sys.stdout.write(json_module.dumps([asdict(each) for each in rows], indent=2) + "\n")
        return
    header = ("name", "seconds", "peak MB", "ratio", "against")
    body = [
        (
            each.name,
            f"{each.seconds:.3f}",
            f"{each.peak_mb:,.0f}",
            "" if each.ratio is None else f"{each.ratio:.2f}x",
            each.baseline or "",
        )
        for each in rows
    ]
    widths = [max(len(line[column]) for line in [header, *body]) for column in range(len(header))]
    text_columns = (0, 4)
    for line in [header, tuple("-" * width for width in widths), *body]:
        cells = [
            cell.ljust(width) if column in text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    sys.stdout.flush()


def peak_memory_mb() -> float:
    """Highest resident memory of this process since it started or since the last reset, in megabytes."""
    if _STATUS.exists():
        # Not ru_maxrss: a child inherits its parent's figure across fork and exec.
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def _measure_here(function: Callable[[], T]) -> Measured[T]:
    gc.collect()
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5")  # resets the peak resident set size to the present one; see proc(5)
    start = time.perf_counter()
    result = function()
    seconds = time.perf_counter() - start
    return Measured(result, seconds, peak_memory_mb())


def _measure_fresh(function: Callable[[], T]) -> Measured[T]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(function, sender))
    child.start()
    sender.close()  # so that a child that dies without sending ends our recv
    try:
        outcome = receiver.recv()
    except EOFError:
        child.join()
        raise RuntimeError(f"the measured process ended with exit code {child.exitcode} and no result") from None
    child.join()
    if isinstance(outcome, BaseException):
        raise outcome
    return Measured(*outcome)


def _child(function: Callable[[], Any], sender: Connection) -> None:
    try:
        sender.send(tuple(_measure_here(function)))
    except Exception as error:  # noqa: BLE001 - not handled here but handed to the caller, who raises it
        sender.send(error)
    finally:
        sender.close()
