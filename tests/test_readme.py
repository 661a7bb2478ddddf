"""What the README shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, after: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", README[README.index(after) :], re.S).group(1)


def test_python_example_runs_as_shown(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("CURATION_WORKSPACE", str(tmp_path / "ws"))
    monkeypatch.chdir(tmp_path)
    demo = json.loads((ROOT / "assets" / "demo.json").read_text())
    (tmp_path / "assets").mkdir()
    # a share of the demo: the same code, a minute less
    (tmp_path / "assets" / "demo.json").write_text(json.dumps(demo[:240]))
    code = block("python", "**Python.**")
    assert len([line for line in code.splitlines() if line.strip() and not line.startswith("import")]) <= 10
    space: dict = {}
    exec(compile(code, "README.md", "exec"), space)
    assert len(json.loads((tmp_path / "subset.json").read_text())) == 100
    assert "covering radius" in capsys.readouterr().out
    assert len(space["figure"].data[0].x) == 240


def test_methods_table_names_every_method():
    from curation import methods

    table = README[README.index("## Methods") :]
    missing = [m["name"] for m in methods() if f"`{m['name']}`" not in table]
    assert not missing, "run: python docs/methods_table.py"


def test_commands_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.M):
        assert f"\n{target}:" in makefile
