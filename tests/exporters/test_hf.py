from __future__ import annotations

import sys

import pytest

from curation.core.errors import MissingDependency
from curation.exporters import export_rows


def test_a_folder_that_datasets_opens(make, ask, tmp_path, pick):
    datasets = pytest.importorskip("datasets")
    ds = make(*[ask(f"q{i}", f"a{i}") for i in range(5)], records=[{"n": i} for i in range(5)])
    made = export_rows(ds, pick(ds, [3, 1]), format="hf", output=tmp_path / "out", order="pick")
    back = datasets.load_from_disk(made.path)
    assert [r["messages"][0]["content"] for r in back] == ["q3", "q1"] and back["n"][:] == [3, 1]
    assert {p.name for p in tmp_path.iterdir()} == {"out", "out.d"}
    assert all(name.startswith(("out/", "out.d/")) for name in made.files)


def test_without_the_package(make, ask, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingDependency, match="datasets") as error:
        export_rows(make(ask("q", "a")), format="hf", output=tmp_path / "out")
    assert "curation[hub]" in error.value.hint
    assert list(tmp_path.iterdir()) == [], "nothing half-written is left"
