"""How the vectors of a stored result were made, as far as a query must repeat it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from curation.core.errors import CurationError
from curation.models.sentence import AUTO, PACKAGED, Overflow, Precision
from curation.workspace import ResultInfo, Workspace

MOST_LETTERS = 10_000
"""Longer queries are refused: no model reads so much, and a request must fit into a pipe."""


@dataclass(frozen=True)
class Network:
    """The model that reads texts, as `encoder/sentence` names it; two with equal fields share a process."""

    model: str
    revision: str
    precision: Precision


@dataclass(frozen=True)
class Projection:
    """A change of vectors after the network: the stored `encoder/pca` of this key, made from the vectors `source`."""

    key: str
    source: str
    parameters: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Space:
    """What a query passes through on its way among stored vectors.

    Args:
        network: Reads the text.
        overflow: What happens to queries longer than the network reads.
        projections: Applied in this order.
    """

    network: Network
    overflow: Overflow
    projections: tuple[Projection, ...] = ()


def searchable(info: ResultInfo) -> bool:
    """Whether a text can be brought among these vectors, by the method that made them; nothing is opened."""
    return info.kind == "features" and info.use in ("encoder/sentence", "encoder/pca")


def space_of(workspace: Workspace, features_key: str) -> Space:
    """Reads from the manifests how stored vectors were made.

    Args:
        workspace: Where they are.
        features_key: Of the result.

    Raises:
        CurationError: there is no such result, it holds no vectors, or no text can be brought among them.
    """
    projections: list[Projection] = []
    key = features_key
    while True:
        manifest = workspace.manifest(key)
        use, parameters = str(manifest.get("use", "")), dict(manifest.get("parameters", {}))
        if manifest.get("kind") != "features":
            raise CurationError(f"the result {key} holds {manifest.get('kind')}, not vectors", "name vectors of rows")
        if use == "encoder/sentence":
            break
        if use != "encoder/pca":
            raise CurationError(_refusal(use), "compute vectors with encoder/sentence, then search by meaning in them")
        source = manifest.get("ports", {}).get("features")
        if not isinstance(source, str) or not workspace.has(source):
            raise CurationError(
                "the vectors that these were reduced from are no longer stored, so a query cannot be reduced alike",
                "compute vectors with encoder/sentence again",
            )
        projections.append(Projection(key, source, tuple(sorted(parameters.items()))))
        key = source
    network = Network(
        str(parameters.get("model", PACKAGED)),
        str(parameters.get("revision", AUTO)),
        cast(Precision, parameters.get("precision", AUTO)),
    )
    overflow: Literal["windows", "truncate"] = "truncate" if parameters.get("overflow") == "truncate" else "windows"
    return Space(network, overflow, tuple(reversed(projections)))


def _refusal(use: str) -> str:
    if use == "encoder/tfidf":
        return "word counts (encoder/tfidf) keep no vocabulary, so a new text has no place among them"
    return f"a text cannot be brought among vectors made by {use or 'an unknown method'}"


def checked_text(text: str) -> str:
    """A query that can be encoded; halves of character pairs, which no tokenizer takes, become question marks.

    Raises:
        CurationError: it is empty, or longer than `MOST_LETTERS`.
    """
    text = text.encode("utf-8", "replace").decode()
    if not text.strip():
        raise CurationError("there is no text to search for", "write what the rows should be about")
    if len(text) > MOST_LETTERS:
        raise CurationError(
            f"the text has {len(text):,} characters, a search takes {MOST_LETTERS:,}", "search for a part of it"
        )
    return text
