"""`curate view`: a link from the address, its rows, and the recipe that makes them again."""

import json
import sys

import numpy as np
import pytest

from curation.cli import main
from curation.cli.viewing import read_link
from curation.core.errors import CurationError
from curation.views import Range, Rows, View, Words
from curation.workspace import Workspace

CODE = View(conditions=(Words(text="river"), Range(score="length", low=12.0))).encode()


@pytest.fixture
def home(tmp_path, monkeypatch):
    words = ("river", "stone", "lamp")
    records = [{"instruction": f"Question {i}?", "output": f"{words[i % 3]} " * (1 + i % 4)} for i in range(24)]
    (tmp_path / "mine.json").write_text(json.dumps(records))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CURATION_WORKSPACE", raising=False)
    Workspace.open(".curation").add("mine.json", name="mine")
    return tmp_path


@pytest.fixture
def curate(home, monkeypatch, capsys):
    """A command in this process: standard output, or with `code` standard error."""

    def run(*words: str, code: int = 0):
        monkeypatch.setattr(sys, "argv", ["curate", *words])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert (left.value.code or 0) == code, said.err
        return said.err if code else said.out

    return run


def expected():
    return [i for i in range(24) if i % 3 == 0 and 6 * (1 + i % 4) >= 12]


@pytest.mark.parametrize("link", [CODE, f"http://localhost:8501/map?dataset=mine&view={CODE}", f"?view={CODE}"])
def test_the_count_of_a_link(curate, link):
    assert curate("view", link, "--count").strip() == str(len(expected()))


def test_words_for_people(curate):
    said = curate("view", CODE, "--rows")
    assert "river: 8 rows" in said
    assert "response length (characters) ≥ 12" in said
    assert f"{len(expected())} of 24 rows of mine" in said
    assert said.splitlines()[-1] == ",".join(map(str, expected()))


def test_the_recipe_makes_the_same_rows(curate, home):
    said = json.loads(curate("view", CODE, "--save", "view.yaml", "--json"))
    assert said["rows"] == len(expected())
    assert [c["says"] for c in said["conditions"]][0] == "river"
    words = said["command"].split()
    assert words[:3] == ["curate", "run", "view.yaml"]
    made = json.loads(curate(*words[1:], "--json"))
    picked = Workspace.open(home / ".curation").load(made["key"])
    assert np.sort(picked.order).tolist() == expected()


def test_a_link_without_a_view_shows_all_rows(curate):
    assert curate("view", "http://localhost:8501/map?dataset=mine", "--count").strip() == "24"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("view", "xyz"), "another version"),
        (("view", "1xyz"), "damaged"),
        (("view", View(conditions=(Rows(rows="99"),)).encode()), "there is no row 99"),
        (("view", CODE, "--dataset", "other"), "no dataset 'other'"),
        (("view", f"?dataset=other&view={CODE}"), "no dataset 'other'"),
        (("view", View(conditions=(Range(score="gone", low=1.0),)).encode()), "gone"),
        (("view", CODE, "--save", "no/such/folder/x.yaml"), "cannot be written"),
    ],
)
def test_user_errors_are_two_lines(curate, words, said):
    err = curate(*words, code=2)
    assert said in err
    assert err.startswith("error: ")
    assert len(err.strip().splitlines()) <= 2


def test_links_are_read_in_any_form():
    assert read_link(CODE) == (CODE, None)
    assert read_link(f" view={CODE} ") == (CODE, None)
    assert read_link(f"https://h/x?a=1&view={CODE}&dataset=a%20b#top") == (CODE, "a b")
    for wrong in ("http://[x?view=1", "?" + "a=1&" * 2_000):
        with pytest.raises(CurationError, match="link is not understood"):
            read_link(wrong)
