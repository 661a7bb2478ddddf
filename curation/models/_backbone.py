"""Token vectors from a transformer: by torch on any device, by OpenVINO on CPUs."""

from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from curation.core.errors import ModelError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Inputs = dict[str, np.ndarray]

_OUT_OF_MEMORY = ("out of memory", "can't allocate", "cannot allocate", "bad_alloc", "not enough memory", "bad alloc")


class OutOfMemory(Exception):  # noqa: N818 - caught inside this room only
    """The batch did not fit."""


class Backbone(Protocol):
    """Makes token vectors of a stream of batches, in order."""

    def hidden(self, stream: Iterator[Inputs]) -> Iterator[torch.Tensor]:
        """float32 `[rows, longest, h]` for every batch of `stream`; raises OutOfMemory."""
        ...


class TorchBackbone:
    """The model's own transformer module.

    Args:
        transformer: First module of the sentence-transformers model.
        device: Where it lies.
    """

    def __init__(self, transformer: Any, device: str) -> None:
        self.transformer, self.device = transformer, device

    def hidden(self, stream: Iterator[Inputs]) -> Iterator[torch.Tensor]:
        """See Backbone."""
        import torch

        for batch in stream:
            try:
                with torch.inference_mode():
                    features = {name: torch.from_numpy(values).to(self.device) for name, values in batch.items()}
                    made = self.transformer(features)["token_embeddings"].float()
            except (RuntimeError, MemoryError) as error:
                raise_if_out_of_memory(error)
                raise
            yield made


class OpenVINOBackbone:
    """The transformer compiled for this CPU.

    Several batches are under way at once, as many as OpenVINO advises for throughput; results keep their order.

    Args:
        transformer: First module of the sentence-transformers model, in float32 on the CPU.
        inputs: Names of its inputs.
        precision: "fp32" or "bf16".

    Raises:
        ModelError: OpenVINO cannot convert this architecture.
    """

    def __init__(self, transformer: Any, inputs: Sequence[str], precision: str) -> None:
        self.inputs = tuple(inputs)
        hint = {"fp32": "f32", "bf16": "bf16"}[precision]
        config = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "THROUGHPUT"}
        self.compiled = openvino_core().compile_model(_convert(transformer, self.inputs), "CPU", config)
        self.at_once = int(self.compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def hidden(self, stream: Iterator[Inputs]) -> Iterator[torch.Tensor]:
        """See Backbone."""
        import torch

        idle = [self.compiled.create_infer_request() for _ in range(self.at_once)]
        busy: list[Any] = []
        try:
            for batch in stream:
                if not idle:
                    request = busy.pop(0)
                    request.wait()
                    yield torch.from_numpy(np.array(request.get_output_tensor(0).data, np.float32))
                    idle.append(request)
                request = idle.pop()
                request.start_async({name: batch[name] for name in self.inputs}, share_inputs=False)
                busy.append(request)
            while busy:
                request = busy.pop(0)
                request.wait()
                yield torch.from_numpy(np.array(request.get_output_tensor(0).data, np.float32))
        except (RuntimeError, MemoryError) as error:
            raise_if_out_of_memory(error)
            raise
        finally:
            for request in busy:
                request.cancel()


def resolve_precision(device: str, precision: Precision = "auto") -> Literal["fp32", "bf16", "fp16"]:
    """What "auto" means on a device: half precision where the hardware has it and it is faster, else fp32.

    On a CPU that is bf16 where OpenVINO is installed and the processor has it (measured here: twice the speed, lowest
    cosine to fp32 0.9999); on CUDA bf16, or fp16 on cards without it; on MPS fp16.

    Args:
        device: "cpu", "cuda" or "mps".
        precision: A fixed choice is returned as it is.

    Raises:
        ModelError: fp16 on a CPU, which is slower than fp32 there.
    """
    if precision == "fp16" and device == "cpu":
        raise ModelError("fp16 is for GPUs", "use precision auto, fp32 or bf16 on a CPU")
    if precision != "auto":
        return precision
    if device.startswith("cuda"):
        import torch

        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device == "mps":
        return "fp16"
    return "bf16" if openvino_installed() and cpu_has_bf16() else "fp32"


def openvino_installed() -> bool:
    """Whether the optional package is there."""
    return importlib.util.find_spec("openvino") is not None


@lru_cache(1)
def openvino_core() -> Any:
    """OpenVINO's runtime, its telemetry kept out.

    Importing openvino otherwise reports to its makers and writes to the home folder, on by default. With None in
    sys.modules its import of the telemetry package fails, and it uses the stand-in made for that case.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino.Core()


@lru_cache(1)
def cpu_has_bf16() -> bool:
    """Whether OpenVINO finds bf16 instructions."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _convert(transformer: Any, inputs: tuple[str, ...]) -> Any:
    """The module as an OpenVINO model that lives in memory only."""
    openvino_core()
    import openvino
    import torch
    from openvino.frontend import OpConversionFailure
    from openvino.tools.ovc.error import BasicError

    class TokenVectors(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, *values: torch.Tensor) -> torch.Tensor:
            return self.transformer(dict(zip(inputs, values, strict=True)))["token_embeddings"]

    example = tuple(torch.ones(2, 8, dtype=torch.int64) for _ in inputs)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # tracing warns of every Python branch; the result is verified instead
            model = openvino.convert_model(TokenVectors().eval(), example_input=example)
    except (OpConversionFailure, BasicError, RuntimeError, TypeError, ValueError, KeyError) as error:
        raise ModelError(f"OpenVINO cannot convert this model: {str(error).splitlines()[0]}") from error
    for port, name in zip(model.inputs, inputs, strict=True):
        port.get_tensor().set_names({name})
    return model


def raise_if_out_of_memory(error: BaseException) -> None:
    """Raises OutOfMemory when that is what the error says."""
    text = str(error).lower()
    if isinstance(error, MemoryError) or any(phrase in text for phrase in _OUT_OF_MEMORY):
        raise OutOfMemory from error
