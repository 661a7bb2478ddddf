"""Queries and evaluation sets from Python and on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import curation
from curation.cli import main
from curation.core.errors import CurationError, RecipeError
from curation.labellers.contamination import evidence
from curation.recipe import Recipe
from curation.workspace import Workspace

LONG = "A lorry carries nine crates of pears and each of the crates holds forty pears, how many is that?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A pool, a file of queries and an evaluation file; row 4 of the pool is the evaluation's question."""
    made = tmp_path_factory.mktemp("other-rows")
    rows = [{"instruction": f"Tell me about {word} {i}", "output": f"{word} is this and that"}
            for i, word in enumerate(["rivers", "stars", "bread"] * 6)]  # fmt: skip
    rows[4] = {"instruction": LONG, "output": "360"}
    (made / "mine.json").write_text(json.dumps(rows))
    (made / "asked.json").write_text(json.dumps([{"instruction": "How long are rivers?", "output": "Very long."}]))
    (made / "evaluation.json").write_text(json.dumps([{"instruction": LONG, "output": "360 pears"}]))
    return made


@pytest.fixture
def curate(folder, monkeypatch, capsys):
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("CURATION_WORKSPACE", str(folder / "cli"))
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["curate", *words])
        with pytest.raises(SystemExit) as left:
            main()
        code = int(left.value.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_presets_take_their_other_file_on_the_command_line(curate, folder):
    assert curate("add", "mine.json")[0] == 0
    code, out, err = curate(
        "run", "rds", "--dataset", "mine", "--input", "queries=asked.json", "--set", "pick.budget=3"
    )
    assert code == 0, err
    assert "3 of 18 rows selected" in out
    code, out, err = curate("select", "rds", "--dataset", "mine", "--input", "queries=asked", "--budget", "4", "--json")
    assert code == 0, err
    assert json.loads(out)["selected"] == 4
    code, out, err = curate("run", "decontaminate", "--dataset", "mine", "--input", "evaluation=evaluation.json")
    assert code == 0, err
    assert "17 of 18 rows selected" in out


def test_a_file_that_was_not_named_is_asked_for(curate):
    curate("add", "mine.json")
    code, _, err = curate("run", "rds", "--dataset", "mine")
    assert code == 2
    assert "input 'queries' is not bound" in err


def test_pools_and_results_of_other_pools_from_python(folder):
    home = folder / "python"
    pool = curation.load(folder / "mine.json", workspace=home)
    asked, evaluation = (curation.load(folder / f"{name}.json", workspace=home) for name in ("asked", "evaluation"))
    picked = pool.select("rds", queries=asked, budget=5)
    assert len(picked.values) == 5
    vectors = pool.run("encoder/sentence"), asked.run("encoder/sentence")
    again = pool.run("selector/rds", features=vectors[0], queries=vectors[1], budget=5)
    np.testing.assert_array_equal(again.values, picked.values)
    assert Recipe.read(again.recipe()).inputs.keys() > {"pool"}

    labels = pool.label("contamination", evaluation=evaluation)
    assert [e.row for e in evidence(labels.artifact)] == [4]
    clean = pool.select("where", labels=labels, values=["clean"])  # brings the other input along
    assert 4 not in clean.values
    assert len(clean.values) == 17

    with pytest.raises(RecipeError, match="mixes datasets"):
        pool.run("selector/k-center", features=vectors[1], within=picked)
    with pytest.raises(CurationError, match="neither targets nor queries"):
        pool.select("selector/rds", features=vectors[0])


def test_stored_selections_with_different_inputs_are_not_compared(curate, folder):
    (folder / "asked2.json").write_text(json.dumps([{"instruction": "What is bread?", "output": "Food."}]))
    curate("add", "mine.json")
    ids = []
    for name in ("asked", "asked2"):
        code, out, err = curate(
            "run", "rds", "--dataset", "mine", "--input", f"queries={name}.json", "--set", "pick.budget=3", "--json"
        )
        assert code == 0, err
        ids.append(json.loads(out)["result"])
    code, _, err = curate("trial", "--selection", ids[0], "--selection", ids[1], "--dry-run")
    assert code == 2
    assert "different inputs 'queries'" in err
    assert Workspace.open(folder / "cli").known("asked2")
