"""A classifier head on frozen features, trained from several seeds, with everything recorded that scores ask for."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Labels, Missing, Model
from curation.core.dataset import Dataset
from curation.core.errors import DataError
from curation.core.method import MethodClass, Size, Trainer
from curation.core.runtime import Runtime
from curation.models.heads import MEASURES, Heads, HeadSettings, Optimiser, Run, Scope, save_heads, scaling, train_head

NO_LABEL = "no label"
UPDATE_WORK, MEASURE_WORK = 30_000.0, 500.0  # in numbers that pass through a head: measured on one core
LABEL_INSIDE = "the features were made from the {text} text: where the label stands in the response, the head reads it"


class Classifier(Trainer):
    """Trains a linear head, or one with a hidden layer, on the vectors of labelled rows.

    The encoder stays as it is, so a pass over 10,000 rows takes a fraction of a second. Several runs from different
    seeds (another beginning, another order) are kept: scores of a single run are noisy, and the mean over runs is what
    the data-diet scores are. Every row is measured after each pass: `loss`, `p_true`, `correct`, `el2n`,
    `margin`, `entropy`, `grand`, and `presented`, whether it was right in the mini-batch in which it was presented,
    before that batch's update. The network has no dropout and no batch statistics, so measuring is exact.

    The model predicts the mean of the runs' probabilities. Classes are those that occur; rows without a label or
    without features are neither trained on nor measured. Read the features from the prompt alone where the response is
    the label.
    """

    title: ClassVar[str] = "Classifier head"
    method_class: ClassVar[MethodClass] = "first-order"
    weakness: ClassVar[str] = (
        "Learns only what the frozen vectors tell apart; other rows may be hard for a network that is trained whole."
    )
    source: ClassVar[str] = "Linear probe on sentence vectors; recording as in Paul et al. 2021, arXiv 2107.07075"

    runs: int = Field(5, ge=1, le=100, description="heads trained from different seeds; scores are averaged over them")
    epochs: int = Field(10, ge=1, le=1000, description="passes over the rows")
    steps: int | None = Field(
        None, ge=1, le=10_000_000, description="updates in all, instead of epochs: equal for large and small selections"
    )
    hidden: int = Field(0, ge=0, le=65_536, description="width of a hidden layer with ReLU; 0 = a linear head")
    batch_rows: int = Field(32, ge=1, le=65_536, description="rows in a mini-batch")
    optimiser: Optimiser = Field("adam", description="adam (AdamW), or sgd with Nesterov momentum 0.9")
    learning_rate: float = Field(1e-3, gt=0, le=100, description="constant; 0.01 does for sgd on standardised features")
    weight_decay: float = Field(0.0, ge=0, le=10, description="pull of all parameters towards zero")
    standardise: bool = Field(
        True,
        description="bring every column to mean 0 and deviation 1 first, so that the learning rate fits any encoder",
    )
    grand_scope: Scope = Field(
        "last-layer", description="parameters whose gradient is measured; with a linear head both are the same"
    )
    record_start: bool = Field(False, description="measure also before the first update (epoch 0)")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of the beginnings and the orders of all runs")

    def train(self, pool: Dataset, runtime: Runtime, *, features: Features, labels: Labels) -> Model:
        """Train all runs; finished ones are kept, so a killed training goes on with the next.

        Args:
            pool: The rows.
            runtime: Device, progress, a folder for finished runs.
            features: Their vectors.
            labels: Their classes.

        Raises:
            DataError: no row has both, a vector is not finite, or there is only one class.
            ModelError: the loss, or what a row is measured at, is no finite number any more.
        """
        missing = _missing(features, labels)
        rows = np.flatnonzero(~missing.mask)
        points, codes, classes = _given(features, labels, rows)
        center, scale = scaling(points) if self.standardise else (np.zeros(points.shape[1]), np.ones(points.shape[1]))
        center, scale = center.astype(np.float32), scale.astype(np.float32)
        x = (points - center) / scale
        runs = [self._run(run, x, codes, len(classes), runtime) for run in range(self.runs)]
        info = self._info(runs, len(rows), len(classes), features)
        folder = _empty_folder(runtime)
        save_heads(Heads(classes, center, scale, tuple(run.layers for run in runs), info), folder)
        return Model(
            pool.fingerprint,
            missing,
            _spread(runs, rows, len(pool)),
            runs[0].epochs,
            info,
            path=str(folder),
            role="classifier",
            name=f"{'head with a hidden layer' if self.hidden else 'linear head'} on {len(rows):,} rows",
        )

    def settings(self) -> HeadSettings:
        """How each run is trained."""
        return HeadSettings(
            hidden=self.hidden,
            epochs=self.epochs,
            steps=self.steps,
            batch_rows=self.batch_rows,
            optimiser=self.optimiser,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            grand=self.grand_scope,
            record_start=self.record_start,
        )

    def _run(self, run: int, x: np.ndarray, codes: np.ndarray, classes: int, runtime: Runtime) -> Run:
        kept = None if runtime.keep is None else runtime.keep / f"run-{run}.safetensors"
        note = f"run {run + 1} of {self.runs}"
        if kept is not None and kept.exists():
            runtime.progress(run + 1, self.runs, note)
            return _read_run(kept)

        def record(metrics: dict[str, float]) -> None:
            runtime.record({**metrics, "run": float(run + 1)})

        made = train_head(
            x,
            codes,
            classes,
            self.settings(),
            seed=(self.seed, run),
            device=runtime.device,
            progress=_progress(runtime, run, self.runs, note),
            record=record,
        )
        if kept is not None:
            _write_run(made, kept)
        return made

    def _info(self, runs: list[Run], rows: int, classes: int, features: Features) -> dict[str, Any]:
        info: dict[str, Any] = {
            "rows": rows,
            "classes": classes,
            "runs": self.runs,
            "hidden": self.hidden,
            "accuracy": float(np.mean([run.measures["correct"][-1].mean() for run in runs])),
            "loss": float(np.mean([run.loss[-1] for run in runs])),
            "grand": self.grand_scope,
            "features": dict(features.info),
        }
        text = features.info.get("text")
        if text in ("both", "response"):
            info["caution"] = LABEL_INSIDE.format(text="whole" if text == "both" else "response")
        return info

    def _passes(self, rows: int) -> int:
        return self.epochs if self.steps is None else math.ceil(self.steps * self.batch_rows / max(rows, 1))

    def shortened(self) -> Self:
        """One run of one pass."""
        return self.model_copy(update={"runs": 1, "epochs": 1, "steps": None})

    def work(self, size: Size) -> float:
        """Numbers that pass through the heads, and what every update and every measured row costs beside."""
        updates = self.steps if self.steps is not None else self.epochs * math.ceil(size.rows / self.batch_rows)
        wide = size.dims + self.hidden + 1
        training = updates * (min(self.batch_rows, size.rows) * wide + UPDATE_WORK)
        return self.runs * (training + self._passes(size.rows) * size.rows * (wide + MEASURE_WORK))

    def memory(self, size: Size) -> float:
        """PyTorch, the scaled features, and what is recorded, once per run and once joined."""
        return 400e6 + 12.0 * size.rows * max(size.dims, 1) + 2 * self.disk(size)

    def disk(self, size: Size) -> float:
        """Eight numbers for each row, pass and run."""
        return 4.0 * len(MEASURES) * self.runs * self._passes(size.rows) * size.rows + 1e4


def _missing(features: Features, labels: Labels) -> Missing:
    """Rows that cannot be trained on; of two reasons that of the features."""
    first, second = features.missing, labels.missing
    reasons = (*first.reasons, *(f"{NO_LABEL}: {reason}" for reason in second.reasons), NO_LABEL)
    unlabelled = np.where(second.mask, second.codes + len(first.reasons), len(reasons))
    codes = np.where(first.mask, first.codes, np.where(np.asarray(labels.codes) < 0, unlabelled, 0))
    return Missing(codes.astype(np.int16), reasons).compact()


def _given(features: Features, labels: Labels, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Vectors `[m, d]`, codes `[m]` and names of the classes that occur."""
    if not len(rows):
        reasons = "; ".join(labels.missing.counts())
        raise DataError(f"no row has features and a label{f' ({reasons})' if reasons else ''}", "name another field")
    points = np.asarray(features.values)[rows].astype(np.float32, copy=False)
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise DataError("its vector is not finite", "leave the row out with `within`", row=int(rows[bad.argmax()]))
    used, codes = np.unique(np.asarray(labels.codes)[rows], return_inverse=True)
    classes = tuple(labels.names[code] for code in used)
    if len(classes) < 2:
        raise DataError(
            f"all {len(rows):,} labelled rows are of one class, '{classes[0][:60]}'",
            "two classes are needed: name another field",
        )
    return points, codes.ravel(), classes


def _spread(runs: list[Run], rows: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """Name → float32 `[runs, times, n]`, NaN for rows that were not trained on."""
    whole = {}
    for name in MEASURES:
        found = np.full((len(runs), len(runs[0].epochs), n), np.nan, np.float32)
        for place, run in enumerate(runs):
            found[place][:, rows] = run.measures[name]
        whole[name] = found
    return whole


def _progress(runtime: Runtime, run: int, runs: int, note: str) -> Callable[[float], None]:
    return lambda share: runtime.progress(run + share, runs, note)


def _empty_folder(runtime: Runtime) -> Path:
    """Where the files of the model are written; they are moved into the result from there."""
    if runtime.keep is None:
        return Path(tempfile.mkdtemp(prefix="curation-heads-"))
    folder = runtime.keep / "model"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _write_run(run: Run, path: Path) -> None:
    from safetensors.numpy import save_file

    tensors = {f"measure.{name}": values for name, values in run.measures.items()}
    tensors |= {"epochs": run.epochs, "loss": run.loss}
    for place, (weight, bias) in enumerate(run.layers):
        tensors |= {f"weight.{place}": weight, f"bias.{place}": bias}
    part = path.with_suffix(".part")
    save_file(tensors, part)
    part.replace(path)


def _read_run(path: Path) -> Run:
    from safetensors.numpy import load_file

    tensors = load_file(path)
    layers = tuple(
        (tensors[f"weight.{place}"], tensors[f"bias.{place}"])
        for place in range(sum(name.startswith("weight.") for name in tensors))
    )
    measures = {name: tensors[f"measure.{name}"] for name in MEASURES}
    return Run(layers, measures, tensors["epochs"], tensors["loss"])
