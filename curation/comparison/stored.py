"""What a workspace holds to compare by: scores, labels, sources of the same rows."""

from __future__ import annotations

from typing import cast

from curation.core.artifacts import Labels, Score
from curation.core.dataset import Dataset
from curation.core.given import source_labels
from curation.workspace import ResultInfo, Workspace

SOURCE = "source"
SHOWN_LABELLERS = (
    "labeller/clusters",
    "labeller/kmeans",
    "labeller/language",
    "labeller/column",
    "labeller/bands",
)
"""Labels whose shares tell something; groups of duplicates and splits are left aside."""
SAME_IN_NAME = ("field", "text", "measure", "kind", "unit")
"""Parameters that tell two results of one method apart for people."""


def stored_scores(workspace: Workspace, dataset: str) -> dict[str, tuple[str, Score]]:
    """Key → name and Score: the newest of each method and measure, newest first."""
    found = _newest(workspace, dataset, Score.kind)
    return {info.key: (name, cast(Score, workspace.load(info.key))) for name, info in found.items()}


def stored_labels(workspace: Workspace, dataset: Dataset) -> dict[str, tuple[str, Labels]]:
    """Key → name and Labels: the sources, then the newest of each labeller and field, newest first.

    A labelling that calls all rows alike tells nothing, and is passed over.
    """
    found: dict[str, tuple[str, Labels]] = {SOURCE: (SOURCE, source_labels(dataset))}
    names: set[str] = set()
    for info in workspace.results(dataset.fingerprint):
        if info.kind != Labels.kind or info.use not in SHOWN_LABELLERS:
            continue
        name = _name(info)
        field = info.manifest.get("parameters", {}).get("field", "")
        if name in names or field is None:  # a column of no field is the source
            continue
        labels = cast(Labels, workspace.load(info.key))
        if len(labels.names) > 1:
            names.add(name)
            found[info.key] = (name, labels)
    return found


def _newest(workspace: Workspace, dataset: str, kind: str) -> dict[str, ResultInfo]:
    """Name → the newest result of this name."""
    found: dict[str, ResultInfo] = {}
    for info in workspace.results(dataset):
        if info.kind == kind:
            found.setdefault(_name(info), info)
    return found


def _name(info: ResultInfo) -> str:
    """Of the method, with the parameters that tell its results apart for people."""
    given = info.manifest.get("parameters", {})
    more = ", ".join(str(given[name]) for name in SAME_IN_NAME if isinstance(given.get(name), str))
    return info.use.rpartition("/")[2] + (f" ({more})" if more else "")
