"""The browser's side: plain scripts that lie beside this file and are joined into one module for each component."""

from __future__ import annotations

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent

PARTS = {
    "feeder": ("registry", "feeder"),
    "hover": ("registry", "hover"),
    "map": ("registry", "map"),
    "engine": (
        "registry", "geometry", "rows", "view", "scene", "painter", "dom", "overlay", "legend", "track", "cut",
        "budget", "limits", "toolbar", "lasso", "pointing", "sender", "gestures", "words", "point_map", "engine",
    ),
}  # fmt: skip


@cache
def script(name: str) -> str:
    """The ES module of a component: its parts share one scope, the last one has the default export."""
    return "\n".join((HERE / f"{part}.js").read_text("utf-8") for part in PARTS[name])


@cache
def style() -> str:
    """The map's style sheet."""
    return (HERE / "point_map.css").read_text("utf-8")
