"""Pool and targets of the evidence on target selection: who is in which family, and nothing on two sides."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curation.recipe import Recipe, plan
from curation.workspace import Workspace

HERE = Path(__file__).resolve().parents[2] / "benchmarks"
TEMPLATES = ("rotten_tomatoes_Movie", "glue_qqp_answer", "trec_trec1", "common_gen_Put_together", "dream_baseline")


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    sys.modules.pop("_targets", None)
    return importlib.import_module("_targets")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The three files in small; every tenth row is too long, one row is there twice."""
    lines = [
        {"prompt": f"question {i}", "completion": "word " * (40 if i % 10 == 0 else 2), "template": TEMPLATES[i % 5]}
        for i in range(300)
    ]
    lines[3]["completion"] = "<|endoftext|>"  # no response
    lines[1]["prompt"] = "with a line separator inside"  # U+2028 is no end of a line of JSON
    (tmp_path / "t0_tasks.jsonl").write_text("\n".join(json.dumps(x, ensure_ascii=False) for x in lines), "utf-8")
    for name, count in (("alpaca_9k", 100), ("gsm8k_7k", 60)):
        rows = [{"instruction": f"{name} {i}", "input": "", "output": f"answer {i}"} for i in range(count)]
        (tmp_path / f"{name}.json").write_text(json.dumps([*rows, rows[0]]), "utf-8")
    return tmp_path


def test_families_are_told_by_the_beginning_of_the_template(targets: Any) -> None:
    told = [targets.family_of({"template": t}) for t in TEMPLATES]
    assert told == ["sentiment", "paraphrase", "topic", "common_gen", ""]
    assert targets.family_of({"instruction": "x"}) == ""


def test_no_row_is_on_two_sides_and_each_family_is_asked_for_by_its_own(targets: Any, files: Path) -> None:
    sizes = targets.Sizes(rows=120, chars=60, examples=3, held_out=5)
    pool, apart = targets.cut(files, files / "made", sizes)
    sides: list[Any] = [json.loads(path.read_text()) for path in pool]
    assert abs(sum(map(len, sides)) - 120) <= 2
    assert tuple(apart) == targets.FAMILIES
    for family, pair in apart.items():
        parts = [json.loads(path.read_text()) for path in pair]
        assert [len(part) for part in parts] == [3, 5]
        sides += parts
        for record in (r for part in parts for r in part):
            asked = targets.family_of(record) or ("gsm8k" if "gsm8k" in record["instruction"] else "")
            assert asked == family
    texts = [json.dumps(record) for side in sides for record in side]
    assert len(texts) == len(set(texts))
    assert all("word word word" not in text for text in texts)  # the long ones


def test_the_pool_has_families_in_their_shares(targets: Any, files: Path) -> None:
    """Examples come from the end of the random order, so that the pool's beginning is not robbed of the family."""
    pool, _ = targets.cut(files, files / "made", targets.Sizes(rows=120, chars=60, examples=3, held_out=5))
    records = json.loads(pool[0].read_text())
    shares = np.array([np.mean([targets.family_of(r) == f for r in records]) for f in targets.MADE_OF])
    assert shares.min() > 0.08  # a fifth each, but for chance


def test_the_recipe_can_be_planned(targets: Any, files: Path) -> None:
    sizes = targets.Sizes(rows=120, chars=60, examples=3, held_out=5)
    pool, apart = targets.cut(files, files / "made", sizes)
    workspace = Workspace.open(files / "workspace")
    bound = {"pool": workspace.add(pool, name="pool").dataset.fingerprint}
    for family, (examples, held) in apart.items():
        bound[f"{family}-examples"] = workspace.add(examples).dataset.fingerprint
        bound[f"{family}-held-out"] = workspace.add(held).dataset.fingerprint
    planned = plan(Recipe.read(targets.recipe_of(sizes)), workspace, bound)
    names = [step.name for step in planned.steps]
    assert sum(step.use == "trial" for step in planned.steps) == 5
    assert all(f"{method}-{family}" in names for method in targets.TITLES for family in targets.FAMILIES)
    assert len([name for name in names if name.startswith("rows-")]) == 4  # features of the pool, once for all families


def test_rows_without_a_response_are_left_out(targets: Any, files: Path) -> None:
    assert [targets.answer_of({"completion": c}) for c in ("yes<|endoftext|>", " <|endoftext|>", "")] == ["yes", "", ""]
    left = targets._short(files / "t0_tasks.jsonl", targets.Sizes(chars=60))
    assert len(left) == 300 - 30 - 1 and "question 3" not in [record["prompt"] for record in left]
