"""Where conditions find what they ask about: scores, labels, maps, vectors, selections and decisions of a workspace."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np

from curation.core.artifacts import Artifact, Features, Labels, Layout, Missing, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.views.conditions import LENGTH, SOURCE
from curation.workspace import Workspace
from curation.workspace.decisions import DecisionLog, Decisions

A = TypeVar("A", bound=Artifact)
OPEN_AT_ONCE = 64


class Sources(Protocol):
    """What `evaluate` needs to know about a dataset."""

    dataset: Dataset
    name: str
    """Stands for the place that keys belong to."""

    def score(self, key: str) -> Score:
        """The score of a key, or the length of the response."""
        ...

    def labels(self, key: str) -> Labels:
        """The labels of a key, or the file that each row is from."""
        ...

    def layout(self, key: str) -> Layout:
        """The map of a key."""
        ...

    def features(self, key: str) -> Features:
        """The vectors of a key."""
        ...

    def selection(self, key: str) -> Selection:
        """The selection of a key, at the budget it was made with."""
        ...

    def order(self, key: str) -> Selection:
        """The longest known order of a selection."""
        ...

    def scores(self) -> dict[str, Score]:
        """All scores by name, for expressions."""
        ...

    def all_labels(self) -> dict[str, Labels]:
        """All labels by name, for expressions."""
        ...

    def decisions(self) -> Decisions:
        """What was decided by hand."""
        ...

    def embed(self, text: str, features: str) -> np.ndarray:
        """The vector of a text among stored vectors, float `[d]`."""
        ...


@lru_cache(OPEN_AT_ONCE)
def _opened(root: str, key: str) -> Artifact:
    return Workspace(Path(root)).load(key)


class WorkspaceSources:
    """The sources of a dataset in a workspace.

    Args:
        workspace: Where the results are.
        dataset: Whose rows.
        embed: Makes the vector of a text: (text, key of the vectors) → float `[d]`. Without it, views that ask for
            likeness to a text cannot be answered.
    """

    def __init__(
        self, workspace: Workspace, dataset: Dataset, *, embed: Callable[[str, str], np.ndarray] | None = None
    ) -> None:
        self.workspace, self.dataset, self._embed = workspace, dataset, embed
        self.name = str(workspace.root)

    def _artifact(self, key: str, kind: type[A], what: str) -> A:
        if not self.workspace.has(key):
            raise CurationError(f"the {what} of this filter is no longer in the workspace", "take the filter away")
        found = _opened(self.name, key)
        if not isinstance(found, kind) or found.dataset != self.dataset.fingerprint:
            raise CurationError(f"this filter's {what} belongs to something else", "take the filter away")
        return cast(A, found)

    def score(self, key: str) -> Score:
        """The score of a key, or the length of the response."""
        if key == LENGTH:
            values = self.dataset.lengths("response").astype(np.float64)
            none = Missing.none(len(values))
            return Score(self.dataset.fingerprint, values, none, "response length (characters)")
        return self._artifact(key, Score, "score")

    def labels(self, key: str) -> Labels:
        """The labels of a key, or the file that each row is from."""
        if key == SOURCE:
            column = self.dataset.column("source").combine_chunks().dictionary_encode()
            codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int32)
            names = tuple(column.dictionary.to_pylist())
            return Labels(self.dataset.fingerprint, codes, names, Missing.none(len(codes)))
        return self._artifact(key, Labels, "label")

    def layout(self, key: str) -> Layout:
        """The map of a key."""
        return self._artifact(key, Layout, "map")

    def features(self, key: str) -> Features:
        """The vectors of a key."""
        return self._artifact(key, Features, "vectors")

    def selection(self, key: str) -> Selection:
        """The selection of a key, at the budget it was made with."""
        return self._artifact(key, Selection, "selection")

    def order(self, key: str) -> Selection:
        """The longest known order of a selection."""
        stored = self.selection(key)
        place = self.workspace.manifest(key).get("order_key")
        found = self.workspace.order(str(place)) if place else None
        return stored if found is None or len(found) < len(stored) else found

    def _named(self, kind: str) -> dict[str, Artifact]:
        found: dict[str, Artifact] = {}
        for info in self.workspace.results(self.dataset.fingerprint):
            if info.kind == kind:
                made = _opened(self.name, info.key)
                found.setdefault(made.name if isinstance(made, Score) else info.step, made)
        return found

    def scores(self) -> dict[str, Score]:
        """All scores by name, the newest of each name."""
        return cast("dict[str, Score]", self._named("score"))

    def all_labels(self) -> dict[str, Labels]:
        """All labels by the name of the step that made them, the newest of each name."""
        return cast("dict[str, Labels]", self._named("labels"))

    def decisions(self) -> Decisions:
        """What was decided by hand."""
        return DecisionLog(self.workspace, self.dataset).state()

    def embed(self, text: str, features: str) -> np.ndarray:
        """The vector of a text among stored vectors, float `[d]`."""
        if self._embed is None:
            raise CurationError("a text cannot be encoded here", "open the view in the app")
        return self._embed(text, features)
