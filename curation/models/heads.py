"""Classifier heads on frozen features: one linear layer, or one hidden layer with ReLU before it.

Small enough that several are trained from different seeds, kept side by side and asked together. Training is PyTorch's;
asking is NumPy's, so that predicting loads no network library.

Files of saved heads: `heads.safetensors` (`center`, `scale` `[d]`; `weight.0`, `bias.0`, … `[runs, out, in]`, `[runs,
out]`) and `heads.json` (classes in the order of the outputs, and facts).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from curation.core.errors import ModelError
from curation.core.saving import to_json
from curation.models.logits import error, log_probabilities, row_measures

if TYPE_CHECKING:
    import torch

Layers = tuple[tuple[np.ndarray, np.ndarray], ...]
"""(weight float32 `[out, in]`, bias float32 `[out]`), first layer first."""
Scope = Literal["last-layer", "all"]
Optimiser = Literal["adam", "sgd"]

MOMENTUM = 0.9  # Nesterov's, as in the published training of the data-diet paper
BLOCK = 8192  # rows measured or asked at once, fewer where there are many classes
BLOCK_CELLS = BLOCK * 512  # rows × classes: 34 MB in float64, of which some copies live at once
TICK_STEPS = 64  # updates between two calls of progress
MEASURES = ("loss", "p_true", "correct", "el2n", "margin", "entropy", "grand", "presented")

_WEIGHTS, _FACTS = "heads.safetensors", "heads.json"
_FORMAT = 1


@dataclass(frozen=True)
class HeadSettings:
    """How one head is trained.

    Args:
        hidden: Width of the hidden layer, 0 = none: a linear head.
        epochs: Passes over the rows, ≥ 1.
        steps: Updates in all, instead of `epochs`; the last pass may then be a part of one.
        batch_rows: Rows in a mini-batch; the last one of a pass may be smaller.
        optimiser: "adam" (AdamW) or "sgd" (Nesterov momentum 0.9).
        learning_rate: Constant.
        weight_decay: As PyTorch's optimisers define it; biases included.
        grand: Of which parameters the gradient norm is taken.
        record_start: Measure before the first update too.
        measure: False trains only.
    """

    hidden: int = 0
    epochs: int = 10
    steps: int | None = None
    batch_rows: int = 32
    optimiser: Optimiser = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    grand: Scope = "last-layer"
    record_start: bool = False
    measure: bool = True


@dataclass(frozen=True)
class Run:
    """One trained head and what was measured on the way.

    Args:
        layers: Its parameters.
        measures: Name → float32 `[times, n]`, for each of MEASURES; empty without measuring.
        epochs: float64 `[times]`, passes over the rows before each measurement; 0 = before training.
        loss: float64 `[passes]`, mean loss of the mini-batches of each pass, in nats.
    """

    layers: Layers
    measures: dict[str, np.ndarray]
    epochs: np.ndarray
    loss: np.ndarray


@dataclass(frozen=True)
class Heads:
    """Heads of several runs, which share classes and the scaling of features.

    Args:
        classes: Names, in the order of the outputs.
        center: float32 `[d]`, taken from every feature row first.
        scale: float32 `[d]`, which it is then divided by.
        runs: Parameters of each run.
        facts: Plain facts about the training.
    """

    classes: tuple[str, ...]
    center: np.ndarray
    scale: np.ndarray
    runs: tuple[Layers, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Logits float32 `[runs, n, C]` of features `[n, d]`; NaN where a feature is NaN."""
        x = (np.asarray(features, np.float32) - self.center) / self.scale
        return np.stack([forward(layers, x)[-1] for layers in self.runs])


# ---------------------------------------------------------------------- arrays


def scaling(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every column, float32 `[d]` each; a column that does not vary is divided by 1."""
    center = features.mean(axis=0, dtype=np.float64)
    scale = features.std(axis=0, dtype=np.float64)
    # a column of equal float32 numbers can have a deviation of rounding errors only
    flat = scale <= 1e-6 * np.maximum(np.abs(center), 1e-30)
    return center.astype(np.float32), np.where(flat, 1.0, scale).astype(np.float32)


def forward(layers: Layers, x: np.ndarray) -> list[np.ndarray]:
    """What goes into every layer, and the logits last: ReLU between layers.

    Args:
        layers: Parameters.
        x: `[n, d]`.
    """
    inputs = [x]
    for place, (weight, bias) in enumerate(layers):
        out = inputs[-1] @ weight.T + bias
        inputs.append(out if place == len(layers) - 1 else np.maximum(out, 0))
    return inputs


def gradient_norms(layers: Layers, x: np.ndarray, codes: np.ndarray, scope: Scope = "last-layer") -> np.ndarray:
    """Length of the gradient of every row's own cross-entropy in the parameters (GraNd), exact.

    A row's gradient in a layer's weight is the outer product of the gradient δ in the layer's output and its input h,
    so its length with the bias is ‖δ‖·√(1 + ‖h‖²); for the last layer δ is softmax − one-hot. No gradient is formed:
    costs one backward product per layer.

    Args:
        layers: Parameters.
        x: `[n, d]`, scaled features.
        codes: int `[n]`, the right classes.
        scope: The last layer alone, or all layers.

    Returns:
        float64 `[n]`.
    """
    inputs = forward(layers, x)
    delta = error(inputs[-1], codes)
    total = np.zeros(len(x))
    for place in range(len(layers) - 1, -1, -1):
        h = inputs[place].astype(np.float64)
        total += (delta**2).sum(axis=1) * (1.0 + (h**2).sum(axis=1))
        if scope == "last-layer" or place == 0:
            break
        delta = (delta @ layers[place][0]) * (inputs[place] > 0)
    return np.sqrt(total)


def measure(layers: Layers, x: np.ndarray, codes: np.ndarray, scope: Scope = "last-layer") -> dict[str, np.ndarray]:
    """All of MEASURES but `presented`, float32 `[n]` each; rows are taken in blocks."""
    parts = []
    block = _block(layers)
    for begin in range(0, len(x), block):
        rows = slice(begin, begin + block)
        found = row_measures(forward(layers, x[rows])[-1], codes[rows])
        parts.append({**found, "grand": gradient_norms(layers, x[rows], codes[rows], scope)})
    return {name: np.concatenate([part[name] for part in parts]).astype(np.float32) for name in parts[0]}


def _block(layers: Layers) -> int:
    """Rows at once, by the number of classes."""
    return max(1, min(BLOCK, BLOCK_CELLS // len(layers[-1][1])))


# ---------------------------------------------------------------------- training


def train_head(
    x: np.ndarray,
    codes: np.ndarray,
    classes: int,
    settings: HeadSettings,
    *,
    seed: tuple[int, ...],
    device: str = "cpu",
    progress: Callable[[float], None] = lambda share: None,
    record: Callable[[dict[str, float]], None] = lambda metrics: None,
) -> Run:
    """Train one head by mini-batches of shuffled rows, and measure every row after each pass.

    Everything random follows from `seed`: parameters begin uniform in ±1/√in, as PyTorch's layers do, and each pass
    has its own order. 10 passes over 10,003 rows of 384 numbers in 77 classes take 1 to 2 s on one core.

    Args:
        x: float32 `[n, d]`, scaled features.
        codes: int `[n]`, 0 to classes − 1.
        classes: C ≥ 2.
        settings: How.
        seed: Numbers ≥ 0.
        device: "cpu", "cuda" or "mps".
        progress: Called with the share done.
        record: Called after each pass with the mean loss of its mini-batches (nats) and, where rows are measured, the
            share of rows that are right.

    Returns:
        The head and what was measured.

    Raises:
        ModelError: the loss, or what a row is measured at, is no finite number any more.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # products this small lose by being shared out, and sums would depend on the core count
    try:
        return _train(x, codes, classes, settings, np.random.default_rng(seed), device, progress, record)
    finally:
        torch.set_num_threads(threads)


def _train(
    x: np.ndarray,
    codes: np.ndarray,
    classes: int,
    settings: HeadSettings,
    rng: np.random.Generator,
    device: str,
    progress: Callable[[float], None],
    record: Callable[[dict[str, float]], None],
) -> Run:
    import torch

    n = len(x)
    points, targets = torch.from_numpy(x).to(device), torch.from_numpy(codes.astype(np.int64)).to(device)
    parameters = [
        torch.from_numpy(p).to(device).requires_grad_(True) for p in _begin(x.shape[1], classes, settings, rng)
    ]
    optimiser = _optimiser(parameters, settings, device)
    per_pass = -(-n // settings.batch_rows)
    steps = settings.steps or settings.epochs * per_pass
    keeper = _Keeper(x, codes, settings)
    if settings.record_start:
        keeper.add(0.0, _layers(parameters), np.full(n, np.nan, np.float32))
    losses, done = [], 0
    while done < steps:
        order = torch.from_numpy(rng.permutation(n)).to(device)
        presented = torch.full((n,), float("nan"), device=device)
        total, batches = torch.zeros((), device=device), min(per_pass, steps - done)
        for batch in order.split(settings.batch_rows)[:batches]:
            logits = _logits(parameters, points[batch])
            presented[batch] = (logits.argmax(1) == targets[batch]).float()
            loss = torch.nn.functional.cross_entropy(logits, targets[batch])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.detach()
            done += 1
            if done % TICK_STEPS == 0:
                progress(done / steps)
        losses.append(float(total) / batches)
        if not np.isfinite(losses[-1]):
            raise ModelError(f"the loss is {losses[-1]} after {done:,} updates", "use a smaller learning_rate")
        metrics = {"step": float(done), "epoch": done / per_pass, "loss": losses[-1]}
        if settings.measure:
            right = keeper.add(done / per_pass, _layers(parameters), presented.cpu().numpy())
            metrics["accuracy"] = right
        record(metrics)
        progress(done / steps)
    return Run(_layers(parameters), keeper.stacked(), np.array(keeper.epochs, np.float64), np.array(losses, np.float64))


class _Keeper:
    """Collects what is measured."""

    def __init__(self, x: np.ndarray, codes: np.ndarray, settings: HeadSettings) -> None:
        self.x, self.codes, self.settings = x, codes, settings
        self.epochs: list[float] = []
        self.found: list[dict[str, np.ndarray]] = []

    def add(self, epoch: float, layers: Layers, presented: np.ndarray) -> float:
        """Measure all rows; returns the share that is right."""
        with np.errstate(over="ignore", invalid="ignore"):  # said below
            found = measure(layers, self.x, self.codes, self.settings.grand)
        for name, values in found.items():
            if not np.isfinite(values).all():
                raise ModelError(
                    f"{name} of {int((~np.isfinite(values)).sum()):,} rows is not finite after epoch {epoch:g}",
                    "use a smaller learning_rate, or standardise the features",
                )
        self.epochs.append(epoch)
        self.found.append({**found, "presented": presented})
        return float(found["correct"].mean())

    def stacked(self) -> dict[str, np.ndarray]:
        """Name → float32 `[times, n]`."""
        return {name: np.stack([f[name] for f in self.found]) for name in MEASURES} if self.found else {}


def _begin(d: int, classes: int, settings: HeadSettings, rng: np.random.Generator) -> list[np.ndarray]:
    widths = [d, *([settings.hidden] if settings.hidden else []), classes]
    found = []
    for wide, out in zip(widths[:-1], widths[1:], strict=True):
        bound = 1.0 / wide**0.5
        found.append(rng.uniform(-bound, bound, (out, wide)).astype(np.float32))
        found.append(rng.uniform(-bound, bound, out).astype(np.float32))
    return found


def _optimiser(parameters: list[torch.Tensor], settings: HeadSettings, device: str) -> torch.optim.Optimizer:
    import torch

    fused = device.partition(":")[0] in ("cpu", "cuda")  # one kernel for all parameters: three times faster here
    common: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay, "fused": fused}
    if settings.optimiser == "adam":
        return torch.optim.AdamW(parameters, **common)
    return torch.optim.SGD(parameters, momentum=MOMENTUM, nesterov=True, **common)


def _logits(parameters: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    import torch

    for place in range(0, len(parameters), 2):
        x = torch.nn.functional.linear(x if place == 0 else x.relu(), parameters[place], parameters[place + 1])
    return x


def _layers(parameters: list[torch.Tensor]) -> Layers:
    arrays = [p.detach().cpu().numpy().copy() for p in parameters]
    return tuple(zip(arrays[::2], arrays[1::2], strict=True))


# ---------------------------------------------------------------------- files


def save_heads(heads: Heads, folder: Path) -> None:
    """Write into a folder, which is made when it is not there."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {"center": heads.center, "scale": heads.scale}
    for place in range(len(heads.runs[0])):
        for part, name in enumerate(("weight", "bias")):
            tensors[f"{name}.{place}"] = np.stack([layers[place][part] for layers in heads.runs])
    save_file(tensors, folder / _WEIGHTS)
    facts = {"format": _FORMAT, "classes": list(heads.classes), "runs": len(heads.runs), "facts": heads.facts}
    (folder / _FACTS).write_text(to_json(facts, indent=1), encoding="utf-8")


def load_heads(folder: Path) -> Heads:
    """Read what `save_heads` wrote.

    Raises:
        ModelError: the folder holds no heads.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        tensors = load_file(folder / _WEIGHTS)
        places = range(sum(name.startswith("weight.") for name in tensors))
        runs = [
            tuple((tensors[f"weight.{p}"][run], tensors[f"bias.{p}"][run]) for p in places)
            for run in range(int(facts["runs"]))
        ]
        return Heads(tuple(facts["classes"]), tensors["center"], tensors["scale"], tuple(runs), facts["facts"])
    except (OSError, ValueError, KeyError, SafetensorError) as problem:
        raise ModelError(
            f"{folder} holds no classifier head: {problem}", "use a model that trainer/classifier made"
        ) from problem


def predict(folder: Path, features: np.ndarray) -> np.ndarray:
    """Probabilities of the classes, averaged over the runs.

    Args:
        folder: Of saved heads; its classes are in `load_heads(folder).classes`.
        features: `[n, d]`, made as those of the training were.

    Returns:
        float64 `[n, C]`; NaN where a feature is NaN.

    Raises:
        ModelError: the folder holds no heads, or they want features of another width.
    """
    heads = load_heads(folder)
    if features.ndim != 2 or features.shape[1] != len(heads.center):
        raise ModelError(
            f"the head reads {len(heads.center)} numbers a row, the features have {features.shape[-1]}",
            "make the features with the encoder that the head was trained on",
        )
    block = _block(heads.runs[0])
    blocks = [
        np.exp(log_probabilities(heads.logits(features[begin : begin + block]))).mean(axis=0)
        for begin in range(0, len(features), block)
    ]
    return np.concatenate(blocks) if blocks else np.empty((0, len(heads.classes)))
