"""`curate trial` and `Pool.trial`, on a model of 26,000 parameters."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

WORDS = ["a", "river", "runs", "over", "green", "stone", "and", "the", "lamp", "is", "seven"]
CHEAP = ["steps=2", "seeds=1", "length_matched=0", "full=false", "batch_rows=4", "max_tokens=48"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with two files and a workspace that holds both as one dataset."""
    from curation.workspace import Workspace

    folder = tmp_path_factory.mktemp("trial")
    rng = np.random.default_rng(0)
    for name, first, count in (("mine.json", 0, 60), ("trusted.json", 100, 20)):
        records = [
            {"instruction": f"say {first + i}", "input": "", "output": " ".join(rng.choice(WORDS, 3 + i % 6)),
             "topic": "ab"[i % 2]}
            for i in range(count)
        ]  # fmt: skip
        (folder / name).write_text(json.dumps(records))
    Workspace.open(folder / ".curation").add([folder / "mine.json", folder / "trusted.json"], name="both")
    return folder


@pytest.fixture
def curate(home, monkeypatch, capsys):
    """`curate trial` in this process: (exit code, standard output, standard error)."""
    from curation.cli import main

    monkeypatch.chdir(home)

    def here(*words):
        monkeypatch.setattr(sys, "argv", ["curate", "trial", *words])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return here


def cheap(*settings):
    return [word for setting in (*CHEAP, *settings) for word in ("--set", setting)]


def test_json_tells_arms_and_verdicts_and_the_second_time_nothing_is_trained(curate, tiny_causal):
    words = ["both", "--selection", "random", "--selection", "low=random", "--budget", "20", "--model"]
    words += [str(tiny_causal), "--evaluation", "source=trusted.json", "--random-seeds", "3", *cheap(), "--json"]
    code, out, err = curate(*words)
    assert code == 0, err
    found = json.loads(out)
    assert (found["kind"], found["measure"], found["trusted"]) == ("trial", "loss", True)
    assert [(a["arm"], a["kind"], a["runs"]) for a in found["arms"]] == [
        ("random", "selection", 1),
        ("low", "selection", 1),
        ("random", "random", 3),
        ("untrained", "untrained", 1),
    ]
    assert {v["verdict"] for v in found["verdicts"]} <= {
        "beats random",
        "worse than random",
        "no difference from random",
    }
    assert found["info"]["evaluation"] == "20 of 20 trusted rows of the pool"
    code, again, _ = curate(*words)
    assert all(step["reused"] for step in json.loads(again)["steps"])
    assert json.loads(again)["verdicts"] == found["verdicts"]


def test_words_for_people_and_without_trust_likeness(curate, tiny_causal):
    code, out, err = curate("both", "--selection", "random", "--budget", "20", "--model", str(tiny_causal), *cheap())
    assert code == 0, err
    assert "resembles the pool" in out
    assert "beats" not in out
    assert "loss (lower is better) on 8" in out or "held out by chance" in out
    assert "verdict is likeness to the pool" in err


def test_label_values_files_recipes_and_stored_results_are_read(curate, home, tiny_causal):
    (home / "first.yaml").write_text(
        "inputs: {data: Dataset}\nsteps: {pick: {use: selector/random, on: $data, budget: 15}}\nresult: $pick\n"
    )
    tiny = ["--model", str(tiny_causal), *cheap(), "--json"]
    code, out, err = curate("both", "--selection", "first.yaml", "--evaluation", "label:topic=a", *tiny)
    assert code == 0, err
    found = json.loads(out)
    assert {a["arm"] for a in found["arms"]} == {"first", "random", "untrained"}
    key = next(s["key"] for s in found["steps"] if s["kind"] == "selection" and s["use"] == "selector/random")
    code, out, err = curate("both", "--selection", f"stored={key}", "--evaluation", "file=trusted.json", *tiny)
    assert code == 0, err
    stored = json.loads(out)
    assert next(s for s in stored["steps"] if s["key"] == key)["reused"]
    assert "rows of a trusted file" in stored["info"]["evaluation"]


def test_a_dry_run_trains_nothing(curate, tiny_causal):
    # a trial like this one ran above, so that nothing needs to be measured for the estimate
    code, out, err = curate(
        "both", "--selection", "random", "--budget", "10", "--model", str(tiny_causal), *cheap(),
        "--dry-run", "--json",
    )  # fmt: skip
    assert code == 0, err
    estimates = json.loads(out)["estimates"]
    assert {e["use"] for e in estimates} >= {"trial", "trainer/base", "selector/random"}
    assert not next(e for e in estimates if e["use"] == "trial")["reused"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["both"], "a trial needs a selection"),
        (["both", "--selection", "no-such"], "no method"),
        (["both", "--selection", "random", "--evaluation", "trusted.json"], "names no evaluation set"),
        (["both", "--selection", "random", "--evaluation", "label:=x"], "names no evaluation set"),
        (["both", "--selection", "random", "--set", "steps"], "not of the form"),
        (["both", "--selection", "random", "--set", "stepps=3"], "has no 'stepps'"),
        (["--results", "nothing.csv"], "cannot be read"),
        (["--results", "mine.json", "--measure", "luck"], "is no measure"),
    ],
)
def test_mistakes_are_two_lines(curate, words, message):
    code, out, err = curate(*words)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) <= 2
    assert not out


def test_results_of_another_place_are_judged(curate, home):
    lines = ["arm,kind,seed,row,value"]
    rng = np.random.default_rng(0)
    for name, kind, count, level in (("mine", "selection", 2, 0.9), ("random", "random", 4, 0.5)):
        lines += [
            f"{name},{kind},{seed},{row},{int(rng.random() < level)}" for seed in range(count) for row in range(200)
        ]
    (home / "there.csv").write_text("\n".join(lines))
    code, out, err = curate("--results", "there.csv", "--measure", "accuracy", "--trusted")
    assert code == 0, err
    assert "mine: beats random: +" in out
    code, out, _ = curate("--results", "there.csv", "--measure", "accuracy", "--json")
    assert json.loads(out)["verdicts"][0]["verdict"] == "resembles the pool more than random"


def test_python_says_the_same_recipe_as_the_command_line(home, tiny_causal):
    import curation
    from curation.complete.trial import trial_recipe
    from curation.recipe import Recipe

    pool = curation.load("both", workspace=home / ".curation")
    pick = pool.select("random", budget=20)
    fields = {"steps": 2, "seeds": 1, "length_matched": 0, "full": False, "batch_rows": 4, "max_tokens": 48}
    made = pool.trial(
        {"random": pick}, evaluation="source=trusted.json", model=str(tiny_causal), random_seeds=3, **fields
    )
    assert made.kind == "trial"
    assert made.artifact.trusted
    said = trial_recipe(
        {"random": Recipe.read(pick.recipe())},
        evaluation="source=trusted.json",
        model=str(tiny_causal),
        settings={"random_seeds": 3, **fields},
    )
    assert Recipe.read(made.recipe()).steps == said.steps
    trusted = pool.select("where", labels=pool.label("column", field="topic"), values=["a"])
    again = pool.trial({"random": pick}, evaluation=trusted, model=str(tiny_causal), random_seeds=3, **fields)
    assert again.artifact.values.shape[1] == 40


def test_options_without_effect_are_refused(curate, tmp_path):
    code, _, err = curate("both", "--selection", "random", "--trusted", "--measure", "accuracy")
    assert code == 2
    assert "--measure, --trusted belongs to --results" in " ".join(err.split())
    code, _, err = curate("both", "--results", str(tmp_path / "none.csv"), "--model", "x")
    assert code == 2
    assert "DATASET, --model means nothing" in " ".join(err.split())
