"""What targeted selectors share: where their queries come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.core.artifacts import Features, Labels, Selection
from curation.core.errors import CurationError
from curation.linalg.distances import Metric, measurable_rows

FITTED_TO_ITS_ROWS = "tfidf"
"""An encoder whose numbers mean something else in every dataset."""


@dataclass(frozen=True)
class Queries:
    """Examples of what is wanted.

    Args:
        vectors: `[v, d]`, those that can be measured; unit rows for the cosine.
        rows: int64 `[v]`, increasing: their rows, of the pool or of the query file.
        inside: True when they are rows of the pool.
        unusable: How many had no vector, or one without a direction.
    """

    vectors: np.ndarray
    rows: np.ndarray
    inside: bool
    unusable: int


def queries_of(features: Features, targets: Selection | None, queries: Features | None, metric: Metric) -> Queries:
    """The queries of a step: rows of the pool, or of a file of their own.

    Args:
        features: Vectors of the pool.
        targets: Rows of the pool.
        queries: Vectors of another Dataset, by the same encoder.
        metric: For "cosine" queries without a direction cannot be used.

    Raises:
        CurationError: if neither or both are given, none can be used, or the two kinds of vectors do not compare.
    """
    if (targets is None) == (queries is None):
        given = "neither targets nor queries were given" if targets is None else "targets and queries were both given"
        raise CurationError(
            given,
            "give one:  targets: $STEP  (rows of this pool)  or  queries: $STEP  (an encoder's step on the query file)",
        )
    if queries is None:
        assert targets is not None
        source, asked, inside = features, np.sort(np.asarray(targets.order, np.int64)), True
    else:
        _comparable(features, queries)
        source, asked, inside = queries, np.arange(len(queries)), False
    if not len(asked):
        raise CurationError("there is no query: the targets hold no row", "select some rows, or name a query file")
    present = asked[~source.missing.mask[asked]]
    rows, vectors = measurable_rows(np.asarray(source.values), present, metric)
    if not len(rows):
        raise CurationError(
            f"none of the {len(asked):,} queries has a usable vector", "look at the step that made their features"
        )
    return Queries(np.asarray(vectors), rows, inside, len(asked) - len(rows))


def _comparable(features: Features, queries: Features) -> None:
    ours, theirs = np.asarray(features.values).shape[1], np.asarray(queries.values).shape[1]
    if ours != theirs:
        raise CurationError(
            f"queries have {theirs} numbers each, features {ours}", "embed both with the same encoder and parameters"
        )
    made, asked = features.info.get("encoder"), queries.info.get("encoder")
    if made and asked and made != asked:
        raise CurationError(
            f"queries were embedded by {asked}, features by {made}", "embed both with the same encoder and parameters"
        )
    if made == FITTED_TO_ITS_ROWS and features.dataset != queries.dataset:
        raise CurationError(
            "word counts (tfidf) of two files do not compare: each is fitted to its own rows",
            "use encoder/sentence for both, or add the queries to the pool's files and give them as targets",
        )


def tasks_of(
    labels: Labels | None, found: Queries, source: Features
) -> tuple[list[np.ndarray], tuple[str, ...]] | None:
    """Queries of each task, as positions in `found`, in the order of the labels' names; None without labels.

    Queries without a task are in none.

    Args:
        labels: Of the rows that the queries come from.
        found: The queries.
        source: Vectors of the rows that they come from.

    Raises:
        CurationError: if the labels belong to other rows, or no query has a task.
    """
    if labels is None:
        return None
    whose = "the pool" if found.inside else "the query file"
    if len(labels) != len(source):
        raise CurationError(
            f"query_tasks are labels of {len(labels):,} rows, {whose} has {len(source):,}",
            "label the rows that the queries come from",
        )
    if labels.dataset != source.dataset:
        raise CurationError(
            f"query_tasks are labels of other rows than those of {whose}", "label the rows that the queries come from"
        )
    codes = np.where(labels.missing.mask, -1, np.asarray(labels.codes))[found.rows]
    present = np.unique(codes[codes >= 0])
    if not len(present):
        raise CurationError("no query has a task", "look at the step that made query_tasks, or leave it out")
    return [np.flatnonzero(codes == code) for code in present], tuple(labels.names[code] for code in present)
