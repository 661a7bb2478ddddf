"""Who may import whom: imports point down, and heavy packages wait inside functions.

Every file is read, none is run. A file that belongs to no room is an error: give a new module its place here.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the bottom up. Rooms on one line stand side by side and do not import each other; a file may import its own room.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("core",),
    ("linalg",),
    ("models",),
    ("layout", "neighbours", "figures"),
    ("readers", "encoders", "labellers", "scorers", "selectors", "trainers", "generators", "exporters"),
    ("coverage", "trial"),
    ("workspace", "backends"),
    ("recipe", "presets"),
    ("estimates", "complete"),
    ("engine",),
    ("views", "comparison"),
    ("jobs", "query_encoder"),
    ("api", "serve"),
    ("cli", "ui", "__main__"),
    ("app", "pages"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
PUBLIC_API = "__init__"  # curation/__init__.py: the names that users import; it may import all below ui

NEVER_AT_TOP = (
    "torch", "transformers", "sentence_transformers", "openvino", "umap", "hdbscan", "pynndescent", "sklearn", "ray",
    "openai", "datasets", "rensa", "py3langid", "icu4py",
)  # fmt: skip
ONLY_IN = {"streamlit": ("app", "pages", "ui"), "plotly": ("figures",)}
LIGHT_CORE = {"numpy", "pyarrow", "pydantic", "orjson"}  # all that core may use beside the standard library


@dataclass(frozen=True)
class Import:
    """One import statement: the module, the line, whether it runs when the file is imported, or never (hints only)."""

    module: str
    line: int
    at_top: bool
    for_types: bool


def imports_of(text: str, package: str = "") -> list[Import]:
    """Every import in a file, also in functions.

    Args:
        text: Python source.
        package: Dotted name of the package that the file is in, for relative imports.
    """
    found: list[Import] = []

    def visit(node: ast.AST, at_top: bool, for_types: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, at_top, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            # `from curation import layout` names a module, `from curation.core import errors` too: both are looked at
            found.extend(Import(f"{base}.{alias.name}", node.lineno, at_top, for_types) for alias in node.names)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        hints = for_types or _for_types(node)
        for child in ast.iter_child_nodes(node):
            visit(child, at_top and not inside and not hints, hints)

    visit(ast.parse(text), True, False)
    return found


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def room_of(module: str) -> str | None:
    """The room of a module of the project (`curation.core.errors` → core), None for any other."""
    parts = module.split(".")
    if parts[0] in ("app", "pages"):
        return parts[0]
    if parts[0] != "curation":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in FLOOR else PUBLIC_API


def module_of(path: Path) -> str:
    """The dotted name of a file, `__init__` kept."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def violations(module: str, text: str) -> list[str]:
    """What a file does against the rules, one sentence each."""
    room, wrong = room_of(module), []
    package = module.rpartition(".")[0]
    for found in imports_of(text, package):
        other, top = room_of(found.module), found.module.split(".")[0]
        place = f"{module}:{found.line} imports {found.module}"
        if other is not None and not _may(str(room), other):
            wrong.append(f"{place}: {room} may not import {other}")
        if found.at_top and top in NEVER_AT_TOP:
            wrong.append(f"{place} at the top: import it inside the function that needs it")
        if top in ONLY_IN and room not in ONLY_IN[top] and not found.for_types:
            wrong.append(f"{place}: only {', '.join(ONLY_IN[top])} may")
    return wrong


def _may(room: str, other: str) -> bool:
    if room == PUBLIC_API:
        return FLOOR[other] < FLOOR["ui"]
    if other == PUBLIC_API:
        return FLOOR[room] > FLOOR["api"]  # only those above the Python API may use it
    return room == other or FLOOR[other] < FLOOR[room]


FILES = sorted(
    [*(ROOT / "curation").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), *(p for p in [ROOT / "app.py"] if p.exists())]
)


def test_every_file_has_a_room():
    homeless = [
        module_of(p) for p in FILES if room_of(module_of(p)) == PUBLIC_API and module_of(p) != "curation.__init__"
    ]
    assert not homeless, f"give these a floor in {Path(__file__).name}: {homeless}"
    assert len(FILES) > 50


@pytest.mark.parametrize("path", FILES, ids=[module_of(p) for p in FILES])
def test_imports_point_down(path):
    assert violations(module_of(path), path.read_text(encoding="utf-8")) == []


def test_core_uses_light_packages_only():
    import sys

    for path in (ROOT / "curation" / "core").glob("*.py"):
        tops = {found.module.split(".")[0] for found in imports_of(path.read_text(encoding="utf-8"), "curation.core")}
        # the device is resolved in core, and asks torch
        assert tops - LIGHT_CORE - {"curation", "torch"} <= sys.stdlib_module_names, path.name


@pytest.mark.parametrize(
    ("module", "text", "word"),
    [
        ("curation.core.x", "from curation.linalg import knn", "core may not import linalg"),
        (
            "curation.linalg.x",
            "def f():\n    from curation.models.words import segment",
            "linalg may not import models",
        ),
        ("curation.scorers.x", "import curation.selectors.random", "scorers may not import selectors"),
        ("curation.layout", "from curation import neighbours", "layout may not import neighbours"),
        ("curation.selectors.x", "from ..labellers import kmeans", "selectors may not import labellers"),
        ("curation.models.x", "import torch", "inside the function"),
        ("curation.models.x", "try:\n    import torch.nn\nexcept ImportError:\n    raise", "inside the function"),
        ("curation.models.x", "class A:\n    import openai", "inside the function"),
        ("curation.coverage", "def f():\n    import plotly.express", "only figures may"),
        ("curation.jobs", "import streamlit as st", "only app, pages, ui may"),
        ("curation.ui.x", "from pages import map", "ui may not import pages"),
        ("curation.scorers.x", "import curation", "scorers may not import __init__"),
        ("curation.__init__", "def f():\n    from curation.ui import forms", "__init__ may not import ui"),
    ],
)
def test_what_is_not_allowed_is_seen(module, text, word):
    found = violations(module, text)
    assert len(found) == 1
    assert word in found[0]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("curation.selectors.modn", "from curation.selectors.k_center import k_center_greedy"),
        ("curation.selectors.x", "from ._build import cut"),
        ("curation.models.x", "def f():\n    import torch"),
        ("curation.models.x", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
        ("curation.__init__", "from curation.api import load"),
        ("curation.api", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import plotly.graph_objects as go"),
        ("curation.ui.x", "import streamlit\nfrom curation.jobs import start\nimport curation"),
        ("pages.map", "import streamlit\nfrom curation.ui import components\nfrom curation.figures import map"),
    ],
)
def test_what_is_allowed_passes(module, text):
    assert violations(module, text) == []
