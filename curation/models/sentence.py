"""Sentence encoders: texts in, vectors out.

Any sentence-transformers model works; its own modules decide how token vectors become one vector (mean, first token,
dense layers, unit length). What is ours is the way there: texts are cut at token level, batched by length under a token
budget, and the transformer itself runs in OpenVINO where the CPU gains from it. Models that do something unusual before
their transformer (prompts, chat templates, images) are run by sentence-transformers' own `encode`, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from curation.core.errors import ModelError
from curation.models._backbone import (
    Backbone,
    OpenVINOBackbone,
    OutOfMemory,
    Precision,
    TorchBackbone,
    openvino_installed,
    raise_if_out_of_memory,
    resolve_precision,
)
from curation.models._folder import AUTO, PACKAGED, find_folder, known_languages, revision_of
from curation.models._pieces import Framing, Overflow, Pieces, batches, cut, framing_of, pad

if TYPE_CHECKING:
    import torch

__all__ = [
    "AUTO",
    "PACKAGED",
    "Encoded",
    "Overflow",
    "Precision",
    "SentenceEncoder",
    "known_languages",
    "load_encoder",
    "resolve_precision",
    "revision_of",
]

log = logging.getLogger(__name__)

Route = Literal["openvino", "torch", "sentence-transformers"]
Progress = Callable[[int, int], None]

TEXTS_AT_ONCE = 8192  # cut and sorted together; bounds the memory of token ids
CPU_BATCH_IDS, GPU_BATCH_IDS = 2048, 65_536
MOST_ROWS = 1024
PLAIN_BATCH = 32

PROBES = (
    "A probe.",
    "The second probe is longer than the first, so that padding is part of the test.",
    "Numbers such as 3.14159 and names such as Ada Lovelace belong to every pool of instructions. " * 4,
)
LEAST_COSINE = {"fp32": 0.99999, "bf16": 0.999}
"""Agreement with torch in fp32 that a compiled model must show on the probes."""


@dataclass(frozen=True)
class Encoded:
    """What came out.

    Args:
        vectors: float32 `[n, d]`.
        tokens: int64 `[n]`: tokens of the whole text, without special ones; -1 where the model does not count them.
        windows: int64 `[n]`: windows that the text was read in, 1 when it fits.
        cut: Boolean `[n]`: true where the end of the text was not read.
    """

    vectors: np.ndarray
    tokens: np.ndarray
    windows: np.ndarray
    cut: np.ndarray

    @property
    def overlong(self) -> int:
        """Number of texts longer than the model's window."""
        return int(((self.windows > 1) | self.cut).sum())


class SentenceEncoder:
    """A loaded model; make it with `load_encoder`.

    Attributes:
        dims: Width of its vectors.
        window: Tokens it reads at once, special ones included; None = no limit.
        route: What runs it: "openvino", "torch" or "sentence-transformers" (its own `encode`).
        unit: True when its vectors have length 1.
    """

    def __init__(self, model: Any, device: str, precision: str, name: str) -> None:
        self.name, self.device, self.precision = name, device, precision
        self._model = model
        self.dims = int(model.get_embedding_dimension())
        limit = model.get_max_seq_length()
        self.window: int | None = None if limit is None else int(limit)
        self.unit = type(list(model)[-1]).__name__ == "Normalize"
        reason, self._framing = _framing(model, self.window)
        self._backbone: Backbone | None = None
        if self._framing is None:
            log.warning("%s: %s; it is run by sentence-transformers' own encode, which is slower", name, reason)
            self.route: Route = "sentence-transformers"
            model.to(_torch_type(precision))
        else:
            self._backbone, self.route = self._choose_backbone(model, self._framing)
        self._batch_ids = CPU_BATCH_IDS if device == "cpu" else GPU_BATCH_IDS
        self._plain_batch = PLAIN_BATCH

    def encode(
        self,
        texts: Sequence[str],
        *,
        overflow: Overflow = "windows",
        most_rows: int | None = None,
        progress: Progress | None = None,
    ) -> Encoded:
        """Encode texts; equal texts are encoded once.

        A text longer than the window is read in windows, the vectors of which are averaged by their tokens (and brought
        to unit length where the model's are), or cut. In fp32 a row's vector does not depend on the rows beside it (to
        1e-5); in half precision it does in the last digits that half precision has.

        Args:
            texts: n strings.
            overflow: "windows" or "truncate"; models run by sentence-transformers' own `encode` always truncate.
            most_rows: Rows in a batch at most; None = by the memory a batch takes.
            progress: Called with (tokens done, tokens) or, on the slow path, with texts.

        Returns:
            Vectors and what was too long, in the order of `texts`.

        Raises:
            ModelError: one text alone does not fit into memory, or the vectors are not finite.
        """
        unique = list(dict.fromkeys(texts))
        if not unique:
            return Encoded(np.empty((0, self.dims), np.float32), *(np.empty(0, t) for t in (np.int64, np.int64, bool)))
        encode = self._encode_plain if self._framing is None else self._encode_pieces
        found = encode(unique, overflow, most_rows or MOST_ROWS, progress)
        if not np.isfinite(found.vectors).all():
            raise ModelError(
                f"{self.name} gave vectors that are not finite in {self.precision}", "set the precision to fp32"
            )
        if len(unique) == len(texts):
            return found
        place = {text: i for i, text in enumerate(unique)}
        rows = np.array([place[text] for text in texts], np.int64)
        return Encoded(found.vectors[rows], found.tokens[rows], found.windows[rows], found.cut[rows])

    # ------------------------------------------------------------------ our way

    def _encode_pieces(
        self, texts: Sequence[str], overflow: Overflow, most_rows: int, progress: Progress | None
    ) -> Encoded:
        assert self._framing is not None
        parts: list[Encoded] = []
        total = sum(map(len, texts)) + len(texts)
        done = 0
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            block = texts[start : start + TEXTS_AT_ONCE]
            share = sum(map(len, block)) + len(block)

            def tell(ids: int, of: int, done: int = done, share: int = share) -> None:
                if progress is not None:
                    progress(done + share * ids // max(of, 1), total)

            pieces = cut(block, self._framing, overflow)
            parts.append(self._join(pieces, self._encode_ids(pieces.ids, most_rows, tell)))
            done += share
        return Encoded(
            *(np.concatenate([getattr(p, f) for p in parts]) for f in ("vectors", "tokens", "windows", "cut"))
        )

    def _encode_ids(self, ids: list[np.ndarray], most_rows: int, tell: Progress) -> np.ndarray:
        """One vector for each piece, float32 `[pieces, d]`; batches shrink when memory does not suffice."""
        assert self._framing is not None
        assert self._backbone is not None
        framing = self._framing
        lengths = np.array([len(piece) for piece in ids]) + len(framing.before) + len(framing.after)
        order = np.argsort(-lengths, kind="stable")
        vectors = np.empty((len(ids), self.dims), np.float32)
        done, ids_done, ids_total = 0, 0, int(lengths.sum())
        while done < len(order):
            left = order[done:]
            plan = [left[batch] for batch in batches(lengths[left], self._batch_ids, most_rows)]
            stream = ({**pad([ids[i] for i in batch], framing)} for batch in plan)
            try:
                for batch, hidden in zip(plan, self._backbone.hidden(stream), strict=True):
                    vectors[batch] = self._finish(hidden, lengths[batch])
                    done += len(batch)
                    ids_done += int(lengths[batch].sum())
                    tell(ids_done, ids_total)
            except OutOfMemory as error:
                longest = int(lengths[order[done]])
                if self._batch_ids <= longest:
                    raise ModelError(
                        f"one row of {longest} tokens does not fit into the memory of {self.device}",
                        "use a smaller model, or another device",
                    ) from error
                self._batch_ids = max(longest, self._batch_ids // 2)
                _empty_cache(self.device)
                log.info("memory of %s does not suffice; batches shrink to %d tokens", self.device, self._batch_ids)
        return vectors

    def _finish(self, hidden: torch.Tensor, lengths: np.ndarray) -> np.ndarray:
        """The model's modules after its transformer, in float32: token vectors `[b, l, h]` to `[b, d]`."""
        import torch

        assert self._framing is not None
        width = hidden.shape[1]
        at = np.arange(width)[None]
        left = self._framing.tokenizer.padding_side == "left"
        there = at >= width - lengths[:, None] if left else at < lengths[:, None]
        features: dict[str, Any] = {
            "token_embeddings": hidden,
            "attention_mask": torch.from_numpy(there.astype(np.int64)).to(hidden.device),
        }
        with torch.inference_mode():
            for module in islice(self._model, 1, None):
                features = module(features)
            return features["sentence_embedding"].float().cpu().numpy()

    def _join(self, pieces: Pieces, vectors: np.ndarray) -> Encoded:
        """Average the windows of each text, by their tokens."""
        n = len(pieces.tokens)
        windows = np.bincount(pieces.text, minlength=n)
        read = np.bincount(pieces.text, [len(piece) for piece in pieces.ids], n).astype(np.int64)
        if windows.max() > 1:
            weights = np.array([len(piece) for piece in pieces.ids]) / np.maximum(read, 1)[pieces.text]
            joined = np.zeros((n, vectors.shape[1]))
            several = windows[pieces.text] > 1
            np.add.at(joined, pieces.text[several], vectors[several] * weights[several, None])
            if self.unit:
                joined /= np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-12)
            joined[pieces.text[~several]] = vectors[~several]
            vectors = joined.astype(np.float32)
        return Encoded(vectors, pieces.tokens, windows, read < pieces.tokens)

    def _choose_backbone(self, model: Any, framing: Framing) -> tuple[Backbone, Route]:
        torch_backbone = TorchBackbone(model[0], self.device)
        if self.device == "cpu" and openvino_installed():
            try:
                fast = OpenVINOBackbone(model[0], framing.inputs, self.precision)
                agreement = self._agreement(fast, torch_backbone, framing)
                if agreement >= LEAST_COSINE[self.precision]:
                    return fast, "openvino"
                log.warning("%s: OpenVINO's vectors differ (cosine %.5f); torch is used", self.name, agreement)
            except ModelError as error:
                log.warning("%s: %s; torch is used", self.name, error.message)
        model[0].to(_torch_type(self.precision))
        return torch_backbone, "torch"

    def _agreement(self, one: Backbone, other: Backbone, framing: Framing) -> float:
        """Lowest cosine between two ways to run the model, on texts of several lengths in one padded batch."""
        ids = cut(PROBES, framing, "truncate").ids
        lengths = np.array([len(piece) for piece in ids]) + len(framing.before) + len(framing.after)
        found = []
        for backbone in (one, other):
            hidden = next(iter(backbone.hidden(iter([pad(ids, framing)]))))
            vectors = self._finish(hidden, lengths).astype(np.float64)
            found.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
        return float((found[0] * found[1]).sum(axis=1).min())

    # ------------------------------------------------------------------ sentence-transformers' way

    def _encode_plain(
        self, texts: Sequence[str], overflow: Overflow, most_rows: int, progress: Progress | None
    ) -> Encoded:
        parts: list[np.ndarray] = []
        done = 0
        while done < len(texts):
            block = list(texts[done : done + 32 * self._plain_batch])
            try:
                made = self._model.encode(
                    block,
                    batch_size=min(self._plain_batch, most_rows),
                    convert_to_tensor=True,
                    show_progress_bar=False,
                )
            except (RuntimeError, MemoryError) as error:
                self._shrink_plain(error)
                continue
            parts.append(made.float().cpu().numpy())
            done += len(block)
            if progress is not None:
                progress(done, len(texts))
        tokens = self._count_plain(texts)
        too_long = tokens > self.window if self.window is not None else np.zeros(len(texts), bool)
        if overflow == "windows" and too_long.any():
            log.warning("%s cannot be read in windows: %d rows were cut", self.name, too_long.sum())
        return Encoded(np.concatenate(parts), tokens, np.ones(len(texts), np.int64), too_long)

    def _shrink_plain(self, error: RuntimeError | MemoryError) -> None:
        try:
            raise_if_out_of_memory(error)
        except OutOfMemory as known:
            if self._plain_batch == 1:
                raise ModelError(
                    f"one row does not fit into the memory of {self.device}", "use a smaller model, or another device"
                ) from known
            self._plain_batch //= 2
            _empty_cache(self.device)
            log.info("memory of %s does not suffice; batches shrink to %d rows", self.device, self._plain_batch)
            return
        raise error

    def _count_plain(self, texts: Sequence[str]) -> np.ndarray:
        tokenizer = getattr(self._model, "tokenizer", None)
        if not callable(tokenizer):
            return np.full(len(texts), -1, np.int64)
        return np.array([len(ids) for ids in tokenizer(list(texts), verbose=False)["input_ids"]], np.int64)


def load_encoder(
    model: str = PACKAGED, *, device: str = "cpu", precision: Precision = "auto", revision: str = AUTO
) -> SentenceEncoder:
    """Load a model once per process; the last two are kept.

    Nothing but safetensors is read, no code of the model is run, and nothing is written but the download of a Hugging
    Face model into its own cache.

    Args:
        model: "packaged" (all-MiniLM-L6-v2, installed with the program), a folder, or a Hugging Face name.
        device: "cpu", "cuda" or "mps".
        precision: See `resolve_precision`.
        revision: Commit or fingerprint that the weights must have; "auto" = any.

    Raises:
        ModelError: it is not there, not safe, or not a sentence encoder.
    """
    return _load(model, device, resolve_precision(device, precision), revision)


@lru_cache(2)
def _load(name: str, device: str, precision: str, revision: str) -> SentenceEncoder:
    folder = find_folder(name, revision)
    return SentenceEncoder(_read(folder, name, device), device, precision, name)


def _read(folder: Path, name: str, device: str) -> Any:
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    # Bars and notes on loading and tracing are for people who write models; what matters here is raised or logged.
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        model = SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        )
    except (OSError, ValueError, KeyError, ImportError, AttributeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"'{name}' cannot be loaded as a sentence encoder: {str(error).splitlines()[0] if str(error) else error!r}",
            "name a sentence-transformers model with safetensors weights",
        ) from error
    return model.eval()


def _framing(model: Any, window: int | None) -> tuple[str, Framing | None]:
    """How texts become ids, or why only sentence-transformers itself knows."""
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    first, second = model[0], model[1] if len(model) > 1 else None
    if type(first) is not Transformer or not isinstance(second, Pooling):
        return f"it begins with {type(first).__name__} and {type(second).__name__}", None
    if model.default_prompt_name is not None:
        return "it puts a prompt before every text", None
    text = first.modality_config.get("text", {})
    unusual = "message" in first.modality_config or first.processing_kwargs
    if unusual or text.get("method") != "forward" or text.get("method_output_name") != "last_hidden_state":
        return "it prepares its texts in an unusual way", None
    if getattr(first.tokenizer, "truncation_side", "right") != "right":
        return "it cuts texts from the left", None
    framing = framing_of(first.tokenizer, window)
    return ("its tokenizer does more than put tokens around a text", None) if framing is None else ("", framing)


def _torch_type(precision: str) -> torch.dtype:
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def _empty_cache(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
