"""Comparisons of what a workspace holds: arms, cost, curves, difference, twins, weakness, one recipe for many."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.comparison import (
    coverage_curves,
    coverage_recipe,
    difference,
    load_comparison,
    older_selections,
    recipe_of_selections,
    twins,
    variant_recipe,
    weakness_of,
)
from curation.comparison.lineage import lineage
from curation.comparison.summary import report_of, summary
from curation.core.dataset import Row
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

WORDS = ["river", "stone", "cloud", "lamp", "paper", "green", "seven", "quiet", "engine", "bread"]

RECIPE = """
inputs: {pool: Dataset}
steps:
  words:  {use: encoder/tfidf, on: $pool, dims: 16}
  length: {use: scorer/length, on: $pool, unit: characters}
  centre: {use: selector/k-center, features: $words, budget: 40}
  long:   {use: selector/top-k, score: $length, keep: highest, budget: 40}
  chance: {use: selector/random, on: $pool, budget: 40, seed: 5}
  above:  {use: selector/threshold, score: $length, above: 150}
  some:   {use: selector/random, on: $pool, within: $above, budget: 20}
  more:   {use: selector/top-k, score: $length, within: $above, budget: 20, keep: lowest}
result: $more
"""


def rows(first: int, count: int) -> list[Row]:
    made = []
    for i in range(first, first + count):
        generator = np.random.default_rng(i)
        prompt, response = f"Say number {i}", " ".join(generator.choice(WORDS, generator.integers(3, 50)))
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        made.append(Row(messages, json.dumps({"instruction": prompt, "output": response}), f"f{i % 2}", i, "alpaca"))
    return made


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A workspace with 150 rows, and the key of every step of RECIPE."""
    workspace = Workspace.open(tmp_path_factory.mktemp("compare") / "ws")
    workspace.add_rows(rows(0, 150), "mine")
    outcome = run(plan(Recipe.read(RECIPE), workspace, {"pool": "mine"}), workspace, Runtime())
    return workspace, {step.name: step.key for step in outcome.steps}


def of(workspace, text, settings=(), pool="mine"):
    """Run a recipe; the key of its result."""
    made = plan(Recipe.read(text).with_settings(settings), workspace, {"pool": pool})
    return run(made, workspace, Runtime()).result.key


# ---------------------------------------------------------------------- arms


def test_arms_say_what_they_are_and_random_stands_beside_them(home):
    workspace, keys = home
    found = load_comparison(workspace, [keys["centre"], keys["long"]])
    assert found.names == ("k-center", "top-k")
    assert [arm.name for arm in found.random] == ["random 0", "random 1", "random 2"]
    assert [len(arm) for arm in found.random] == [40, 40, 40]
    assert found.arms[0].method_class == "statistical"
    assert found.arms[0].parameters["budget"] == 40
    assert found.arms[0].weakness
    assert found.n == 150


def test_random_draws_are_those_of_the_selector(home):
    workspace, keys = home
    text = "inputs: {pool: Dataset}\nsteps:\n  r: {use: selector/random, on: $pool, budget: 40, seed: 2}\nresult: $r"
    key = of(workspace, text)
    found = load_comparison(workspace, {"a": keys["centre"]})
    assert found.random[2].order.tolist() == np.asarray(workspace.load(key).order).tolist()


def test_a_common_budget_cuts_nested_orders_only(home):
    workspace, keys = home
    found = load_comparison(workspace, {"c": keys["centre"], "t": keys["above"]}, budget=10)
    cut, whole = found.arms
    assert cut.order.tolist() == np.asarray(workspace.load(keys["centre"]).order[:10]).tolist()
    assert cut.note == "the first 10 of 40 picks"
    assert len(whole) == len(workspace.load(keys["above"]))
    assert "not nested" in whole.note
    assert "differ in size" in " ".join(found.notes)


def test_random_draws_from_the_rows_that_all_arms_chose_among(home):
    workspace, keys = home
    above = set(np.asarray(workspace.load(keys["above"]).order).tolist())
    found = load_comparison(workspace, {"s": keys["some"], "m": keys["more"]})
    assert set(found.eligible.tolist()) == above
    assert all(set(draw.order.tolist()) <= above for draw in found.random)
    mixed = load_comparison(workspace, {"s": keys["some"], "c": keys["centre"]})
    assert len(mixed.eligible) == 150
    assert "different rows" in mixed.notes[0]


def test_cost_names_what_is_shared(home):
    workspace, keys = home
    found = load_comparison(workspace, {"long": keys["long"], "more": keys["more"], "centre": keys["centre"]})
    cost = {arm.name: arm.cost for arm in found.arms}
    assert [(s.name, s.shared_with) for s in cost["long"].steps] == [("length", ("more",)), ("long", ())]
    assert cost["long"].total == pytest.approx(sum(workspace.manifest(s.key)["seconds"] for s in cost["long"].steps))
    assert cost["long"].own == pytest.approx(workspace.manifest(keys["long"])["seconds"])
    assert cost["centre"].own == pytest.approx(cost["centre"].total)
    assert [s.name for s in cost["more"].steps][-1] == "more"


def test_cost_of_rows_that_were_stored_is_called_partial(home):
    workspace, _ = home
    workspace.add_rows(rows(0, 155), "grown")
    text = "inputs: {pool: Dataset}\nsteps:\n  length: {use: scorer/length, on: $pool, unit: characters}\n"
    key = of(
        workspace,
        text + "  top: {use: selector/top-k, score: $length, budget: 3, keep: highest}\nresult: $top",
        (),
        "grown",
    )
    assert load_comparison(workspace, {"a": key}).arms[0].cost.partly == ("length",)


@pytest.mark.parametrize(
    ("keys", "more", "words"),
    [
        ([], {}, "nothing to compare"),
        (["length"], {}, "only selections"),
        (["centre"], {"budget": 0}, "budget of 0"),
        (["centre"], {"seeds": 0}, "random draws"),
        (["nowhere"], {}, "no result nowhere"),
    ],
)
def test_what_cannot_be_compared_is_told(home, keys, more, words):
    workspace, known = home
    with pytest.raises(CurationError, match=words):
        load_comparison(workspace, [known.get(key, key) for key in keys], **more)


def test_selections_of_two_datasets_are_no_comparison(home):
    workspace, keys = home
    workspace.add_rows(rows(500, 30), "other")
    text = "inputs: {pool: Dataset}\nsteps:\n  r: {use: selector/random, on: $pool, budget: 4}\nresult: $r"
    with pytest.raises(CurationError, match="different datasets"):
        load_comparison(workspace, [keys["centre"], of(workspace, text, (), "other")])


def test_one_selection_under_two_names_is_two_arms(home):
    workspace, keys = home
    found = load_comparison(workspace, {"a": keys["centre"], "b": keys["centre"]})
    assert found.names == ("a", "b")
    assert found.arms[0].cost.own == 0


# ---------------------------------------------------------------------- curves


def test_coverage_is_measured_by_a_recipe_and_read_at_a_budget(home):
    workspace, keys = home
    found = load_comparison(workspace, {"c": keys["centre"], "r": keys["chance"]})
    assert set(coverage_curves(workspace, found).missing) == {"c", "r"}
    recipe, bindings = coverage_recipe(workspace, found, features=keys["words"])
    outcome = run(plan(recipe, workspace, bindings), workspace, Runtime())
    assert [s.use for s in outcome.steps if not s.reused] == ["coverage", "coverage"]
    curves = coverage_curves(workspace, found)
    assert [curve.name for curve in curves.curves] == ["c", "r"]
    assert curves.features == keys["words"]
    assert curves.curves[0].at_size["covering radius"] < curves.curves[1].at_size["covering radius"]
    small = coverage_curves(workspace, load_comparison(workspace, {"c": keys["centre"]}, budget=20))
    assert small.curves[0].budgets[-1] <= 20
    with pytest.raises(CurationError, match="every arm"):
        coverage_recipe(workspace, found)
    twice = load_comparison(workspace, {"a": keys["centre"], "b": keys["centre"]})
    assert [curve.name for curve in coverage_curves(workspace, twice).curves] == ["a", "b"]


# ---------------------------------------------------------------------- difference


def test_difference_in_one_dataset(home):
    workspace, keys = home
    found = difference(workspace, keys["long"], keys["more"])
    new, old = (set(np.asarray(workspace.load(keys[k]).order).tolist()) for k in ("long", "more"))
    assert set(found.added.tolist()) == new - old
    assert set(found.removed.tolist()) == old - new
    assert set(found.kept.tolist()) == new & old
    assert found.matched == "row"
    change = found.scores[0]
    assert change.name.startswith("length")
    assert change.added > change.removed
    assert change.smd > 0
    assert keys["more"] in [info.key for info in older_selections(workspace, keys["long"])]


def test_difference_from_another_version_goes_by_row_id(tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    text = "inputs: {pool: Dataset}\nsteps:\n  r: {use: selector/rows, on: $pool, rows: '%s'}\nresult: $r"
    workspace.add_rows(rows(0, 20), "mine")
    old = of(workspace, text % "0,1,2,3")
    workspace.add_rows(rows(2, 25), "mine")  # row k is row k + 2 of the older one; two are gone
    new = of(workspace, text % "1,2,24")
    found = difference(workspace, new, old)
    assert found.matched == "content"
    assert found.kept.tolist() == [1]
    assert found.removed.tolist() == [0]
    assert found.added.tolist() == [2, 24]
    assert found.gone == 2
    assert found.new_rows == 1
    assert [info.key for info in older_selections(workspace, new)] == [old]


def test_copies_of_a_text_are_alike_in_two_versions(tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    text = "inputs: {pool: Dataset}\nsteps:\n  r: {use: selector/rows, on: $pool, rows: '%s'}\nresult: $r"
    a, b, c = rows(0, 3)
    workspace.add_rows([a, a, a, b, c], "mine")
    old = of(workspace, text % "0,1,2,3")
    workspace.add_rows([b, a, a], "mine")  # one of the three copies is gone, and so is c
    new = of(workspace, text % "2")
    found = difference(workspace, new, old)
    assert found.kept.tolist() == [2]  # whichever number the copy has
    assert sorted(found.removed.tolist()) == [0, 1]
    assert found.added.tolist() == []
    assert found.gone == 1


def test_datasets_without_a_row_in_common_have_no_difference(tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    text = "inputs: {pool: Dataset}\nsteps:\n  r: {use: selector/rows, on: $pool, rows: '0'}\nresult: $r"
    keys = []
    for first in (0, 100):
        workspace.add_rows(rows(first, 5), "mine")
        keys.append(of(workspace, text))
    with pytest.raises(CurationError, match="no row in common"):
        difference(workspace, keys[1], keys[0])


# ---------------------------------------------------------------------- twins and weaknesses


def test_a_twin_by_another_seed_is_found_and_judged_against_chance(tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add_rows(rows(0, 150), "mine")
    text = """
inputs: {pool: Dataset}
steps:
  words: {use: encoder/tfidf, on: $pool, dims: 16}
  groups: {use: labeller/kmeans, features: $words, k: 5, seed: 0}
  pick: {use: selector/random, labels: $groups, draw: balanced, budget: 50, seed: 0}
result: $pick
"""
    key = of(workspace, text)
    order = np.asarray(workspace.load(key).order)
    assert twins(workspace, key, order, 150) == []
    before = weakness_of(
        workspace, load_comparison(workspace, {"a": key}), load_comparison(workspace, {"a": key}).arms[0]
    )
    assert "another seed or encoder" in before.missing_reason
    recipe, bindings = variant_recipe(workspace, key, seed_by=1)
    other = run(plan(recipe, workspace, bindings), workspace, Runtime()).result.key
    of(workspace, text, ("groups.k=4",))  # other settings are no twin
    (twin,) = twins(workspace, key, order, 150)
    assert (twin.key, twin.kind) == (other, "seed")
    assert {(c.use, c.field) for c in twin.changes} == {
        ("encoder/tfidf", "seed"),
        ("labeller/kmeans", "seed"),
        ("selector/random", "seed"),
    }
    shared = set(order.tolist()) & set(np.asarray(workspace.load(other).order).tolist())
    assert twin.shared == len(shared)
    assert twin.expected == pytest.approx(50 * 50 / 150)
    found = load_comparison(workspace, {"a": key})
    weakness = weakness_of(workspace, found, found.arms[0])
    assert weakness.numbers["same rows with another seed"] == pytest.approx(len(shared) / 50)
    assert "with another seed" in weakness.sentence


def test_another_encoder_is_a_twin(home):
    workspace, keys = home
    recipe, bindings = variant_recipe(workspace, keys["centre"], settings=["words.dims=8"])
    run(plan(recipe, workspace, bindings), workspace, Runtime())
    order = np.asarray(workspace.load(keys["centre"]).order)
    assert [t.kind for t in twins(workspace, keys["centre"], order, 150)] == ["encoder"]


def test_a_method_without_chance_has_no_other_seed(home):
    workspace, keys = home
    with pytest.raises(CurationError, match="draws by chance"):
        variant_recipe(workspace, keys["long"], seed_by=1)


def test_a_score_by_a_model_shows_what_a_statistical_method_does_not_see(home, tiny_causal):
    workspace, keys = home
    text = f"""
inputs: {{pool: Dataset}}
steps:
  base: {{use: trainer/base, on: $pool, name: {tiny_causal}}}
  loss: {{use: scorer/loss, model: $base, on: $pool}}
  pick: {{use: selector/top-k, score: $loss, keep: highest, budget: 30}}
result: $pick
"""
    key = of(workspace, text)
    found = load_comparison(workspace, {"centre": keys["centre"], "loss": key})
    statistical, judged = found.arms
    assert judged.method_class == "zero-order"
    seen = weakness_of(workspace, found, statistical)
    assert seen.numbers["steps that ask a model"] == 0
    assert any("(by a model)" in str(row[0]) for row in seen.table)
    foretold = weakness_of(workspace, found, judged)
    assert foretold.numbers["rows"] == 150
    assert "scorer/loss" in foretold.sentence
    assert foretold.columns[0] == "feature"
    assert -1 < foretold.numbers["R² of trees"] <= 1


def test_bayesian_weakness_is_the_fit_of_its_line(home):
    workspace, _ = home
    text = """
inputs: {pool: Dataset}
steps:
  words: {use: encoder/tfidf, on: $pool, dims: 16}
  length: {use: scorer/length, on: $pool, unit: characters}
  pick: {use: selector/bayes-logdet, features: $words, budget: 10%s}
result: $pick
"""
    for signal, measured in ((", signal: $length", True), ("", False)):
        found = load_comparison(workspace, {"b": of(workspace, text % signal)})
        weakness = weakness_of(workspace, found, found.arms[0])
        assert weakness.method_class == "bayesian"
        assert bool(weakness.sentence) == measured
        assert bool(weakness.missing_reason) != measured
        assert ("R² on rows left out" in weakness.numbers) == measured


def test_first_order_weakness_is_cost_and_another_model(home, tiny_causal):
    workspace, keys = home
    text = f"""
inputs: {{pool: Dataset}}
steps:
  base: {{use: trainer/base, on: $pool, name: {tiny_causal}}}
  norm: {{use: scorer/gradient-norm, model: $base, on: $pool}}
  pick: {{use: selector/top-k, score: $norm, keep: highest, budget: 30}}
result: $pick
"""
    key = of(workspace, text)
    found = load_comparison(workspace, {"g": key, "c": keys["centre"]})
    weakness = weakness_of(workspace, found, found.arms[0])
    assert weakness.method_class == "first-order"
    assert weakness.numbers["seconds of trainings and gradients"] > 0
    assert "times the cheapest other arm" in weakness.numbers
    assert "another model" in weakness.missing_reason


def test_lineage_of_what_is_gone_says_so(home, tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add_rows(rows(0, 30), "mine")
    text = "inputs: {pool: Dataset}\nsteps:\n  l: {use: scorer/length, on: $pool}\n"
    key = of(workspace, text + "  t: {use: selector/top-k, score: $l, budget: 3, keep: highest}\nresult: $t")
    length = lineage(workspace, key)[1].key
    for file in (workspace.root / "results" / length).iterdir():
        file.unlink()
    (workspace.root / "results" / length).rmdir()
    cost = load_comparison(workspace, {"a": key}).arms[0].cost
    assert cost.unknown == (length[:6],)


# ---------------------------------------------------------------------- together


def test_selections_again_at_one_budget_reuse_what_is_stored(home):
    workspace, keys = home
    made = recipe_of_selections(
        workspace, {"c": keys["centre"], "l": keys["long"], "t": keys["above"]}, 25, coverage=False
    )
    assert set(made.own_size) == {"t"}
    outcome = run(plan(made.recipe, workspace, made.bindings), workspace, Runtime(), go_on=True)
    sizes = {arm: len(outcome.artifact(step)) for arm, step in made.arms.items()}
    assert (sizes["c"], sizes["l"]) == (25, 25)
    assert {s.name for s in outcome.steps if s.reused} >= {"length", "t"}
    assert made.recipe.about["arms"] == made.arms


def test_a_summary_is_plain_json(home):
    workspace, keys = home
    found = load_comparison(workspace, {"c": keys["centre"], "l": keys["long"]}, budget=20)
    told = json.loads(json.dumps(summary(report_of(workspace, found, older=keys["chance"])), allow_nan=False))
    assert told["overlap"]["sizes"] == [20, 20, 20, 20, 20]
    assert [w["arm"] for w in told["weaknesses"]] == ["c", "l"]
    assert told["difference"]["older"] == "chance"
    assert {s["name"] for s in told["shares"]} >= {"source"}
    assert told["votes"]["2"] == told["all"]["rows"]
