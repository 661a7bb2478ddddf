"""A small workspace with a result of every kind that a condition can ask about."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Features, Labels, Layout, Missing, Score, Selection
from curation.core.dataset import Row
from curation.views import WorkspaceSources
from curation.workspace import Workspace

N = 48
WORDS = ("river", "stone", "Lamp", "grün", "слово", "seven")


def rows() -> list[Row]:
    rng, made = np.random.default_rng(5), []
    for i in range(N):
        prompt = f"Say {i}: {' '.join(rng.choice(WORDS, 3))}?"
        response = " ".join(rng.choice(WORDS, rng.integers(0, 9)))
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        record = {"instruction": prompt, "output": response, "rating": int(i % 5), "kind": ["a", "b", None][i % 3]}
        made.append(Row(messages, json.dumps(record), ("one.json", "it's.json")[i % 2], i, "alpaca"))
    return made


def artifacts(name: str) -> dict[str, tuple[str, object]]:
    """Key → recipe name of a method, artifact."""
    rng = np.random.default_rng(1)
    values, places = rng.normal(size=N), rng.normal(0, 4, (N, 2)).astype(np.float32)
    gaps = np.isin(np.arange(N), (3, 11, 30))
    values[gaps], places[gaps] = np.nan, np.nan
    extra = np.round(rng.normal(size=N), 1)
    extra[7] = np.nan
    missing = Missing.where(gaps, "made so")
    vectors = rng.normal(size=(N, 5)).astype(np.float32)
    vectors[20] = vectors[9]
    vectors[gaps] = np.nan
    codes = rng.integers(-1, 3, N).astype(np.int32)
    codes[gaps] = -1
    order = rng.permutation(N)
    short, plain = order[:10], np.sort(order[5:20])
    return {
        "quality": ("scorer/column", Score(name, values, missing, "Quality (1–10)", True, {"extra": extra})),
        "topic": ("labeller/clusters", Labels(name, codes, ("a", "b", "it's"), missing)),
        "map": ("layout", Layout(name, places, missing)),
        "vectors": ("encoder/sentence", Features(name, vectors, missing)),
        "nested": ("selector/k-center", Selection(name, N, short, nested=True)),
        "plain": ("selector/random", Selection(name, N, plain)),
        "longer": ("selector/k-center", Selection(name, N, order[:30], nested=True)),
    }


class Made:
    """The workspace, its dataset, and its sources."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace.open(folder)
        self.dataset = self.workspace.add_rows(rows(), "made").dataset
        self.made = artifacts(self.dataset.fingerprint)
        for key, (use, artifact) in self.made.items():
            facts = {"use": use, "step": key, "parameters": {}, "ports": {}, "recipe": "", "bindings": {}}
            if key == "longer":
                self.workspace.publish_order("the-order", artifact, facts)  # type: ignore[arg-type]
                continue
            facts["order_key"] = "the-order" if key == "nested" else None
            self.workspace.publish(key, artifact, facts)  # type: ignore[arg-type]
        self.sources = WorkspaceSources(self.workspace, self.dataset, embed=self.embed)
        self.asked = 0

    def embed(self, text: str, features: str) -> np.ndarray:
        """A text is as its letters."""
        self.asked += 1
        return np.random.default_rng(list(text.encode())).normal(size=5)

    def artifact(self, key: str) -> object:
        return self.made[key][1]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The workspace; some rows are decided. Treat it as read-only."""
    found = Made(tmp_path_factory.mktemp("views") / "workspace")
    log = found.workspace.decisions(found.dataset)
    log.drop([4, 5, 6])
    log.keep([6, 7, 8])
    log.note(9, "odd")
    return found


@pytest.fixture
def fresh(tmp_path: Path) -> Made:
    """A workspace of its own."""
    return Made(tmp_path / "workspace")
