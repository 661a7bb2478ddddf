"""Adapters at the end of every pass of a training, with the moments of Adam as they were then.

```
checkpoints/adapters.json     rank, alpha, targets
checkpoints/<pass>/           weights.safetensors, moments.safetensors, facts.json
```
"""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from curation.core.artifacts import Model
from curation.core.errors import ModelError
from curation.models._lora import with_adapters
from curation.models.finetune import EpochState, TrainSettings
from curation.models.gradients.directions import Moments
from curation.models.gradients.taps import lora_layers

if TYPE_CHECKING:
    import torch

    from curation.models.causal import CausalLM

KEPT_BYTES = 2 << 30
"""Rows come in many parts, each of which needs all checkpoints; they are not read again while they fit into this."""
ADAPTERS, WEIGHTS, MOMENTS, FACTS = "adapters.json", "weights.safetensors", "moments.safetensors", "facts.json"


@dataclass(frozen=True)
class Kept:
    """One checkpoint.

    Args:
        epoch: Passes begun, from 1.
        step: Optimizer steps done.
        mean_rate: Mean learning rate of its pass.
    """

    epoch: int
    step: int
    mean_rate: float


def write_adapters(folder: Path, settings: TrainSettings) -> None:
    """Say how the adapters are built; before the first checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"rank": settings.lora_rank, "alpha": settings.lora_alpha, "targets": settings.lora_targets}
    (folder / ADAPTERS).write_text(json.dumps(facts), encoding="utf-8")


def write_checkpoint(folder: Path, state: EpochState) -> None:
    """Put one checkpoint there, by one rename; one that is there already is replaced."""
    from safetensors.torch import save_file

    target, temporary = folder / str(state.epoch), folder / f".writing-{uuid4().hex[:8]}"
    temporary.mkdir(parents=True)
    plain = {name: tensor.cpu().contiguous() for name, tensor in state.weights.items()}
    save_file(plain, temporary / WEIGHTS)
    moments = {f"mean/{n}": t.cpu().contiguous() for n, t in state.mean.items()}
    moments |= {f"square/{n}": t.cpu().contiguous() for n, t in state.square.items()}
    save_file(moments, temporary / MOMENTS)
    facts = {"epoch": state.epoch, "step": state.step, "mean_rate": state.mean_rate}
    (temporary / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)


def kept_in(folder: Path) -> list[Kept]:
    """The checkpoints of a training, first pass first.

    Raises:
        ModelError: if there is none.
    """
    paths = [p / FACTS for p in folder.iterdir() if p.name.isdigit()] if folder.is_dir() else []
    found = [Kept(**json.loads(p.read_text(encoding="utf-8"))) for p in paths if p.exists()]
    if not found:
        raise ModelError(f"{folder} holds no checkpoints of adapters", "use the model of trainer/warmup")
    return sorted(found, key=lambda kept: kept.epoch)


def checkpoints_in(warmup: Model) -> Path:
    """The folder of a warm-up's checkpoints.

    Raises:
        ModelError: if the model is no warm-up.
    """
    folder = warmup.folder() / "checkpoints"
    if warmup.folds > 1 or not folder.is_dir():
        raise ModelError(f"'{warmup.name}' has no checkpoints of adapters", "use the model of trainer/warmup")
    return folder


class Checkpoints:
    """A base model with adapters, whose weights are changed from checkpoint to checkpoint.

    Checkpoints that were read stay on the device while all of them together are not larger than `KEPT_BYTES`.

    Args:
        lm: The base model; its weights are shared, never changed.
        folder: Of the checkpoints.
    """

    def __init__(self, lm: CausalLM, folder: Path) -> None:
        self.folder, self.kept = folder, kept_in(folder)
        facts = json.loads((folder / ADAPTERS).read_text(encoding="utf-8"))
        wrapped = with_adapters(
            _sharing_weights(lm.model), rank=facts["rank"], alpha=facts["alpha"], dropout=0.0, targets=facts["targets"]
        )
        self.lm = dataclasses.replace(lm, model=wrapped.get_base_model().eval())
        self.layers = lora_layers(self.lm.model)
        self._read: dict[int, tuple[dict[str, torch.Tensor], dict[str, Moments]]] = {}

    def at(self, epoch: int) -> tuple[CausalLM, dict[str, Moments]]:
        """The model as it was after a pass, and Adam's moments by layer; valid until the next call.

        Raises:
            ModelError: if the checkpoint is of another model.
        """
        import torch

        weights, moments = self._read.get(epoch) or self._open(epoch)
        own = {name: p for name, p in self.lm.model.named_parameters() if name.removesuffix(".weight") in self.layers}
        if {n: tuple(p.shape) for n, p in own.items()} != {n: tuple(t.shape) for n, t in weights.items()}:
            raise ModelError(
                f"the adapters of pass {epoch} do not fit to {self.lm.name}", "give the model that they were trained on"
            )
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(weights[name])
        return self.lm, moments

    def _open(self, epoch: int) -> tuple[dict[str, torch.Tensor], dict[str, Moments]]:
        from safetensors.torch import load_file

        kept = next(k for k in self.kept if k.epoch == epoch)
        weights, moments = (
            {name: t.to(self.lm.device) for name, t in load_file(self.folder / str(epoch) / file).items()}
            for file in (WEIGHTS, MOMENTS)
        )
        names = [name.removesuffix(".weight") for name in weights]
        state = {
            layer: Moments(moments[f"mean/{name}"], moments[f"square/{name}"], kept.step)
            for layer, name in zip(names, weights, strict=True)
        }
        held = 3 * sum(t.nbytes for t in weights.values())
        if held * (len(self._read) + 1) <= KEPT_BYTES:
            self._read[epoch] = weights, state
        return weights, state


def _sharing_weights(model: Any) -> Any:
    """A copy of a model's modules around the very same weights, which need no gradient there."""
    import torch

    same = {id(p): torch.nn.Parameter(p.data, requires_grad=False) for p in model.parameters()}
    return copy.deepcopy(model, same)


_opened: OrderedDict[tuple[str, str, str, str], Checkpoints] = OrderedDict()


def opened(lm: CausalLM, base: Path, folder: Path) -> Checkpoints:
    """Checkpoints over a base model; the last ones stay open, since rows come in many parts."""
    key = (str(base.resolve()), str(folder.resolve()), lm.device, lm.precision)
    if key not in _opened:
        _opened.clear()  # before the next copy is made
        _opened[key] = Checkpoints(lm, folder)
    return _opened[key]
