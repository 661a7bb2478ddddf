"""How to run, never what: device, memory, progress, cancelling. Nothing here may change a result beyond float noise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from curation.core.errors import CurationError
from curation.core.spending import Caps, Meter

T = TypeVar("T")
U = TypeVar("U")


def _no_progress(done: float, total: float, note: str = "") -> None:
    return None


def _no_record(metrics: dict[str, float]) -> None:
    return None


@dataclass(frozen=True)
class Runtime:
    """How to run.

    Args:
        device: "cpu", "cuda" or "mps"; resolve "auto" with `resolve_device` before.
        batch_size: Rows per batch where a method works in batches; None lets the method choose.
        workers: Processes or threads a method may use.
        memory_bytes: What a method may take beyond its inputs; blocks shrink to fit.
        progress: Called with (done, total, note); raises JobCancelled when the user asked to stop.
        cache: A folder for things that can be made again (converted models), or None.
        keep: A folder of this one step, or None: what is written there outlives a kill, and goes when the result is
            published (checkpoints, finished arms).
        record: Called with metrics worth a chart while a step runs, such as {"step": 20, "loss": 3.1}.
        replies: The file in which replies of chat models are kept for ever, or None: kept for this run only.
        caps: What asking chat models may cost in this run.
        meter: What it has cost so far.
        context: Facts for exporters only: recipe text, folder of the run.
    """

    device: str = "cpu"
    batch_size: int | None = None
    workers: int = 1
    memory_bytes: int = 2 << 30
    progress: Callable[..., None] = _no_progress
    cache: Path | None = None
    keep: Path | None = None
    record: Callable[[dict[str, float]], None] = _no_record
    replies: Path | None = None
    caps: Caps = Caps()
    meter: Meter = field(default_factory=Meter)
    context: dict[str, Any] = field(default_factory=dict)

    def map(self, step: Callable[[T], U], batches: Iterable[T]) -> Iterator[U]:
        """Row-wise work goes through this one door; here it is a loop."""
        return map(step, batches)


_ACCELERATORS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd", "/dev/nvhost-gpu", "/dev/nvmap")
"""What the drivers of GPUs that PyTorch calls "cuda" leave in /dev, on Linux."""


@lru_cache(1)
def resolve_device() -> str:
    """The device that "auto" means on this machine: CUDA, else MPS, else CPU.

    Imports torch (seconds) only where there may be something else than a CPU.
    """
    if sys.platform == "linux" and not any(Path(name).exists() for name in _ACCELERATORS):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def checked_device(name: str) -> str:
    """A device's name as given.

    Raises:
        CurationError: if it is none, or this machine does not have it.
    """
    if name in ("auto", "cpu"):
        return name
    if name.partition(":")[0] not in ("cuda", "mps"):
        raise CurationError(f"'{name}' is no device", "use auto, cpu, cuda or mps")
    import torch

    found = torch.cuda.is_available() if name.startswith("cuda") else torch.backends.mps.is_available()
    if not found:
        raise CurationError(f"this machine has no device '{name}'", "use --device auto or cpu")
    return name
