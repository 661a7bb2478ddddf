"""`curate decisions` as a user types it, and the recipe that carries decisions out again."""

import json
import sys

import numpy as np
import pytest

from curation.api import load
from curation.cli import main
from curation.core.selection import Selection
from curation.workspace import Workspace


@pytest.fixture
def home(tmp_path, monkeypatch):
    records = [{"instruction": f"Question {i}?", "output": "word " * (1 + i % 9)} for i in range(40)]
    (tmp_path / "mine.json").write_text(json.dumps(records))
    (tmp_path / "newer.json").write_text(json.dumps(records[10:]))
    (tmp_path / "r.yaml").write_text(
        "inputs: {rows: Dataset}\n"
        "steps:\n"
        "  length: {use: scorer/length, on: $rows, unit: characters}\n"
        "  top: {use: selector/top-k, score: $length, keep: highest, budget: 6}\n"
        "result: $top\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CURATION_WORKSPACE", raising=False)
    return tmp_path


@pytest.fixture
def curate(home, monkeypatch, capsys):
    """A command in this process: its JSON, or with `code` its standard error."""

    def run(*words: str, code: int = 0):
        monkeypatch.setattr(sys, "argv", ["curate", *words, *([] if code else ["--json"])])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert (left.value.code or 0) == code, said.err
        return said.err if code else json.loads(said.out)

    run("add", "mine.json", "--name", "mine")
    return run


def test_decide_list_undo_and_redo(curate):
    assert curate("decisions", "drop", "3,10-12")["undo"] == "drop 4 rows"
    assert curate("decisions", "keep", "11")["dropped"] == "3,10,12"
    curate("decisions", "note", "3", "strange")
    assert curate("decisions", "clear", "10")["undo"] == "clear row 10"
    curate("decisions", "undo")
    made = curate("decisions", "redo")
    assert (made["kept"], made["dropped"], made["notes"]) == ("11", "3,12", {"3": "strange"})
    assert curate("decisions", "list") == made
    actions = [e["action"] for e in curate("decisions", "list", "--events")]
    assert actions == ["drop", "keep", "note", "clear", "undo", "redo"]


def test_words_for_people(curate, monkeypatch, capsys):
    curate("decisions", "drop", "0-29")
    curate("decisions", "note", "3", "[bold]odd[/bold]")
    for words in (["list"], ["list", "--events"], ["undo"]):
        monkeypatch.setattr(sys, "argv", ["curate", "decisions", *words])
        with pytest.raises(SystemExit):
            main()
    said = capsys.readouterr().out
    assert "[bold]odd[/bold]" in said
    assert "and 10 more" in said
    assert "0 kept, 30 dropped, 1 noted of 40 rows" in said
    assert "curate decisions redo: note on row 3" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("keep", "x"), "'x' is neither a row number nor a range"),
        (("keep", "40"), "there is no row 40"),
        (("drop", "0-99999999999"), "more than 100,000,000 rows"),
        (("note", "1", "x" * 2001), "2,001 characters"),
        (("undo",), "nothing to undo"),
        (("redo",), "nothing to redo"),
        (("recipe",), "no row is kept or dropped by hand"),
        (("carry", "mine", "mine"), "the same dataset"),
        (("carry", "mine", "elsewhere"), "no dataset 'elsewhere'"),
        (("list", "--dataset", "elsewhere"), "no dataset 'elsewhere'"),
    ],
)
def test_user_errors_are_two_lines(curate, words, said):
    err = curate("decisions", *words, code=2)
    assert said in err
    assert err.startswith("error: ")


def test_several_datasets_must_be_told_apart(curate):
    curate("add", "newer.json")
    assert "whose rows" in curate("decisions", "keep", "1", code=2)
    assert curate("decisions", "keep", "1", "--dataset", "newer")["kept"] == "1"
    assert curate("decisions", "list", "--dataset", "mine")["kept"] == ""


def test_the_recipe_gives_the_same_rows_again(curate, home):
    base = curate("run", "r.yaml", "--dataset", "mine")
    workspace = Workspace.open(home / ".curation")
    dataset, picked = workspace.dataset("mine"), workspace.load(base["key"])
    first, other = int(picked.order[0]), int(np.flatnonzero(~picked.mask)[3])
    curate("decisions", "drop", str(first))
    curate("decisions", "keep", str(other))
    curate("decisions", "drop", "0-39")
    curate("decisions", "undo")

    made = curate("decisions", "recipe", base["result"], "--output", "edited.yaml")
    assert made["bindings"] == {"rows": dataset.fingerprint}
    done = curate(*made["command"].split()[1:])
    expected = [*picked.order[1:].tolist(), other]
    found = workspace.load(done["key"])
    assert isinstance(found, Selection)
    assert [dataset.row_id(r) for r in found.order] == [dataset.row_id(r) for r in expected]
    assert found.why(first) == "out: dropped by hand"
    assert next(s for s in done["steps"] if s["name"] == "top")["reused"]

    # a second edit of the edited selection begins at what was edited
    curate("decisions", "clear", str(first))
    again = curate("decisions", "recipe", done["result"], "--output", "again.yaml")
    done = curate(*again["command"].split()[1:])
    assert workspace.load(done["key"]).order.tolist() == [*picked.order.tolist(), other]
    assert again["recipe"].count("selector/edit") == 1

    # and Python comes to the same
    pool = load("mine", workspace=workspace)
    assert pool.decisions.state().kept.tolist() == [other]
    assert pool.edited().artifact.order.tolist() == list(range(40))
    chosen = pool.select("top-k", score=pool.score("length", unit="characters"), keep="highest", budget=6)
    assert pool.edited(chosen).artifact.order.tolist() == [*picked.order.tolist(), other]


def test_a_recipe_on_all_rows_goes_to_standard_output(curate, home, monkeypatch, capsys):
    curate("decisions", "drop", "0-9")
    monkeypatch.setattr(sys, "argv", ["curate", "decisions", "recipe"])
    with pytest.raises(SystemExit):
        main()
    (home / "all.yaml").write_text(capsys.readouterr().out)
    assert curate("run", "all.yaml", "--dataset", "mine")["selected"] == 30
    curate("add", "newer.json")
    assert "belong to another dataset" in curate("run", "all.yaml", "--dataset", "newer", code=2)


def test_decisions_go_to_a_new_version(curate):
    curate("decisions", "drop", "5,12,30-31")
    curate("decisions", "note", "12", "see")
    curate("add", "newer.json")
    made = curate("decisions", "carry", "mine", "newer")
    assert (made["dropped"], made["absent"], made["notes"]) == ("2,20-21", 1, {"2": "see"})
    assert curate("decisions", "carry", "mine", "newer")["stayed"] == 3


def test_only_selections_of_the_dataset_are_edited(curate):
    base = curate("run", "r.yaml", "--dataset", "mine")
    curate("decisions", "drop", "1")
    assert "only a selection" in curate("decisions", "recipe", f"{base['result']}.length", code=2)
    curate("add", "newer.json")
    curate("decisions", "drop", "1", "--dataset", "newer")
    assert "only a selection" in curate("decisions", "recipe", base["result"], "--dataset", "newer", code=2)
