"""Chance is that of what the arms chose among; a selection does not meet itself; a step on the way is no preset."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.comparison import load_comparison, overlap, recipe_of_selections, twins
from curation.comparison.arms import DIFFERENT_ROWS, known_weakness
from curation.comparison.chance import expected_overlap, ks_limit
from curation.comparison.lineage import preset_of
from curation.comparison.spread import spread_of
from curation.core.method import find
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

N = 120

RECIPE = """
inputs: {pool: Dataset}
steps:
  length: {use: scorer/length, on: $pool, unit: characters}
  short:  {use: selector/top-k, score: $length, keep: lowest, budget: 60}
  chance: {use: selector/random, on: $pool, budget: 30, seed: 0}
  other:  {use: selector/random, on: $pool, budget: 30, seed: 2}
  inside: {use: selector/random, on: $pool, within: $short, budget: 20, seed: 7}
  again:  {use: selector/random, on: $pool, within: $short, budget: 20, seed: 8}
result: $again
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A workspace with 120 answers of 120 lengths, and the key of every step of RECIPE."""
    folder = tmp_path_factory.mktemp("fair")
    rows = [{"instruction": f"Question {i}?", "output": "word " * (1 + i)} for i in range(N)]
    (folder / "rows.json").write_text(json.dumps(rows))
    workspace = Workspace.open(folder / "ws")
    workspace.add(folder / "rows.json", name="mine")
    outcome = run(plan(Recipe.read(RECIPE), workspace, {"pool": "mine"}), workspace, Runtime())
    return workspace, {step.name: step.key for step in outcome.steps}


def test_random_is_drawn_with_seeds_that_no_arm_has(home):
    workspace, keys = home
    found = load_comparison(workspace, [keys["chance"], keys["other"]])
    assert [draw.parameters["seed"] for draw in found.random] == [1, 3, 4]
    assert any("seeds 1, 3, 4" in note for note in found.notes)
    shared = overlap(found).shared
    assert shared[:2, 2:].max() < 30  # none of the draws is an arm again
    names = [*found.names, *(draw.name for draw in found.random)]
    assert len(set(names)) == len(names)


def test_a_name_of_an_arm_is_not_that_of_a_draw(home):
    workspace, keys = home
    found = load_comparison(workspace, {"random 1": keys["short"], "b": keys["inside"]})
    assert [draw.name for draw in found.random] == ["random 0", "random 2", "random 3"]
    assert found.arm("random 1").key == keys["short"]


def test_other_comparisons_keep_the_first_seeds(home):
    workspace, keys = home
    found = load_comparison(workspace, [keys["short"], keys["inside"]])
    assert [draw.name for draw in found.random] == ["random 0", "random 1", "random 2"]
    assert DIFFERENT_ROWS in found.notes


def test_draws_within_the_short_rows_are_no_different_from_chance(home):
    workspace, keys = home
    found = load_comparison(workspace, [keys["inside"], keys["again"]])
    lengths = np.asarray(workspace.load(keys["length"]).values, np.float64)
    spread = spread_of("length", "length", lengths, found)
    for arm in (*spread.arms, *spread.random):
        assert arm.ks_chance == pytest.approx(ks_limit(20, 60))
    # the short half of all rows is at a distance of 1/2 from all rows, so any draw of it is as well
    mine = lengths[found.arms[0].order]
    short = lengths[found.eligible]
    assert spread.arms[0].ks == pytest.approx(max(abs((mine <= v).mean() - (short <= v).mean()) for v in short))
    assert spread.arms[0].smd < -0.5  # the shift is still against all rows


def test_a_twin_is_expected_to_share_what_draws_of_the_same_rows_share(home):
    workspace, keys = home
    order = np.asarray(workspace.load(keys["inside"]).order)
    twin = next(t for t in twins(workspace, keys["inside"], order, N) if t.key == keys["again"])
    assert twin.expected == pytest.approx(expected_overlap(60, 20, 20))
    everywhere = twins(workspace, keys["chance"], np.asarray(workspace.load(keys["chance"]).order), N)
    assert next(t for t in everywhere if t.key == keys["other"]).expected == pytest.approx(30 * 30 / N)


def test_one_method_at_two_sizes_is_one_step_at_a_common_one(home):
    workspace, keys = home
    text = RECIPE.replace("keep: lowest, budget: 60", "keep: lowest, budget: 50").replace("$again", "$short", 1)
    recipe = Recipe.read(text.rsplit("result:", 1)[0] + "result: $short")
    smaller = run(plan(recipe, workspace, {"pool": "mine"}), workspace, Runtime()).result.key
    made = recipe_of_selections(workspace, [keys["short"], smaller], 25)
    assert len(made.arms) == 2
    assert len(set(made.arms.values())) == 1
    assert set(made.coverage) == set(made.arms)
    assert set(made.coverage.values()) <= set(made.recipe.steps)


def test_a_step_on_the_way_to_a_presets_pick_is_not_the_preset():
    text = Recipe.read("first-look").yaml()
    assert preset_of({"recipe": text, "step": "pick", "use": "selector/k-center"}) == "first-look"
    assert preset_of({"recipe": text, "step": "unique", "use": "selector/deduplicate"}) == ""
    part = Recipe.read("first-look").upto("answered").yaml()
    assert preset_of({"recipe": part, "step": "answered", "use": "selector/threshold"}) == ""
    # a recipe may go on after the pick
    whole = Recipe.read("first-look")
    steps = {**whole.steps, "later": {"use": "selector/rows", "on": "$pool", "rows": "1-3"}}
    longer = whole.model_copy(update={"steps": steps, "result": "$later"}).yaml()
    assert preset_of({"recipe": longer, "step": "pick", "use": "selector/k-center"}) == "first-look"


def test_a_weakness_of_the_last_step_is_not_said_of_the_whole_preset():
    top = find("selector/top-k")
    assert known_weakness(top) == top.weakness
    assert known_weakness(top, "D4") == f"Its last step, Top k: {top.weakness}"
