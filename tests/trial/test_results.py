"""Results of trainings done elsewhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.errors import CurationError, DataError
from curation.trial import from_results
from curation.trial._verdicts import assess


def runs(rng, m=40):
    found = [("mine", "selection", s, 1.0) for s in range(2)] + [("random", "random", s, 2.0) for s in range(4)]
    return [(a, k, s, level + rng.normal(0, 0.05) + rng.normal(0, 0.1, m)) for a, k, s, level in found]


def test_csv_and_json_give_the_verdict_of_the_same_numbers(tmp_path):
    rng = np.random.default_rng(0)
    made = runs(rng)
    rows = [f"r{i}" for i in range(40)]
    source = ["a.json" if i < 20 else "b.json" for i in range(40)]
    lines = ["arm,kind,seed,row,value,group:source"]
    for name, kind, seed, values in made:
        order = rng.permutation(40)  # lines may come in any order
        lines += [f"{name},{kind},{seed},{rows[i]},{float(values[i])!r},{source[i]}" for i in order]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    (tmp_path / "t.json").write_text(
        json.dumps(
            {
                "measure": "loss",
                "trusted": True,
                "groups": {"source": source},
                "runs": [{"arm": a, "kind": k, "seed": s, "values": v.tolist()} for a, k, s, v in made],
            }
        )
    )
    from_csv = from_results(tmp_path / "t.csv", measure="loss", trusted=True)
    from_json = from_results(tmp_path / "t.json")
    assert from_json.trusted
    assert from_json.verdicts[0]["verdict"] == "beats random"
    assert [v["group"] for v in from_json.verdicts] == ["", "a.json", "b.json"]
    np.testing.assert_allclose(np.sort(from_csv.values), np.sort(from_json.values))
    for one, other in zip(from_csv.verdicts, from_json.verdicts, strict=True):
        assert (one["group"], one["verdict"]) == (other["group"], other["verdict"])
        assert one["gain"] == pytest.approx(other["gain"], abs=1e-6)
    values = np.array([v for *_, v in made], np.float32)
    assert from_json.verdicts == assess(from_json.arms, values, measure="loss", trusted=True, groups=from_json.groups)


def test_means_alone_are_said_to_be_narrow(tmp_path):
    lines = ["arm,kind,seed,value", "mine,selection,0,0.9", "mine,selection,1,0.91"]
    lines += [f"random,random,{s},{0.5 + 0.01 * s}" for s in range(3)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = from_results(tmp_path / "t.csv", measure="accuracy")
    assert not found.trusted
    assert found.verdicts[0]["verdict"] == "resembles the pool more than random"
    assert found.verdicts[0]["from_rows"] == 0
    assert "too narrow" in found.info["warnings"][0]


GOOD = "arm,kind,seed,row,value\na,selection,0,x,1\nr,random,0,x,1\nr,random,1,x,2\nr,random,2,x,3\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arm,value\na,1\n", "lacks the column 'kind'"),
        ("", "lacks the column"),
        (GOOD + "a,selection,0,x,2\n", "stands here twice"),
        (GOOD + "a,selection,0,y,2\n", "was not measured in every run"),
        (GOOD + "b,selection,1,x,many\n", "'many' is no number"),
        (GOOD + "b,selection,1,x,nan\n", "missing or infinite"),
        (GOOD + "b,best,1,x,1\n", "'best' is no kind of arm"),
        (GOOD + ",random,1,x,1\n", "no name"),
        (GOOD.replace("r,random,2,x,3\n", ""), "2 of random rows"),
    ],
)
def test_what_is_wrong_in_a_csv_is_named(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(CurationError, match=message):
        from_results(tmp_path / "t.csv", measure="loss")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[]", "no list of runs"),
        ('{"runs": [1]}', "no object"),
        ('{"runs": [{"arm": "a", "kind": "random"}]}', "neither values nor value"),
        ('{"runs": [{"arm": "a", "kind": "random", "values": [1, 2]}, {"arm": "a", "kind": "random", "value": 1}]}',
         "1 and 2 values"),
        ('{"groups": {"g": ["x", "y"]}, "runs": [{"arm": "a", "kind": "random", "value": 1}]}', "grouping 'g'"),
        ('{"runs": [{"arm": "a", "kind": "random", "value": 1}]}', "what was measured"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_json_is_named(tmp_path, text, message):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(CurationError, match=message):
        from_results(tmp_path / "t.json")


def test_percentages_and_missing_files_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text(GOOD)
    with pytest.raises(DataError, match="between 0 and 1"):
        from_results(tmp_path / "t.csv", measure="accuracy")
    with pytest.raises(DataError, match="cannot be read"):
        from_results(tmp_path / "none.csv", measure="loss")


def entered(tmp_path, runs, **facts):
    """A file of means: (arm, kind, value, more) each, seeds counted by arm."""
    told, seeds = [], {}
    for arm, kind, value, more in runs:
        seed = seeds[arm, kind] = seeds.get((arm, kind), -1) + 1
        told.append({"arm": arm, "kind": kind, "seed": seed, "value": value, **more})
    (tmp_path / "t.json").write_text(json.dumps({"measure": "loss", "trusted": True, "runs": told, **facts}))
    return from_results(tmp_path / "t.json")


def random_runs(level, name="random", **more):
    return [(name, "random", level + 0.01 * i, more) for i in range(3)]


def test_a_selection_is_compared_with_the_draws_of_its_size(tmp_path):
    runs = [("few", "selection", 2.5, {"rows": 100}), ("many", "selection", 1.5, {"rows": 1000})]
    runs += [*random_runs(3.0, "random, 105", rows=105), *random_runs(1.0, "random, 1000", rows=1000)]
    found = {v["selection"]: v for v in entered(tmp_path, runs).verdicts}
    assert found["few"]["verdict"] == "beats random"
    assert found["few"]["gain"] == pytest.approx(0.51, abs=1e-5)
    assert found["many"]["verdict"] == "worse than random"


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([("a", "selection", 1, {"rows": 1000}), *random_runs(2, rows=100)], "0 random runs to compare .* 'a'"),
        ([("a", "selection", 1, {}), ("b", "selection", 1, {}), *random_runs(2, selection="a")], "0 random .* 'b'"),
        ([("a", "selection", 1, {"rows": 9}), *random_runs(2, selection="a", rows=20)], "has 20 rows, .* 'a' has 9"),
        ([("a", "selection", 1, {}), *random_runs(2, selection="x")], "belongs to 'x', which is no selection"),
        (
            [("a", "selection", 1, {}), ("b", "selection", 1, {}), ("l", "length-matched", 1, {}), *random_runs(2)],
            "does not say whose lengths",
        ),
        ([("a", "selection", 1, {}), *random_runs(2), ("random", "random", 2, {"seed": 0})], "seed 0 .* here twice"),
        ([("a", "selection", 1, {"rows": "nan"}), *random_runs(2)], "'nan' is no count"),
        ([("a", "selection", True, {}), *random_runs(2)], "'True' is no number"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(tmp_path, runs, message):
    with pytest.raises(CurationError, match=message):
        entered(tmp_path, runs)


def test_the_only_selection_is_the_one_whose_lengths_are_matched(tmp_path):
    runs = [("a", "selection", 1, {}), *random_runs(2), *[("l", "length-matched", 2 + i / 100, {}) for i in range(3)]]
    assert [v["against"] for v in entered(tmp_path, runs).verdicts] == ["random", "length-matched random"]


def test_unequal_steps_are_said(tmp_path):
    runs = [("a", "selection", 1, {"steps": 30}), *random_runs(2, steps=300)]
    assert "30 to 300 steps" in entered(tmp_path, runs).info["warnings"][-1]
    equal = [("a", "selection", 1, {"steps": 30}), *random_runs(2, steps=30), ("u", "untrained", 3, {"steps": 0})]
    assert len(entered(tmp_path, equal).info["warnings"]) == 1  # that there are only means


@pytest.mark.parametrize("facts", [{"trusted": "false"}, {"trusted": 1}, {"groups": ["a"]}])
def test_what_is_no_yes_or_no_vouches_for_nothing(tmp_path, facts):
    with pytest.raises(DataError, match="trusted|groups is no object"):
        entered(tmp_path, [("a", "selection", 1, {}), *random_runs(2)], **facts)


def test_a_group_need_be_said_once_and_only_one(tmp_path):
    head, *lines = GOOD.splitlines()
    told = [head + ",group:g", lines[0] + ",first", *(line + "," for line in lines[1:])]
    (tmp_path / "t.csv").write_text("\n".join(told))
    assert from_results(tmp_path / "t.csv", measure="loss").groups["g"].tolist() == ["first"]
    told[-1] += "other"
    (tmp_path / "t.csv").write_text("\n".join(told))
    with pytest.raises(DataError, match="'first' and 'other' of 'g'"):
        from_results(tmp_path / "t.csv", measure="loss")
