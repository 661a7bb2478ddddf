"""What steps took, and what that says about the next one."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

from curation.core.method import Method, Size, parse_budget, resolve_count
from curation.recipe import hash_key

DEFAULT_DIMS = 384

_begun: set[str] = set()
"""Methods that this process has run: their libraries and models are loaded."""


def timing_entry(
    method: Method,
    size: Size,
    seconds: float,
    device: str,
    *,
    calibrated: bool = False,
    startup: float | None = None,
    bytes_per_row: float | None = None,
) -> dict[str, Any]:
    """One line of the workspace's timings.

    Args:
        method: What ran.
        size: On how much.
        seconds: Wall time; of a calibration without the start-up.
        device: Where.
        calibrated: True for a sample.
        startup: Seconds that loading libraries and models took once, where it was measured apart.
        bytes_per_row: Of the stored result.
    """
    cold = method.use() not in _begun
    _begun.add(method.use())
    return {
        "use": method.use(),
        "digest": digest(method),
        "device": device,
        "work": method.work(size),
        "rows": size.rows,
        "chars": size.chars,
        "seconds": seconds,
        "calibrated": calibrated,
        "startup": startup,
        "bytes_per_row": bytes_per_row,
        "cold": cold and not calibrated,
        "time": time.time(),
    }


def digest(method: Method) -> str:
    """Parameters that time depends on; budgets enter through the work."""
    parameters = method.model_dump(mode="json")
    parameters.pop("budget", None)
    parameters.pop("path", None)
    return hash_key([method.version, parameters])


def usable(timing: dict[str, Any]) -> bool:
    """False for entries that a damaged file or an older version left behind."""
    values = (timing.get("work"), timing.get("seconds"))
    return all(isinstance(v, int | float) and math.isfinite(v) and v >= 0 for v in values) and timing["work"] > 0


def predict(known: list[dict[str, Any]], work: float, *, cold: bool = True) -> tuple[float, str, float]:
    """Seconds for some work, from finished steps of the same method.

    A real run within a factor of three decides (the median of the last three, in proportion). Otherwise a line through
    the two largest known works that are apart, never falling, never below zero. Start-up is told apart from both.

    Args:
        known: Timings, oldest first.
        work: In the method's own unit.
        cold: True when libraries and models are still to be loaded.

    Returns:
        Seconds, "history" or "calibration", and the share by which it may be off.
    """
    startups = [float(t["startup"]) for t in known if t.get("startup") is not None]
    startup = startups[-1] if startups else 0.0

    def warm(timing: dict[str, Any]) -> float:
        return max(timing["seconds"] - (startup if timing.get("cold") else 0.0), 0.2 * timing["seconds"], 1e-4)

    begin = startup if cold else 0.0
    real = [t for t in known if not t.get("calibrated")]
    near = [t for t in real if work / 3 <= t["work"] <= work * 3][-3:]
    if near:
        return begin + statistics.median(warm(t) * work / t["work"] for t in near), "history", 0.25
    by_work: dict[float, float] = {t["work"]: warm(t) for t in known}  # the last word on each
    points = sorted(by_work.items())
    basis = "history" if real else "calibration"
    top = points[-1]
    below = [p for p in points if p[0] < top[0] / 1.5]
    spread = 0.25 if work <= 20 * top[0] else 0.5
    if work <= top[0]:
        above = next(p for p in points if p[0] >= work)
        lower = [p for p in points if p[0] < work]
        if not lower:
            return begin + above[1] * max(work / above[0], 0.5), basis, 0.5
        return begin + _line(lower[-1], above, work), basis, spread
    if not below:
        return begin + top[1] * work / top[0], basis, 0.5
    return begin + _line(below[-1], top, work), basis, spread


def _line(a: tuple[float, float], b: tuple[float, float], work: float) -> float:
    """On the line through two points (work, seconds), which never falls."""
    slope = max((b[1] - a[1]) / (b[0] - a[0]), 0.0)
    return max(b[1] + slope * (work - b[0]), 0.0)


def count_of(method: Method, rows: int) -> int:
    """Rows that a method is asked to pick, 0 if it takes no budget."""
    budget = getattr(method, "budget", None)
    if budget is None or not rows:
        return 0
    if parse_budget(budget)[0] == "tokens":
        return max(1, rows // 10)  # how many rows the tokens are is only known later
    return resolve_count(budget, rows)
