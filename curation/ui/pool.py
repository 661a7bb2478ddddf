"""What is computed for a dataset, with names for people: maps, scores, labels, selections, coverage.

Only the small manifests are read to list; an artifact is opened when it is asked for, and shared between reruns by its
key, which never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np

from curation.core import given
from curation.core.artifacts import (
    Artifact,
    Coverage,
    Dynamics,
    Features,
    Labels,
    Layout,
    Missing,
    Model,
    Neighbours,
    Score,
    Selection,
    Trial,
)
from curation.core.dataset import Dataset
from curation.core.errors import RecipeError
from curation.core.method import Method, find
from curation.recipe import Recipe, preset_names
from curation.ui import session
from curation.ui.text import number, when
from curation.workspace import ResultInfo

NO_CLUSTER = "no cluster"


@dataclass(frozen=True)
class Stored:
    """One stored result.

    Args:
        info: Its line in the workspace's list.
        name: What people call it; unique among the results of its kind.
    """

    info: ResultInfo
    name: str

    @property
    def key(self) -> str:
        """Of the result."""
        return self.info.key

    @property
    def artifact(self) -> Artifact:
        """The artifact, its numbers memory-mapped and read-only."""
        return session.artifact(self.info.key)

    @property
    def method(self) -> type[Method] | None:
        """The method that made it, None when this version has it no more."""
        try:
            return find(self.info.use)
        except RecipeError:
            return None

    @property
    def parameters(self) -> dict[str, Any]:
        """As it was made."""
        return dict(self.info.manifest.get("parameters", {}))

    @property
    def score(self) -> Score:
        """The artifact of a result listed by `scores`."""
        return cast(Score, self.artifact)

    @property
    def labels(self) -> Labels:
        """The artifact of a result listed by `labels`."""
        return cast(Labels, self.artifact)

    @property
    def selection(self) -> Selection:
        """The artifact of a result listed by `selections`."""
        return cast(Selection, self.artifact)


def _listed(fingerprint: str, kind: str) -> list[ResultInfo]:
    return session.results(fingerprint, kind)


def _named(infos: Iterable[ResultInfo], names: Iterable[str]) -> list[Stored]:
    """Results with their names; a later one of the same name gets a number."""
    taken: dict[str, int] = {}
    found = []
    for info, name in zip(infos, names, strict=True):
        taken[name] = taken.get(name, 0) + 1
        found.append(Stored(info, name if taken[name] == 1 else f"{name} ({taken[name]})"))
    return found


def title_of(use: str) -> str:
    """A method's title, its recipe name where this version has no such method."""
    try:
        return find(use).title or use
    except RecipeError:
        return use


# ------------------------------------------------------------------ scores and labels


def scores(fingerprint: str) -> list[Stored]:
    """Scores of a dataset, in the alphabet."""
    infos = _listed(fingerprint, "score")
    found = _named(infos, [_limited(i, cast(Score, session.artifact(i.key)).name) for i in infos])
    return sorted(found, key=lambda s: s.name.lower())


def _limited(info: ResultInfo, name: str) -> str:
    within = info.manifest.get("within")
    return f"{name} within {within[0]}" if within else name


def labels(fingerprint: str) -> list[Stored]:
    """Labels of a dataset: clusters first, then in the alphabet, duplicates last."""
    infos = _listed(fingerprint, "labels")
    found = _named(infos, [_limited(i, _labels_name(i)) for i in infos])
    return sorted(found, key=lambda s: (s.info.use != "labeller/clusters", is_duplicates(s), s.name.lower()))


def is_duplicates(stored: Stored) -> bool:
    """True for labels that number groups of copies."""
    return stored.info.use.endswith("-duplicates")


def _labels_name(info: ResultInfo) -> str:
    parameters = info.manifest.get("parameters", {})
    if info.use == "labeller/column":
        return str(parameters.get("field") or "source")
    share = f", {100 * parameters['share']:g} %" if "share" in parameters else ""
    return title_of(info.use) + share


def source_labels(dataset: Dataset) -> Labels | None:
    """The source of every row as labels, None when all rows are from one."""
    return given.source_labels(dataset) if len(dataset.facts.get("sources", [])) > 1 else None


def duplicates(fingerprint: str) -> list[Stored]:
    """Labels that say which rows are copies of which."""
    return [s for s in labels(fingerprint) if is_duplicates(s)]


def copies(stored: Stored) -> Labels:
    """Whether a row has copies, for colours: a hundred numbered groups of two say nothing on a map."""
    groups = stored.labels
    codes = np.where(np.asarray(groups.codes) >= 0, 0, 1).astype(np.int32)
    return Labels(groups.dataset, codes, ("has copies", "has none"), Missing.none(len(groups)))


# ------------------------------------------------------------------ maps, vectors, graph


def best_layout(fingerprint: str) -> Stored | None:
    """The newest map by meaning; before there is one, the newest preview."""
    infos = _listed(fingerprint, "layout")
    best = next((i for i in infos if not i.manifest.get("parameters", {}).get("preview")), infos[0] if infos else None)
    return None if best is None else Stored(best, "Preview" if is_preview(best) else "Map")


def is_preview(info: ResultInfo) -> bool:
    """True for a quick map that a better one will replace."""
    return bool(info.manifest.get("parameters", {}).get("preview"))


def layout_of(stored: Stored) -> Layout:
    """The artifact of a map."""
    return cast(Layout, stored.artifact)


def clusters_of(fingerprint: str, layout: Stored | None) -> Stored | None:
    """The clusters of this map, else the newest clusters."""
    found = [s for s in labels(fingerprint) if s.info.use in ("labeller/clusters", "labeller/kmeans")]
    same = [s for s in found if layout and s.info.manifest.get("ports", {}).get("layout") == layout.key]
    best = same or found
    return best[0] if best else None


def newest_features(fingerprint: str) -> Stored | None:
    """Vectors by meaning, newest first; word counts and reduced vectors only if there is nothing else."""
    infos = _listed(fingerprint, "features")
    second_choice = ("encoder/tfidf", "encoder/pca")
    best = next((i for i in infos if i.use not in second_choice), infos[0] if infos else None)
    return None if best is None else Stored(best, title_of(best.use))


def newest_neighbours(fingerprint: str, features: str | None) -> Neighbours | None:
    """The k-NN graph of some vectors, None when there is none."""
    for info in _listed(fingerprint, "neighbours"):
        if info.manifest.get("ports", {}).get("features") == features:
            return cast(Neighbours, session.artifact(info.key))
    return None


# ------------------------------------------------------------------ models


def models(fingerprint: str) -> list[Stored]:
    """Models that were loaded or trained for a dataset, newest first."""
    infos = _listed(fingerprint, "model")
    return _named(infos, [model_name(i) for i in infos])


def trained(fingerprint: str) -> list[Stored]:
    """Everything with measurements of a training: Dynamics, and Models that recorded some; newest first."""
    infos = [i for i in session.results(fingerprint) if i.kind in ("dynamics", "model")]
    infos = [i for i in infos if cast(Dynamics, session.artifact(i.key)).measures]
    return _named(infos, [model_name(i) for i in infos])


def model_name(info: ResultInfo) -> str:
    """What a model is called: its own name, how it was made, its age."""
    made = session.artifact(info.key)
    own = made.name if isinstance(made, Model) and made.name else info.step
    return f"{own} · {title_of(info.use)} · {when(info.created)}"


# ------------------------------------------------------------------ trials


def trials(fingerprint: str) -> list[Stored]:
    """Trials of a dataset, newest first."""
    infos = _listed(fingerprint, "trial")
    return _named(infos, [_trial_name(i) for i in infos])


def _trial_name(info: ResultInfo) -> str:
    made = cast(Trial, session.artifact(info.key))
    tried = dict.fromkeys(str(a["selection"]) for a in made.arms if a["kind"] == "selection")
    return f"{' and '.join(tried)} · {when(info.created)}"


# ------------------------------------------------------------------ selections


def selections(fingerprint: str) -> list[Stored]:
    """Selections of a dataset, newest first; the results of recipes before the selections made on the way."""
    infos = _listed(fingerprint, "selection")
    # named from the oldest on, so that a name that was given stays
    named = _named(infos[::-1], [selection_name(i) for i in infos[::-1]])[::-1]
    return sorted(named, key=lambda s: not is_result(s.key, s.info.step, str(s.info.manifest.get("recipe", ""))))


def selection_name(info: ResultInfo) -> str:
    """What a selection is called: method or preset, rows, when it was made."""
    picked = len(cast(Selection, session.artifact(info.key)))
    recipe = str(info.manifest.get("recipe", ""))
    title = preset_title(info.key, info.step, recipe) or title_of(info.use)
    detail = _detail(info.manifest.get("parameters", {}))
    return f"{title}{detail} · {number(picked)} rows · {when(info.created)}"


def _detail(parameters: dict[str, Any]) -> str:
    parts = [f"{word} {parameters[word]:g}" for word in ("above", "below") if parameters.get(word) is not None]
    if parameters.get("values"):
        parts.append(", ".join(map(str, parameters["values"][:3])))
    return f" ({' and '.join(parts)})" if parts else ""


def is_result(key: str, step: str, recipe: str) -> bool:
    """True when a step was the result of the recipe that it was made by, or an arm of a recipe with several."""
    result, arms, _ = _made_by(recipe)
    return step in arms.values() if arms else bool(result) and result == step


def preset_title(key: str, step: str, recipe: str) -> str:
    """The title of the preset whose result a step was, "" otherwise."""
    result, arms, title = _made_by(recipe)
    if not arms:
        return title if result and result == step else ""
    preset = next((name for name, arm in arms.items() if arm == step), "")
    return str(Recipe.read(preset).about.get("title", "")) if preset in preset_names() else ""


@lru_cache(512)
def _made_by(recipe: str) -> tuple[str, dict[str, str], str]:
    """Of a recipe's text: the step of its result, name → step where it runs several presets or selections, title."""
    if not recipe:
        return "", {}, ""
    read = Recipe.read(recipe)
    arms = read.about.get("arms")
    named = {str(name): str(step) for name, step in arms.items()} if isinstance(arms, dict) else {}
    return read.result.removeprefix("$"), named, str(read.about.get("title", ""))


def features_of(stored: Stored, fingerprint: str) -> tuple[str, Features] | None:
    """The vectors that a selection was made from, else the newest ones: key and artifact."""
    key = stored.info.manifest.get("ports", {}).get("features")
    if isinstance(key, str) and session.workspace().has(key):
        return key, cast(Features, session.artifact(key))
    newest = newest_features(fingerprint)
    return None if newest is None else (newest.key, cast(Features, newest.artifact))


def coverage_key(fingerprint: str, selection: str) -> str | None:
    """Key of the newest coverage measured for a selection, None when there is none."""
    for info in _listed(fingerprint, "coverage"):
        if info.manifest.get("ports", {}).get("selection") == selection:
            return info.key
    return None


def coverage_of(fingerprint: str, selection: str) -> Coverage | None:
    """The newest coverage measured for a selection, None when there is none."""
    key = coverage_key(fingerprint, selection)
    return None if key is None else cast(Coverage, session.artifact(key))


def full_order(stored: Stored) -> Selection:
    """The longest stored order of a nested selection; the selection itself when its order is not nested."""
    key = stored.info.manifest.get("order_key")
    found = session.workspace().order(key) if key else None
    return stored.selection if found is None or len(found) < len(stored.selection) else found
