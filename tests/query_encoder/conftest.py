"""A workspace with vectors made by a tiny random encoder, by the engine, as jobs make them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from curation.core.dataset import Row
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

RECIPE = """
inputs: {pool: Dataset}
steps:
  embed: {use: encoder/sentence, on: $pool, model: MODEL, precision: fp32, text: prompt, overflow: OVERFLOW}
  words: {use: encoder/tfidf, on: $pool, dims: 4}
  fewer: {use: encoder/pca, on: $pool, features: $embed, variance: 0.9}
  unit: {use: encoder/pca, on: $pool, features: $embed, variance: 0.8, unit: true}
  twice: {use: encoder/pca, on: $pool, features: $fewer, variance: 0.8}
  rest: {use: selector/rows, rows: "0-19", on: $pool}
  part: {use: encoder/pca, on: $pool, features: $embed, within: $rest}
result: RESULT
"""
LONG = "the rain plays a song for the table now, and " * 12  # more than the 64 tokens that the model reads
TEXTS = [
    "play a song", "book a table for two", "rain now?", LONG, LONG + "books", "x", "tables and books",
    "songs of the rain",
    *(f"row number {i} plays {'rain ' * (i % 4)}{'songs ' * (i % 7)}for {i}" for i in range(22)),
]  # fmt: skip


class Made(NamedTuple):
    """A workspace, and the keys of its results by step."""

    workspace: Workspace
    keys: dict[str, str]


def make(root: Path, model: Path, overflow: str = "windows") -> Made:
    """Vectors of TEXTS in a new workspace."""
    workspace = Workspace.open(root)
    rows = []
    for i, text in enumerate([*TEXTS, ""]):
        messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "yes"}]
        rows.append(Row(messages, json.dumps({"instruction": text, "output": "yes"}), "rows", i, "alpaca"))
    workspace.add_rows(rows, "rows")
    text = RECIPE.replace("MODEL", json.dumps(str(model))).replace("OVERFLOW", overflow)
    keys = {}
    for step in ("embed", "words", "fewer", "unit", "twice", "part"):
        planned = plan(Recipe.read(text.replace("RESULT", f"${step}")), workspace, {"pool": "rows"})
        keys[step] = run(planned, workspace).result.key
    return Made(workspace, keys)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Made:
    """Vectors that read long texts in windows; treat it as read-only."""
    return make(tmp_path_factory.mktemp("queries") / "ws", tiny_encoder)
