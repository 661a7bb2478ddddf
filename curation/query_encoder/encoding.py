"""Texts to vectors in this process. Loads the network, so a server asks `curation.query_encoder.asking` instead."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np

from curation.core.artifacts import Features
from curation.core.errors import CurationError
from curation.encoders.pca import Pca, principal_components
from curation.linalg.distances import all_unit_rows
from curation.models.sentence import Precision, SentenceEncoder, load_encoder
from curation.query_encoder.space import Network, Projection, checked_text, space_of
from curation.workspace import Workspace

AGREEMENT = 1e-3
"""Largest difference, as a share of the longest vector, that a projection made again may show on the first rows."""
PROBED = 16


def encode_here(workspace: Workspace, features_key: str, texts: Sequence[str]) -> np.ndarray:
    """Encodes queries as the rows of stored vectors were encoded.

    The model, its weights, its number format and its way with long texts are those of the rows; on a CPU half precision
    for GPUs (fp16) becomes fp32. No prefix is put before the text, since none is put before rows. Vectors reduced by
    `encoder/pca` are projected on the same directions, which are found anew from the vectors before (n·d² once).

    Args:
        workspace: Where the vectors are.
        features_key: Of their result.
        texts: Queries, none empty.

    Returns:
        float32 `[len(texts), d]`.

    Raises:
        CurationError: a query is empty or too long, no text can be brought among these vectors, or the model is gone.
    """
    space = space_of(workspace, features_key)
    texts = [checked_text(text) for text in texts]
    vectors = network_of(space.network).encode(texts, overflow=space.overflow).vectors
    for projection in space.projections:
        vectors = _projected(workspace, projection, vectors)
    return vectors


def network_of(network: Network) -> SentenceEncoder:
    """The network, loaded once per process, on the CPU: a query is too short for anything else to pay."""
    precision: Precision = "fp32" if network.precision == "fp16" else network.precision
    return load_encoder(network.model, device="cpu", precision=precision, revision=network.revision)


def warm_here(workspace: Workspace, features_key: str) -> None:
    """Loads what the first query will need."""
    space = space_of(workspace, features_key)
    network_of(space.network)
    for projection in space.projections:
        _directions(str(workspace.root), projection)


def _projected(workspace: Workspace, projection: Projection, vectors: np.ndarray) -> np.ndarray:
    mean, directions = _directions(str(workspace.root), projection)
    points = all_unit_rows(vectors) if _pca(projection).unit else vectors
    return ((points - mean) @ directions).astype(np.float32)


def _pca(projection: Projection) -> Pca:
    return Pca(**dict(projection.parameters))


@lru_cache(4)
def _directions(root: str, projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Mean `[d]` and directions `[d, c]` of a stored projection, made as it was made and compared with its first rows.

    Raises:
        CurationError: they do not lead to the stored vectors.
    """
    workspace, method = Workspace(Path(root)), _pca(projection)
    source = cast(Features, workspace.load(projection.source))
    stored = cast(Features, workspace.load(projection.key))
    rows = np.flatnonzero(~stored.missing.mask)
    points = np.asarray(source.values if len(rows) == len(stored) else source.values[rows])
    points = all_unit_rows(points) if method.unit else points
    found = principal_components(points, method.variance, most=method.most)
    want = np.asarray(stored.values[rows[:PROBED]])
    again = found.values[:PROBED]
    if again.shape != want.shape or np.abs(again - want).max() > AGREEMENT * np.linalg.norm(want, axis=1).max():
        raise CurationError(
            "the reduced vectors cannot be made again here, so a query cannot be reduced alike",
            "search in the vectors before encoder/pca, or run encoder/pca again",
        )
    return found.mean, found.directions
