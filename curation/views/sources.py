"""Where conditions find what they ask about: scores, labels, maps, vectors, selections and decisions of a workspace."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from curation.core.artifacts import Artifact, Features, Labels, Layout, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, RecipeError
from curation.core.given import response_length, source_labels
from curation.core.method import find
from curation.selectors._filter_run import BUILTIN
from curation.views.conditions import LENGTH, SOURCE
from curation.workspace import Workspace
from curation.workspace.decisions import DecisionLog, Decisions

A = TypeVar("A", bound=Artifact)
OPEN_AT_ONCE = 256
_AWAY = "take this condition away, or make the result again"


@dataclass(frozen=True)
class Named:
    """A result that an expression may name.

    Args:
        key: Of the result.
        kind: "score" or "labels".
    """

    key: str
    kind: str


def simple_name(name: str) -> str:
    """A name that SQL takes without quotes: `length (response, tokens)` → `length_response_tokens`."""
    plain = re.sub(r"\W+", "_", name).strip("_").lower() or "unnamed"
    return f"_{plain}" if plain[0].isdigit() else plain


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

    def named(self) -> dict[str, Named]:
        """All scores and labels by the names that expressions may use, the newest of each name."""
        ...

    def kind(self, key: str) -> str:
        """The kind of a result, such as "score" or "labels"; "" when there is none."""
        ...

    def title(self, key: str) -> str:
        """What people call a result."""
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
            raise CurationError(f"the {what} of this condition ({key}) is no longer in the workspace", _AWAY)
        found = _opened(self.name, key)
        if not isinstance(found, kind) or found.dataset != self.dataset.fingerprint:
            raise CurationError(f"{key} is no {what} of this dataset", _AWAY)
        return found

    def score(self, key: str) -> Score:
        """The score of a key, or the length of the response."""
        if key == LENGTH:
            return response_length(self.dataset)
        return self._artifact(key, Score, "score")

    def labels(self, key: str) -> Labels:
        """The labels of a key, or the file that each row is from."""
        if key == SOURCE:
            return source_labels(self.dataset)
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

    def named(self) -> dict[str, Named]:
        """All scores and labels by the names that expressions may use: letters, digits and _; newest of each name."""
        found: dict[str, Named] = {}
        for info in self.workspace.results(self.dataset.fingerprint):
            if info.kind not in ("score", "labels"):
                continue
            name = simple_name(self._own_name(info.key))
            found.setdefault(f"{name}_{info.kind}" if name in BUILTIN else name, Named(info.key, info.kind))
        return found

    def kind(self, key: str) -> str:
        """The kind of a result, such as "score" or "labels"; "" when there is none."""
        if key in (LENGTH, SOURCE):
            return "score" if key == LENGTH else "labels"
        return str(self.workspace.manifest(key)["kind"]) if self.workspace.has(key) else ""

    def _own_name(self, key: str) -> str:
        made = _opened(self.name, key)
        if isinstance(made, Score):
            return made.name
        manifest = self.workspace.manifest(key)
        if manifest["use"] == "labeller/column":
            return str(manifest.get("parameters", {}).get("field") or SOURCE)
        return str(manifest["step"])

    def title(self, key: str) -> str:
        """What people call a result: a score's own name, the field of labels, else the title of the method."""
        if key in (LENGTH, SOURCE):
            return "response length" if key == LENGTH else "source"
        if not self.workspace.has(key):
            raise CurationError(f"the result {key} of this condition is no longer in the workspace", _AWAY)
        manifest = self.workspace.manifest(key)
        if manifest["kind"] == "score" or manifest["use"] == "labeller/column":
            return self._own_name(key)
        try:
            return find(manifest["use"]).title or str(manifest["step"])
        except RecipeError:
            return str(manifest["step"])

    def decisions(self) -> Decisions:
        """What was decided by hand."""
        return DecisionLog(self.workspace, self.dataset).state()

    def embed(self, text: str, features: str) -> np.ndarray:
        """The vector of a text among stored vectors, float `[d]`."""
        if self._embed is None:
            raise CurationError("no text can be compared with rows here", "open the view in the app")
        return self._embed(text, features)
