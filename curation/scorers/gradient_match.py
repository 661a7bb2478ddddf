"""LESS for targets that are known beforehand: influence without projecting or storing a gradient."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self
from uuid import uuid4

import numpy as np
from pydantic import Field

from curation.core.artifacts import Labels, Missing, Model, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import DataError, ModelError
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.models.causal import Precision, causal_precision, load_causal
from curation.models.gradients.checkpoints import Checkpoints, Kept, checkpoints_in, opened
from curation.models.gradients.directions import Moments, Variant
from curation.models.gradients.features import gradient_norms, streamed_products, target_gradients
from curation.models.rendering import encode_rows
from curation.scorers._less import Aggregate, Targets, influence_score, targets_of

if TYPE_CHECKING:
    import torch

    from curation.models.causal import CausalLM
    from curation.models.rendering import Encoded

ZERO = "its gradient is zero"
EXAMPLES = 64
"""Target rows up to which each one's gradient is kept by itself, so that it is known which one a row is most like."""
PART_ROWS = 2048
"""Rows whose numbers are written down together: what a kill can lose."""


class Matched(NamedTuple):
    """What one checkpoint says of rows.

    Args:
        by_subtask: float64 `[n, J]`, cosines.
        by_example: float64 `[n, m]`, cosines with every target row; `[n, 0]` where they are not kept apart.
    """

    by_subtask: np.ndarray
    by_example: np.ndarray


def matched(
    lm: CausalLM,
    layers: Mapping[str, torch.nn.Linear],
    parts: Sequence[Sequence[Encoded]],
    targets: Sequence[Encoded],
    groups: np.ndarray,
    runtime: Runtime,
    *,
    aggregate: Aggregate,
    apart: bool,
    moments: Mapping[str, Moments] | None = None,
    variant: Variant = "sgd",
    stored: Callable[[int], np.ndarray | None] = lambda part: None,
    done: Callable[[int, np.ndarray], None] = lambda part, values: None,
) -> Matched:
    """Cosines of every row's direction with the targets' plain gradients at one checkpoint, in the adapters.

    ⟨Γ, T⟩ is linear in T, so the cosine with a subtask's mean gradient and the mean of cosines with its examples both
    follow from the products with the examples, or from one vector a subtask where these are too many.

    Cost: a forward and a backward pass a row, and a product with each kept target gradient. Memory: those, 4 bytes ×
    adapter weights × (target rows if `apart`, else subtasks).

    Args:
        lm: The model at this checkpoint.
        layers: Its adapters.
        parts: The rows, in parts that are finished one after the other.
        targets: Target rows, all with a gradient above zero.
        groups: int64 `[m]`, their subtasks, 0 … J − 1.
        runtime: Progress.
        aggregate: See `GradientMatch`.
        apart: Keep every target row's gradient.
        moments: Adam's state by layer name, for the variants of Adam.
        variant: Direction of the rows.
        stored: Returns the numbers of a part that an earlier run has left, or None.
        done: Called with a part's number and its numbers.

    Returns:
        See Matched; NaN for rows that are unscorable or whose gradient is zero.
    """
    subtasks = int(groups.max()) + 1
    members = np.arange(len(targets)) if apart else groups
    vectors = target_gradients(
        lm, layers, targets, members, _quiet(runtime), unit_rows=aggregate == "mean_cos" and not apart
    )
    mixing = np.eye(subtasks)
    if apart:
        mixing = (groups[:, None] == np.arange(subtasks)) / np.bincount(groups)  # [m, J]: mean over a subtask
    inner = _inner(vectors)
    lengths = np.sqrt(np.diag(inner))
    found = []
    total = sum(len(part) for part in parts)
    for number, part in enumerate(parts):
        values = stored(number)
        if values is None:
            before = sum(len(other) for other in parts[:number])
            here = dataclasses.replace(runtime, progress=_within(runtime, before, len(part), total))
            dots, norms = streamed_products(lm, layers, part, vectors, here, moments=moments, variant=variant)
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.where(norms[:, None] > 0, dots / norms[:, None], np.nan)
            done(number, values)
        found.append(values)
    dots = np.concatenate(found)
    each = dots / lengths if apart else np.empty((len(dots), 0))
    if aggregate == "mean_cos":
        return Matched(each @ mixing if apart else dots, each)
    means = np.sqrt(np.einsum("ij,ik,kj->j", mixing, inner, mixing).clip(min=0))
    return Matched(dots @ mixing / np.where(means > 0, means, 1.0), each)


class GradientMatch(Scorer):
    """LESS without a store: every row's influence on target rows that are known beforehand, not projected.

    At each checkpoint of a warm-up the direction that a row would push the adapters in is multiplied with the targets'
    gradients while it is there, so nothing is projected and nothing kept but the products: the numbers are those of
    scorer/less on gradient features of unlimited width. With `direction: sgd` products are bilinear forms of what the
    layers read and the gradients at their outputs, and no row's gradient is formed where that costs less.

    Other targets need another run, where scorer/less compares stored features anew in seconds. Target rows are those
    of `target`, or the ones of them that `targets` picks: for rows of the pool itself give the pool as `target`.
    Columns are those of scorer/less; `target` and `likeness` only for up to 64 target rows.

    A run that was killed goes on after the last 2,048 rows that were finished. Memory: the target gradients, 4 bytes ×
    adapter weights × target rows (above 64 target rows: × subtasks).
    """

    title: ClassVar[str] = "Gradient match (LESS without a store)"
    method_class: ClassVar[MethodClass] = "first-order"
    weakness: ClassVar[str] = "As good as its few target examples, and read anew for every other target."
    source: ClassVar[str] = "LESS: Xia et al. 2024 (ICML), arXiv 2402.04333; the form without a store is ours"
    elsewhere: ClassVar[tuple[str, ...]] = ("model", "warmup", "targets", "subtasks")

    direction: Variant = Field(
        "paper",
        description="paper, repo, adam: the step of Adam as in LESS's paper, its code, or the optimizer; sgd: as it is",
    )
    aggregate: Aggregate = Field(
        "cos_mean",
        description="of a subtask's examples: cosine with their mean gradient (paper), or mean cosine (code)",
    )
    checkpoints: Literal["all", "last"] = Field("all", description="at which checkpoints of the warm-up")
    template: Literal["auto", "chat", "alpaca", "plain", "chatml"] = Field(
        "auto", description="how rows are written; auto = the model's chat template if it has one, else alpaca"
    )
    max_tokens: int = Field(2048, ge=8, le=1_000_000, description="longer rows keep their first tokens")
    precision: Precision = Field("auto", description="auto = fp32 on a CPU, bf16 on CUDA, fp16 on Apple GPUs")

    def resolve(self, runtime: Runtime) -> Self:
        """Fixes the precision, which the key depends on."""
        return self.model_copy(update={"precision": causal_precision(runtime.device, self.precision)})

    def score(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        model: Model,
        warmup: Model,
        target: Dataset,
        targets: Selection | None = None,
        subtasks: Labels | None = None,
    ) -> Score:
        """Read the targets, then every row, at every checkpoint.

        Args:
            pool: The rows.
            runtime: Device, progress, a folder for what is finished.
            model: The network that the warm-up started from.
            warmup: From trainer/warmup.
            target: Rows that say what is wanted.
            targets: Which of them; None = all.
            subtasks: Subtask of every row of `target`; those without a label are no targets.

        Raises:
            ModelError: model and warm-up do not belong together, or gradients are not finite.
            DataError: `targets` or `subtasks` are of other rows than `target`.
            CurationError: no target row has a gradient.
        """
        if model.role != "causal" or model.folds > 1:
            raise ModelError(f"'{model.name}' is not one causal language model", "give the model of trainer/base")
        lm = load_causal(model.folder(), device=runtime.device, precision=self.precision)
        there = opened(dataclasses.replace(lm, name=model.name or lm.name), model.folder(), checkpoints_in(warmup))
        used = there.kept if self.checkpoints == "all" else there.kept[-1:]
        rates = np.array([kept.mean_rate for kept in used])
        chosen, examples = self._targets(there, used, runtime, target, targets, subtasks)
        rows = list(encode_rows(lm, pool, template=self.template, max_tokens=self.max_tokens))
        order = np.argsort([-len(row.ids) for row in rows], kind="stable")  # longest first, as batches want them
        parts = [[rows[i] for i in order[start : start + PART_ROWS]] for start in range(0, len(order), PART_ROWS)]
        found: list[Matched] = []
        for place, kept in enumerate(used):
            at, moments = there.at(kept.epoch)
            here = dataclasses.replace(runtime, progress=_checkpoint(runtime, place, len(used)))
            finished = _Finished(runtime.keep, kept.epoch)
            made = matched(
                at, there.layers, parts, examples, chosen.groups, here, aggregate=self.aggregate,
                apart=len(examples) <= EXAMPLES, moments=moments, variant=self.direction, stored=finished.read,
                done=finished.write,
            )  # fmt: skip
            found.append(made)
        info = {
            "target_dataset": target.fingerprint,
            "aggregate": self.aggregate,
            "model": warmup.name,
            "weak": warmup.weak,
            "direction": self.direction,
            "weights": (rates / rates.sum()).tolist(),
            "precision": self.precision,
            "adapter_parameters": sum(layer.weight.numel() for layer in there.layers.values()),
        }
        back = np.argsort(order, kind="stable")
        by_subtask, by_example = (
            np.tensordot(rates / rates.sum(), np.stack(each), 1)[back] for each in zip(*found, strict=True)
        )
        gone = np.asarray(np.isnan(by_subtask).any(axis=1))
        missing = Missing.from_list([row.reason or (ZERO if gone[i] else None) for i, row in enumerate(rows)])
        likest = np.nan_to_num(by_example, nan=-np.inf)
        nearest = (likest.argmax(axis=1), likest.max(axis=1)) if by_example.shape[1] else None
        return influence_score(pool, chosen, by_subtask, nearest, missing, info)

    def _targets(
        self,
        there: Checkpoints,
        used: Sequence[Kept],
        runtime: Runtime,
        target: Dataset,
        picked: Selection | None,
        subtasks: Labels | None,
    ) -> tuple[Targets, list[Encoded]]:
        """Target rows that have a gradient at every checkpoint, and what is read of them."""
        rows = list(encode_rows(there.lm, target, template=self.template, max_tokens=self.max_tokens))
        wanted: np.ndarray = np.array([not row.reason for row in rows], bool)
        if picked is not None:
            if picked.n != len(target):
                raise DataError(
                    f"the targets are of {picked.n:,} rows, the target has {len(target):,}",
                    "pick rows of the very dataset that is given as target",
                )
            wanted = np.asarray(wanted & picked.mask)
        for kept in used:
            some = np.flatnonzero(wanted)
            at, _ = there.at(kept.epoch)
            norms = gradient_norms(at, there.layers, [rows[i] for i in some], _quiet(runtime))
            wanted[some] = np.asarray(norms > 0)
        chosen = targets_of(wanted, subtasks)
        return chosen, [rows[i] for i in chosen.rows]

    def work(self, size: Size) -> float:
        """Characters read forward and backward at four checkpoints, times the network's weights."""
        return float((size.chars + 1) * size.parameters * 3.0 * (4 if self.checkpoints == "all" else 1))

    def memory(self, size: Size) -> float:
        """PyTorch, the model with its checkpoints, target gradients of some 2 % of its weights, and token ids."""
        return 1.5e9 + (4.0 + 4.0 * 0.02 * (EXAMPLES + 3 * 4)) * size.parameters + 3.0 * size.chars

    def disk(self, size: Size) -> float:
        """The score and its columns, without those of subtasks, whose number is not known before."""
        return 32.0 * size.rows


def _inner(vectors: Mapping[str, torch.Tensor]) -> np.ndarray:
    """Products of all target gradients with each other, float64 `[k, k]`."""
    return np.sum([(v.flatten(1) @ v.flatten(1).T).double().cpu().numpy() for v in vectors.values()], axis=0)


class _Finished:
    """The parts of one checkpoint that are done, as files of the step's own folder."""

    def __init__(self, keep: Path | None, epoch: int) -> None:
        self.folder = None if keep is None else keep / f"checkpoint-{epoch}"

    def read(self, part: int) -> np.ndarray | None:
        path = self.folder and self.folder / f"{part}.npy"
        return np.load(path, allow_pickle=False) if path and path.exists() else None

    def write(self, part: int, values: np.ndarray) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".writing-{uuid4().hex[:8]}.npy"
        np.save(temporary, values, allow_pickle=False)
        temporary.replace(self.folder / f"{part}.npy")


def _quiet(runtime: Runtime) -> Runtime:
    """A few rows: progress stands still, but a wish to stop is heard."""
    return dataclasses.replace(runtime, progress=lambda done, total, note="": runtime.progress(0, 1, "target rows"))


def _within(runtime: Runtime, before: int, rows: int, total: int) -> Callable[..., None]:
    def progress(done: float, of: float, note: str = "") -> None:
        runtime.progress(before + rows * done / max(of, 1), total, note)

    return progress


def _checkpoint(runtime: Runtime, place: int, count: int) -> Callable[..., None]:
    def progress(done: float, of: float, note: str = "") -> None:
        runtime.progress(place + done / max(of, 1), count, f"checkpoint {place + 1} of {count}: {note}")

    return progress
