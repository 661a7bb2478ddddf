"""What `gradients.py` measures, each in a process of its own: a model, its rows, and one way of working on them."""

from __future__ import annotations

import copy
import dataclasses
import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _gradient_loops as loops
import numpy as np
import torch
from _measure import MB, measure, peak_memory_mb

from curation.core.dataset import Dataset
from curation.core.runtime import Runtime
from curation.models._lora import with_adapters
from curation.models.causal import CausalLM, load_causal
from curation.models.finetune import TrainSettings, fine_tune
from curation.models.gradients.features import gradient_features, gradient_norms
from curation.models.gradients.passes import backward_over
from curation.models.gradients.projections import projection, words
from curation.models.gradients.taps import linear_layers, lora_layers
from curation.models.rendering import Encoded, encode_rows

TARGETS = "q_proj,k_proj,v_proj,o_proj"
ALPHA_OF_RANK = 4.0
SEED = 0
PRODUCT, GPU_PRODUCT = 2048, 8192
"""Size of the product of matrices that tells the peak of a device."""
SIGNS_SHARE = 4
"""One part of so many of the memory holds signs, as in encoder/gradients."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """On what to work.

    Args:
        folder: With `model` and `rows` (a dataset) in it; not used with a shape.
        threads: Of the processor.
        rows: How many, spread evenly over the dataset.
        rank: Of the adapters; 0 = none.
        memory: Bytes that a method may take.
        device: Where.
        shape: Vocabulary, width, inner width, blocks, heads, heads of keys of a model that is built with random
            weights; None = the model in the folder.
        tokens: Of every row, drawn at random, where there is a shape.
        limit: Bytes to which a GPU is held; None = all it has.
        batch_tokens: Tokens of a padded batch; None = by the device.
    """

    folder: Path
    threads: int
    rows: int
    rank: int
    memory: int
    device: str = "cpu"
    shape: tuple[int, int, int, int, int, int] | None = None
    tokens: int = 256
    limit: int | None = None
    batch_tokens: int | None = None

    @property
    def runtime(self) -> Runtime:
        """Of this run."""
        return Runtime(device=self.device, memory_bytes=self.memory)


def prepared(setup: Setup) -> tuple[CausalLM, dict[str, torch.nn.Linear], list[Encoded]]:
    """The model, the layers of interest, and rows that have a response."""
    torch.set_num_threads(setup.threads)
    if setup.limit and setup.device.startswith("cuda"):
        whole = torch.cuda.get_device_properties(setup.device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, setup.limit / whole))
    if setup.shape is None:
        lm = load_causal(setup.folder / "model", device=setup.device, precision="fp32")
        pool = Dataset.open(setup.folder / "rows")
        rows = [row for row in encode_rows(lm, pool) if not row.reason]
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, min(setup.rows, len(rows))).astype(int)]
    else:
        lm, rows = _random_model(setup), _random_rows(setup)
    if not setup.rank:
        return lm, linear_layers(_untied(lm).model), rows
    return (adapted := _adapted(lm, setup.rank)), lora_layers(adapted.model), rows


def _random_model(setup: Setup) -> CausalLM:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    assert setup.shape is not None
    vocabulary, width, inner, blocks, heads, key_heads = setup.shape
    config = Qwen2Config(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=inner, num_hidden_layers=blocks,
        num_attention_heads=heads, num_key_value_heads=key_heads, max_position_embeddings=32_768,
        tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(SEED)
    half = setup.device != "cpu"
    model = Qwen2ForCausalLM(config).to(setup.device, torch.bfloat16 if half else torch.float32).eval()
    return CausalLM(model, None, None, "random weights", setup.device, "bf16" if half else "fp32")


def _random_rows(setup: Setup) -> list[Encoded]:
    """Rows of one length; the second half of each is its response."""
    assert setup.shape is not None
    rng = np.random.default_rng(SEED)
    scored = np.arange(setup.tokens) >= setup.tokens // 2
    return [Encoded(rng.integers(0, setup.shape[0], setup.tokens).astype(np.int32), scored) for _ in range(setup.rows)]


def _untied(lm: CausalLM) -> CausalLM:
    """The output layer gets weights of its own, so that its gradient is that of one layer on both sides."""
    head = lm.model.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    return lm


def _adapted(lm: CausalLM, rank: int) -> CausalLM:
    """With adapters as after a warm-up: B is not zero, so that A has a gradient too."""
    model = copy.deepcopy(lm.model).requires_grad_(False)
    torch.manual_seed(SEED)  # A is drawn, and both sides need the same
    wrapped = with_adapters(model, rank=rank, alpha=ALPHA_OF_RANK * rank, dropout=0.1, targets=TARGETS)
    chance = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                drawn = torch.randn(weight.shape, generator=chance) * 0.02
                weight.copy_(drawn)
    return dataclasses.replace(lm, model=wrapped.get_base_model().eval())


def quantiles(rows: Sequence[Encoded], count: int) -> np.ndarray:
    """Row numbers of a few rows that are as long as all of them: the middles of equal parts in order of length."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    return np.sort(order[((np.arange(count) + 0.5) * len(rows) / count).astype(int)])


# ------------------------------------------------------------------------ features


def ours(setup: Setup, width: int, kind: str = "rademacher") -> dict[str, Any]:
    """Our features: the whole run, making of signs included."""
    lm, layers, rows = prepared(setup)
    made = [None]

    def run() -> np.ndarray:
        signs = made[0] = projection(kind, width, SEED, setup.device, setup.memory // SIGNS_SHARE)
        return gradient_features(lm, layers, rows, setup.runtime, signs, batch_tokens=setup.batch_tokens)

    _warm(lambda: gradient_features(lm, layers, rows[:4], setup.runtime, projection("countsketch", 64, 0, lm.device)))
    before = peak_rate(lm)
    found = timed(run, setup.device)
    peak = max(before, peak_rate(lm))
    made.clear()
    gc.collect()
    start = time.perf_counter()
    if kind == "rademacher":
        for name, layer in layers.items():
            words(name, range(layer.weight.numel()), width, SEED, setup.device)
        _synchronize(setup.device)
    signs_seconds = time.perf_counter() - start
    weights = sum(layer.weight.numel() for layer in layers.values())
    return found | {
        "rows": len(rows), "tokens": sum(map(len, rows)), "signs": signs_seconds, "peak_rate": peak,
        "operations": operations(lm, rows, adapters=weights, width=width if kind == "rademacher" else 0),
        "weights": weights, "model": lm.parameters - weights,
    }  # fmt: skip


def loop(setup: Setup, width: int, arms: Sequence[tuple[bool, int, int]], most: int) -> list[dict[str, Any]]:
    """The batch-of-1 loop, in several ways that share one kept matrix.

    Args:
        setup: See Setup.
        width: d.
        arms: Whether the matrix is kept, rows projected at once, and rows to time it on.
        most: Bytes of a matrix in float32, beyond which it is kept in int8.
    """
    lm, layers, rows = prepared(setup)
    sizes = {name: layer.weight.numel() for name, layer in layers.items()}
    empty = loops.Matrix(sizes, width, SEED, setup.device, kept=False)
    kept, making = empty, 0.0
    found = []
    for keeps, at_once, count in arms:
        if keeps and kept is empty:
            start = time.perf_counter()
            kept = loops.Matrix(sizes, width, SEED, setup.device, kept=True, most=most)
            _synchronize(setup.device)
            making = time.perf_counter() - start
        matrix = kept if keeps else empty
        which = quantiles(rows, min(count, len(rows)))
        some = [rows[i] for i in which]
        _warm(lambda: loops.norms(lm, layers, rows[:2]))
        run = timed(lambda some=some, matrix=matrix, k=at_once: loops.features(lm, layers, some, matrix, k), lm.device)
        found.append(run | {"which": which, "stored": matrix.stored, "making": making if keeps else 0.0})
    return found


# --------------------------------------------------------------------------- norms


def norms_ours(setup: Setup) -> dict[str, Any]:
    """Ghost norms over all linear layers in batches of the usual size."""
    lm, layers, rows = prepared(setup)
    _warm(lambda: gradient_norms(lm, layers, rows[:4], setup.runtime))
    found = timed(lambda: gradient_norms(lm, layers, rows, setup.runtime, batch_tokens=setup.batch_tokens), lm.device)
    return found | _about(layers, rows)


def norms_loop(setup: Setup, count: int) -> dict[str, Any]:
    """The loop on a few of the rows."""
    lm, layers, rows = prepared(setup)
    which = quantiles(rows, min(count, len(rows)))
    some = [rows[i] for i in which]
    _warm(lambda: loops.norms(lm, layers, some[:2]))
    return timed(lambda: loops.norms(lm, layers, some), lm.device) | {"which": which} | _about(layers, some)


def norms_at_once(setup: Setup, count: int) -> dict[str, Any]:
    """`count` rows of middling length in one single batch; and the same pass without norms."""
    lm, layers, rows = prepared(setup)
    order = np.argsort([len(row) for row in rows], kind="stable")
    start = max(0, len(order) // 2 - count // 2)
    some = [rows[i] for i in order[start : start + count]]
    longest = max(map(len, some))
    batches: list[int] = []
    note = dataclasses.replace(setup.runtime, progress=lambda *_: batches.append(1), batch_size=count)
    _warm(lambda: gradient_norms(lm, layers, some[:2], setup.runtime))
    alone = timed(
        lambda: backward_over(
            lm, layers, some, setup.runtime, begin=lambda here: lambda *read: None, end=lambda here: None,
            batch_tokens=count * longest, batch_rows=count,
        ), lm.device,
    )  # fmt: skip
    found = timed(lambda: gradient_norms(lm, layers, some, note, batch_tokens=count * longest), lm.device)
    return found | _about(layers, some) | {"batches": len(batches), "longest": longest, "pass_mb": alone["peak_mb"]}


def _about(layers: dict[str, torch.nn.Linear], rows: Sequence[Encoded]) -> dict[str, Any]:
    weights = sum(layer.weight.numel() for layer in layers.values())
    return {"rows": len(rows), "tokens": sum(map(len, rows)), "weights": weights, "layers": len(layers)}


# ----------------------------------------------------------------------- CountSketch


class _Everything:
    """A projection that keeps every coordinate."""

    def __init__(self, layers: dict[str, torch.nn.Linear]) -> None:
        self.starts, self.width, self.scale = {}, 0, 1.0
        for name, layer in layers.items():
            self.starts[name] = range(self.width, self.width + layer.weight.numel())
            self.width += layer.weight.numel()

    def add(self, into: torch.Tensor, name: str, values: torch.Tensor) -> None:
        """See Projection."""
        into[:, self.starts[name].start : self.starts[name].stop] += values


def sketch(setup: Setup, widths: Sequence[int], seeds: int) -> list[dict[str, Any]]:
    """Time of both projections on the same gradients, and what they make of the cosines of all pairs."""
    lm, layers, rows = prepared(setup)
    every = _Everything(layers)
    values = torch.from_numpy(gradient_features(lm, layers, rows, setup.runtime, every))
    pairs = np.triu_indices(len(rows), 1)
    true = (values.double() @ values.double().T).numpy()[pairs]
    parts = {name: values[:, place.start : place.stop] for name, place in every.starts.items()}
    found = []
    for width in widths:
        for kind in ("rademacher", "countsketch"):
            errors, seconds = [], []
            for seed in range(seeds):
                signs = projection(kind, width, seed, "cpu", setup.memory // SIGNS_SHARE)
                into = torch.zeros(1, width)
                for name, part in parts.items():
                    signs.add(into, name, part[:1])  # makes what is kept
                start = time.perf_counter()
                into = torch.zeros(len(rows), width)
                for name, part in parts.items():
                    signs.add(into, name, part)
                seconds.append(time.perf_counter() - start)
                unit = torch.nn.functional.normalize(into.double())
                errors.append((unit @ unit.T).numpy()[pairs] - true)
            all_errors = np.concatenate(errors)
            theory = float(np.sqrt(((1 - true**2) ** 2).mean() / width))
            found.append(
                {"kind": kind, "width": width, "seconds": min(seconds), "rows": len(rows), "weights": every.width,
                 "std": float(np.sqrt((all_errors**2).mean())), "theory": theory, "bias": float(all_errors.mean()),
                 "cosines": (float(np.quantile(true, 0.05)), float(np.quantile(true, 0.95))), "pairs": len(true)}
            )  # fmt: skip
    return found


# -------------------------------------------------------------------------- training


def training(setup: Setup, steps: int, batch_rows: int) -> dict[str, Any]:
    """Rows a second of a warm-up's training, without its start."""
    lm, _, rows = prepared(dataclasses.replace(setup, rank=0))
    taken: list[float] = []
    runtime = dataclasses.replace(setup.runtime, progress=lambda *_: taken.append(time.perf_counter()))
    settings = TrainSettings(
        max_steps=steps + 1, batch_rows=batch_rows, method="lora", lora_rank=setup.rank,
        lora_alpha=ALPHA_OF_RANK * setup.rank, lora_targets=TARGETS, learning_rate=2e-5, seed=SEED,
    )  # fmt: skip
    fine_tune(lm, rows, settings, runtime)
    return {"rows_a_second": batch_rows * (len(taken) - 1) / (taken[-1] - taken[0]), "steps": len(taken) - 1}


# ---------------------------------------------------------------------------- pieces


def timed(run: Callable[[], Any], device: str) -> dict[str, Any]:
    """Result, seconds, highest memory and what was there before; on a GPU its own memory."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_reserved() / MB
        start = time.perf_counter()
        result = run()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        return {"result": result, "seconds": seconds, "peak_mb": torch.cuda.max_memory_reserved() / MB,
                "before_mb": before}  # fmt: skip
    before = measure(lambda: None).peak_mb
    measured = measure(run)
    return {"result": measured.result, "seconds": measured.seconds, "peak_mb": peak_memory_mb(), "before_mb": before}


def _warm(run: Callable[[], Any]) -> None:
    run()
    gc.collect()


def _synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def peak_rate(lm: CausalLM) -> float:
    """Operations a second of a large product of matrices on this device in this precision, the best of several."""
    size = GPU_PRODUCT if lm.device != "cpu" else PRODUCT
    kind = torch.bfloat16 if lm.precision == "bf16" else torch.float32
    one, other = (torch.randn(size, size, device=lm.device).to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(4):
        _synchronize(lm.device)
        start = time.perf_counter()
        torch.mm(one, other)
        _synchronize(lm.device)
        best = min(best, time.perf_counter() - start)
    return float(2 * size**3 / best)


def operations(lm: CausalLM, rows: Sequence[Encoded], *, adapters: int, width: int) -> dict[str, float]:
    """Multiply-adds, counted as two operations each, that the features cannot do without; padding is not counted.

    Args:
        lm: The model with its adapters.
        rows: The rows.
        adapters: Weights of the adapters.
        width: Of a dense projection, 0 = none.
    """
    tokens = np.array([len(row) for row in rows], np.float64)
    scored = float(sum(int(row.scored.sum()) for row in rows))
    config = lm.model.config
    head = lm.model.get_output_embeddings()
    linear = sum(m.weight.numel() for m in linear_layers(lm.model).values() if m is not head) - adapters
    across = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    pairs = float((tokens * (tokens + 1) / 2).sum()) * across * config.num_hidden_layers
    there = linear * tokens.sum() + head.weight.numel() * scored + 2 * pairs + adapters * tokens.sum()
    back = linear * tokens.sum() + head.weight.numel() * scored + 4 * pairs + adapters * tokens.sum()
    return {
        "forward": 2 * float(there),
        "backward": 2 * float(back),
        "gradients": 2 * float(adapters * tokens.sum()),
        "projection": 2.0 * adapters * width * len(rows),
    }
