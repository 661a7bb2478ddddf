"""Writes the README's table of methods from the methods themselves: `python docs/methods_table.py`."""

from __future__ import annotations

from pathlib import Path

from curation.core.method import discover
from curation.recipe import Recipe, preset_names

BEGIN, END = "<!-- methods: begin -->", "<!-- methods: end -->"


def table() -> str:
    """Markdown rows: presets first, then every family."""
    lines = ["| name | what | class | source |", "|---|---|---|---|"]
    for name in preset_names():
        about = Recipe.read(name).about
        lines.append(f"| `{name}` (preset) | {about['title']} | {about['method_class']} | {about['source']} |")
    for use, cls in sorted(discover().items()):
        lines.append(f"| `{use}` | {cls.title} | {cls.method_class} | {cls.source} |")
    return "\n".join(lines)


def main() -> None:
    """Replace what stands between the two marks."""
    path = Path(__file__).resolve().parents[1] / "README.md"
    text = path.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    path.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
