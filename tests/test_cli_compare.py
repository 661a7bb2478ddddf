"""`curate compare` and `Pool.compare`."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import curation

WORDS = ["a", "river", "runs", "over", "green", "stone", "and", "the", "lamp", "is", "seven"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a workspace that holds a dataset and two selections of it."""
    folder = tmp_path_factory.mktemp("compare")
    rng = np.random.default_rng(0)
    records = [
        {"instruction": f"say {i}", "input": "", "output": " ".join(rng.choice(WORDS, 3 + i % 16))} for i in range(80)
    ]
    (folder / "mine.json").write_text(json.dumps(records))
    pool = curation.load(str(folder / "mine.json"), name="mine", workspace=folder / ".curation")
    length = pool.score("length", unit="characters")
    chosen = {
        "long": pool.select("top-k", score=length, keep="highest", budget=20),
        "chance": pool.select("random", budget=20, seed=7),
        "short": pool.select("threshold", score=length, below=30),
    }
    return folder, pool, chosen


@pytest.fixture
def curate(home, monkeypatch, capsys):
    """`curate compare` in this process: (exit code, standard output, standard error)."""
    from curation.cli import main

    monkeypatch.chdir(home[0])

    def here(*words):
        monkeypatch.setattr(sys, "argv", ["curate", "compare", *words])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return here


def test_json_tells_overlap_cost_and_weakness(curate, home):
    chosen = home[2]
    code, out, err = curate(f"a={chosen['long'].key}", f"b={chosen['chance'].key}", "--budget", "10", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["overlap"]["names"] == ["a", "b", "random 0", "random 1", "random 2"]
    assert found["overlap"]["sizes"] == [10] * 5
    assert [arm["method_class"] for arm in found["arms"]] == ["statistical", "statistical"]
    assert [weakness["arm"] for weakness in found["weaknesses"]] == ["a", "b"]
    assert found["files"] == []


def test_tables_name_arms_and_what_was_not_measured(curate, home):
    chosen = home[2]
    code, out, err = curate(chosen["long"].key, chosen["short"].key, "--older", chosen["chance"].key)
    assert code == 0, err
    assert "top-k" in out
    assert "threshold" in out
    assert "Rows in common (expected by chance)" in out
    assert "coverage was not measured" in out
    assert "top-k against random (by row)" in out


def test_again_makes_selections_at_one_budget(curate, home):
    chosen = home[2]
    words = [f"a={chosen['long'].key}", f"b={chosen['chance'].key}", "--again", "--budget", "30"]
    code, out, err = curate(*words, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert [arm["rows"] for arm in found["arms"]] == [30, 30]
    assert not found["coverage"]["missing"]


def test_a_report_is_a_page_in_the_folder(curate, home, tmp_path):
    code, _, err = curate(home[2]["long"].key, "--report", str(tmp_path / "out"))
    assert code == 0, err
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "top-k" in page
    assert "curate compare" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to compare"),
        (["nowhere"], "nowhere"),
        (["--presets", "nothing"], "no preset 'nothing'"),
        (["KEY", "--budget", "-4"], "-4"),
        (["KEY", "--again"], "--budget"),
        (["a=KEY", "a=KEY"], "called 'a'"),
        (["--presets", "rds"], "no preset can run"),
        (["KEY", "--dry-run"], "nothing would be run"),
    ],
)
def test_mistakes_are_two_lines(curate, home, words, said):
    code, _, err = curate(*[word.replace("KEY", home[2]["long"].key) for word in words])
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_python_compares_results_and_presets(home):
    pool, chosen = home[1], home[2]
    found = pool.compare(
        {"long": chosen["long"]}, presets=["prototype-pruning", "rds"], budget="25%", older=chosen["chance"]
    )
    assert found.comparison.names == ("long", "prototype-pruning")
    assert [len(arm) for arm in found.comparison.arms] == [20, 20]
    assert any("rds was left out" in note for note in found.comparison.notes)
    assert found.overlap.shared[0, 0] == 20
    assert found.difference is not None
    assert found.difference.older == "random"
    assert found.coverage is not None
    assert found.coverage.missing == {"long": "its coverage was not measured"}


def test_run_goes_on_when_it_is_told_to(home, monkeypatch, capsys):
    from curation.cli import main

    folder = home[0]
    monkeypatch.chdir(folder)
    (folder / "two.yaml").write_text(
        "inputs: {pool: Dataset}\nsteps:\n  bad: {use: labeller/column, on: $pool, field: nowhere}\n"
        "  good: {use: selector/random, on: $pool, budget: 3}\nresult: $good\n"
    )
    for words, code in ((["--go-on", "--json"], 0), (["--json"], 2)):
        monkeypatch.setattr(sys, "argv", ["curate", "run", "two.yaml", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert int(left.value.code or 0) == code
        told = capsys.readouterr()
        if not code:
            assert [f["name"] for f in json.loads(told.out)["failed"]] == ["bad"]
