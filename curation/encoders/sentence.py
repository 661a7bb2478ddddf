"""Features from a sentence encoder: rows that mean alike get vectors that point alike."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Missing
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Encoder, Size
from curation.core.runtime import Runtime
from curation.models.sentence import (
    AUTO,
    PACKAGED,
    Overflow,
    Precision,
    known_languages,
    load_encoder,
    resolve_precision,
    revision_of,
)

NO_TEXT = "no text"
USUAL_DIMS = 384


class Sentence(Encoder):
    """Vectors from a sentence-transformers model; the packaged one (all-MiniLM-L6-v2) needs no network.

    Rows longer than the model's window (256 tokens for the packaged one, about 190 English words) are read in windows,
    whose vectors are averaged by their tokens, or cut; columns `windows` and `cut` say which. Rows without text are
    missing. Columns: `tokens`, by the model's own tokenizer; `windows`; `cut`, 1 where the end was not read.

    On a CPU with bf16 about 130 rows of 100 tokens a second on two cores; half precision on GPUs.
    """

    title: ClassVar[str] = "Sentence encoder"
    weakness: ClassVar[str] = (
        "Knows the languages it was made for, the packaged one only English; sees topic before skill."
    )
    source: ClassVar[str] = "Sentence-BERT (Reimers & Gurevych 2019, arXiv:1908.10084); model: all-MiniLM-L6-v2"
    row_wise: ClassVar[bool] = True

    text: WhichText = Field("both", description="which text is read: the prompt, the response or both")
    model: str = Field(
        PACKAGED,
        min_length=1,
        description="packaged, a folder, or the Hugging Face name of a sentence-transformers model",
    )
    overflow: Overflow = Field(
        "windows",
        description="rows longer than the model reads: windows averages over their parts, truncate cuts the end",
    )
    precision: Precision = Field("auto", description="number format of the model; auto: half where the hardware has it")
    revision: str = Field(AUTO, min_length=1, description="commit or fingerprint of the weights; auto fills it in")

    def resolve(self, runtime: Runtime) -> Self:
        """Write the precision and the identity of the weights into the recipe."""
        precision = resolve_precision(runtime.device, self.precision)
        revision = revision_of(self.model) if self.revision == AUTO else self.revision
        return self.model_copy(update={"precision": precision, "revision": revision})

    def languages(self) -> set[str] | None:
        """ISO 639 codes of the languages that the model was made for, None when nobody says."""
        return known_languages(self.model, self.revision)

    def encode(self, pool: Dataset, runtime: Runtime) -> Features:
        """Encode all rows of `pool`.

        Args:
            pool: The rows.
            runtime: Device, rows in a batch at most, progress.

        Raises:
            ModelError: the model cannot be loaded, or one row does not fit into memory.
        """
        encoder = load_encoder(self.model, device=runtime.device, precision=self.precision, revision=self.revision)
        texts = pool.texts(self.text)
        there = np.array([bool(text.strip()) for text in texts], bool)
        rows = np.flatnonzero(there)
        found = encoder.encode(
            [texts[row] for row in rows],
            overflow=self.overflow,
            most_rows=runtime.batch_size,
            progress=lambda done, total: runtime.progress(done, total),
        )
        values = np.full((len(texts), encoder.dims), np.nan, np.float32)
        values[rows] = found.vectors
        columns = {"tokens": found.tokens, "windows": found.windows, "cut": found.cut}
        return Features(
            pool.fingerprint,
            values,
            Missing.where(~there, NO_TEXT),
            {name: _spread(column, rows, len(texts)) for name, column in columns.items()},
            {"encoder": self.model, "precision": encoder.precision, "window": encoder.window or 0, "text": self.text},
        )

    def memory(self, size: Size) -> float:
        """Model, its libraries, token ids of a block, and the vectors."""
        return 900e6 + 4.0 * USUAL_DIMS * size.rows

    def disk(self, size: Size) -> float:
        """Vectors and three columns."""
        return (4.0 * USUAL_DIMS + 12.0) * size.rows


def _spread(values: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    out = np.full(n, -1, np.int32)
    out[rows] = values
    return out
