"""Quotas in recipes: with selectors of every kind, what is stored, what is refused and when, the faces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from curation.api import Pool
from curation.cli.main import app
from curation.complete import complete
from curation.core.dataset import Row
from curation.core.errors import CurationError, RecipeError
from curation.core.runtime import Runtime
from curation.engine import run, selecting
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

TOPICS = {
    "cooking": ["bake", "bread", "flour", "oven", "butter", "dough", "sugar", "yeast"],
    "sky": ["planet", "orbit", "star", "comet", "telescope", "moon", "galaxy", "eclipse"],
    "law": ["court", "judge", "contract", "appeal", "statute", "jury", "verdict", "clause"],
}
SIZES = {"cooking": 50, "sky": 25, "law": 15}  # and 10 rows without a topic


def rows() -> list[Row]:
    rng = np.random.default_rng(0)
    topics = [topic for topic, size in SIZES.items() for _ in range(size)] + [None] * 10
    made = []
    for i, topic in enumerate(rng.permutation(np.array(topics, object))):
        words = TOPICS.get(topic) or sum(TOPICS.values(), [])
        prompt = f"Tell me about {' '.join(rng.choice(words, 4))}"
        response = f"{' '.join(rng.choice(words, 3 + i % 9))} {i}"
        record = {"instruction": prompt, "output": response, "topic": topic}
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        made.append(Row(messages, json.dumps(record), f"part{i % 2}.json", i, "alpaca"))
    return made


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Workspace:
    made = Workspace.open(tmp_path_factory.mktemp("quotas") / "ws")
    made.add_rows(rows(), "rows")
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.open(tmp_path / "ws")
    made.add_rows(rows(), "rows")
    return made


TEXT = """
inputs: {pool: Dataset}
steps:
  topics: {use: labeller/column, on: $pool, field: topic}
  length: {use: scorer/length, on: $pool, text: response, unit: words}
  embed:  {use: encoder/tfidf, on: $pool, dims: 8}
  groups: {use: labeller/kmeans, features: $embed, k: 4}
  same:   {use: labeller/near-duplicates, on: $pool}
  pick:   {use: selector/top-k, score: $length, keep: highest, budget: 20}
result: $pick
"""

KINDS = {
    "top-k": "{use: selector/top-k, score: $length, keep: highest, budget: 20}",
    "k-center": "{use: selector/k-center, features: $embed, budget: 20}",
    "random": "{use: selector/random, on: $pool, seed: 3, budget: 20%}",
    "random, stratified": "{use: selector/random, draw: stratified, labels: $groups, budget: 20}",
    "modn, clusters": "{use: selector/modn, mode: clusters, features: $embed, clusters: $groups, budget: 20}",
    "mig": "{use: selector/mig, tags: $groups, features: $embed, budget: 20}",
    "tag coverage": "{use: selector/tag-coverage, tags: $groups, budget: 20}",
}
UNBUDGETED = {
    "deduplicate": "{use: selector/deduplicate, duplicates: $same}",
    "threshold": "{use: selector/threshold, score: $length, above: 6}",
}


def recipe(kind: str, **bounds) -> Recipe:
    made = Recipe.read(TEXT)
    step = Recipe.read(TEXT.replace("{use: selector/top-k, score: $length, keep: highest, budget: 20}", kind)).steps
    return made.model_copy(update={"steps": {**step, "pick": {**step["pick"], **bounds}}})


def go(workspace: Workspace, made: Recipe, *settings: str):
    return run(plan(made.with_settings(settings), workspace, {"pool": "rows"}), workspace, Runtime())


def counts(workspace: Workspace, order: np.ndarray) -> dict[str, int]:
    topics = [workspace.dataset("rows").field("topic")[row] for row in order]
    return {str(topic): topics.count(topic) for topic in set(topics)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_quota_holds_with_selectors_of_every_kind(shared, kind):
    free = go(shared, recipe(KINDS[kind])).artifact("pick")
    bounds = {"at_least": {"law": 9, "no value": "10%"}, "at_most": {"*": 7, "law": 10}}
    made = go(shared, recipe(KINDS[kind], quota="$topics", **bounds)).artifact("pick")
    found = counts(shared, made.order)
    assert len(made) == 20 == len(np.unique(made.order))
    assert made.short_by == 0
    assert 9 <= found["law"] <= 10
    assert found["None"] >= 2
    assert max(found["cooking"], found.get("sky", 0), found["None"]) <= 7
    assert made.info["quota"]["law"]["picked"] == found["law"]
    np.testing.assert_array_equal(made.stage == 0, made.mask)
    reasons = {made.stages[code - 1] for code in made.stage if code}
    assert any("had its quota already" in r or "kept for the minimum of" in r for r in reasons) or set(
        free.order
    ) == set(made.order)
    assert all(made.why(row).startswith("in: " if made.mask[row] else "out: ") for row in range(100))
    if len(made.covered_by):
        assert np.isin(made.covered_by[made.covered_by >= 0], made.order).all()


@pytest.mark.parametrize("kind", [k for k in KINDS if "," not in k])
def test_a_nested_order_is_walked_as_the_textbook_says(shared, kind):
    order = go(shared, recipe(KINDS[kind]), "pick.budget=100").artifact("pick").order
    topics = shared.dataset("rows").field("topic")
    at_least, most = {"law": 9, None: 2}, 7
    taken: list[int] = []
    for row in order:
        have = [topics[r] for r in taken]
        own = topics[row]
        lacking = sum(max(0, least - have.count(t)) for t, least in at_least.items() if t != own)
        lacking += max(0, at_least.get(own, 0) - have.count(own) - 1)
        if len(taken) < 20 and have.count(own) < (10 if own == "law" else most) and 20 - len(taken) - 1 >= lacking:
            taken.append(row)
    bounds = {"at_least": {"law": 9, "no value": 2}, "at_most": {"*": 7, "law": 10}}
    made = go(shared, recipe(KINDS[kind], quota="$topics", **bounds)).artifact("pick")
    assert made.order.tolist() == taken


@pytest.mark.parametrize("kind", UNBUDGETED)
def test_a_selector_without_a_budget_is_thinned_out(shared, kind):
    free = go(shared, recipe(UNBUDGETED[kind])).artifact("pick")
    made = go(shared, recipe(UNBUDGETED[kind], quota="$topics", at_most={"*": 5})).artifact("pick")
    assert counts(shared, made.order) == {topic: min(5, c) for topic, c in counts(shared, free.order).items()}
    kept = [row for row in free.order if row in set(made.order)]
    assert made.order.tolist() == kept
    with pytest.raises(CurationError, match="'law' has .* eligible rows, 90 were asked for"):
        go(shared, recipe(UNBUDGETED[kind], quota="$topics", at_least={"law": 90}))


def test_any_label_can_be_counted_also_bands_of_a_score(shared):
    text = TEXT.replace(
        "  pick:", "  bands:  {use: labeller/bands, score: $length, names: [short, long], bands: 2}\n  pick:"
    )
    made = Recipe.read(text)
    done = go(shared, made, "pick.quota=$bands", "pick.at_least={short: 8}")
    codes = done.artifact("bands").codes[done.artifact("pick").order]
    assert np.bincount(codes).tolist() == [8, 12]
    done = go(shared, made, "pick.quota=$groups", "pick.at_most=6")
    assert np.bincount(done.artifact("groups").codes[done.artifact("pick").order]).max() == 6


def test_the_order_is_stored_once_and_no_quota_enters_its_key(workspace):
    base = recipe(KINDS["k-center"])
    first = plan(base, workspace, {"pool": "rows"}).step("pick")
    go(workspace, base, "pick.budget=30")
    made = recipe(KINDS["k-center"], quota="$topics", at_most={"cooking": 8})
    step = plan(made, workspace, {"pool": "rows"}).step("pick")
    assert step.order_key == first.order_key
    assert step.key != first.key
    go(workspace, made)
    lengths = [int(f.name.rpartition("-")[2]) for f in (workspace.root / "orders").iterdir()]
    assert len(lengths) == 1
    assert lengths[0] in (30, 40)
    assert workspace.manifest(step.key)["order_key"] is None  # a prefix of the order does not keep to the quota


def test_what_a_quota_says_enters_the_key_and_how_it_is_written_does_not(shared):
    def key(**bounds) -> str:
        return plan(recipe(KINDS["top-k"], **bounds), shared, {"pool": "rows"}).step("pick").key

    base = key(quota="$topics", at_least={"law": 5, "sky": "5%"})
    assert key(quota="$topics", at_least={"sky": "5.0%", "law": "5"}) == base
    others = [
        {"quota": "$topics", "at_least": {"law": 6, "sky": "5%"}},
        {"quota": "$topics", "at_least": {"law": 5}},
        {"quota": "$topics", "at_most": {"law": 5, "sky": "5%"}},
        {"quota": "$groups", "at_least": {"law": 5, "sky": "5%"}},
        {},
    ]
    assert len({base, *(key(**o) for o in others)}) == 6
    assert key() == plan(Recipe.read(TEXT), shared, {"pool": "rows"}).step("pick").key


def test_a_resolved_recipe_says_the_same_quota(shared):
    made = plan(recipe(KINDS["top-k"], quota="$topics", at_least={"law": 5}, at_most="90%"), shared, {"pool": "rows"})
    again = plan(Recipe.read(made.resolved_yaml()), shared, {"pool": "rows"})
    assert [s.key for s in again.steps] == [s.key for s in made.steps]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["pick.at_least=5"], "'at_least' needs 'quota'"),
        (["pick.quota=$topics"], "at_least or at_most"),
        (["pick.quota=$length", "pick.at_most=5"], "'quota' wants Labels, .length is Score"),
        (["pick.quota=topics", "pick.at_most=5"], "not a reference"),
        (["pick.quota=$topics", "pick.at_most={law: lots}"], "at_most of 'law': 'lots' is no amount"),
        (["pick.quota=$topics", "pick.at_most=5", "pick.budget=100 tokens", "pick.tokens=$length"], "rows or percent"),
        (["groups.quota=$topics", "groups.at_most=5"], "labeller/kmeans takes no 'quota'"),
    ],
)
def test_wrong_quotas_are_told_before_anything_runs(shared, settings, words):
    with pytest.raises(RecipeError, match=words) as caught:
        plan(Recipe.read(TEXT).with_settings(settings), shared, {"pool": "rows"})
    assert caught.value.step in ("pick", "groups")


def test_labels_of_another_dataset_are_refused(workspace):
    workspace.add_rows(rows()[:9], "other")
    text = TEXT.replace("inputs: {pool: Dataset}", "inputs: {pool: Dataset, more: Dataset}")
    text = text.replace("topics: {use: labeller/column, on: $pool", "topics: {use: labeller/column, on: $more")
    made = Recipe.read(text).with_settings(["pick.quota=$topics", "pick.at_most=5"])
    with pytest.raises(RecipeError, match="mixes datasets"):
        plan(made, workspace, {"pool": "rows", "more": "other"})


@pytest.mark.parametrize(
    ("settings", "words", "hint"),
    [
        (["pick.at_least={law: 50}"], "step 'pick' .*: 'law' has 15 eligible rows, 50 were asked for", "law: 15"),
        (["pick.at_least={law: 12, sky: 12}"], "the minima add up to 24 rows, 20 are to be picked", "budget of 24"),
        (["pick.at_most=10%"], "the maxima allow 8 rows, 20 are to be picked", "maxima of 5"),
        (["pick.at_most={lawn: 3}"], "names 'lawn', which no row has", "law"),
    ],
)
def test_what_cannot_be_is_told_before_the_method_runs(shared, settings, words, hint, monkeypatch):
    def never(*args: object, **more: object) -> None:
        raise AssertionError("it ran")

    monkeypatch.setattr(selecting, "_ordered", never)
    with pytest.raises(CurationError, match=words) as caught:
        go(shared, recipe(KINDS["top-k"], quota="$topics"), *settings)
    assert hint in caught.value.hint


def test_rows_outside_within_are_not_eligible_for_a_minimum(shared):
    text = TEXT.replace("  pick:", "  some:   {use: selector/random, on: $pool, budget: 40}\n  pick:")
    made = Recipe.read(text).with_settings(["pick.within=$some", "pick.quota=$topics", "pick.at_least={law: 15}"])
    with pytest.raises(CurationError, match=r"'law' has \d eligible rows, 15 were asked for"):
        go(shared, made)


def test_more_asked_for_than_there_is(shared):
    made = go(shared, recipe(KINDS["top-k"], quota="$topics", at_least={"law": 15}), "pick.budget=150").artifact("pick")
    assert len(made) == 100
    assert made.short_by == 50
    assert made.short_reason == "only 100 rows are eligible"


def test_an_order_that_ends_with_a_minimum_unmet_is_short(workspace):
    same = [{"role": "user", "content": "bread"}, {"role": "assistant", "content": "oven"}]
    other = [{"role": "user", "content": "star"}, {"role": "assistant", "content": "moon"}]
    made = [Row(same, json.dumps({"topic": "a"}), "f", i, "x") for i in range(5)]
    made += [Row(other, json.dumps({"topic": "b"}), "f", i, "x") for i in range(5)]
    workspace.add_rows(made, "copies")
    asked = recipe(KINDS["k-center"], quota="$topics", at_least={"b": 3}).with_settings(
        ["pick.budget=4", "topics.field=topic"]
    )
    pick = run(plan(asked, workspace, {"pool": "copies"}), workspace, Runtime()).artifact("pick")
    assert len(pick) == 2  # k-center takes no copies
    assert pick.short_by == 2
    assert "identical" in pick.short_reason
    assert "'b' has 1 of at least 3" in pick.short_reason


# ---------------------------------------------------------------------- the faces


def test_a_word_stands_for_the_labels_that_are_counted():
    made = complete("selector/top-k", {"score": "$s", "quota": "source", "at_most": "60%"}, steps={"s": {"use": "x"}})
    assert made.steps["top-k"]["quota"] == "$sources"
    assert made.steps["sources"] == {"use": "labeller/column", "on": "$pool"}
    made = complete("selector/random", {"quota": "field:meta.topic", "at_most": 3})
    assert made.steps["groups"]["field"] == "meta.topic"
    made = complete("selector/random", {"quota": "length", "at_most": "50%"})
    assert made.steps["lengths"] == {"use": "labeller/bands", "score": "$tokens"}
    made = complete("modn", {"quota": "cluster", "at_most": "10%"})
    assert made.steps[made.steps["pick"]["quota"][1:]]["use"] == "labeller/clusters"
    with pytest.raises(RecipeError, match="'colour' is nothing that a quota can count") as caught:
        complete("selector/random", {"quota": "colour", "at_most": 3})
    assert "language" in caught.value.hint


def test_in_python(workspace):
    pool = Pool(workspace, workspace.dataset("rows"))
    topics = pool.label("column", field="topic")
    picked = pool.select("random", budget=20, quota=topics, at_least={"law": "50%"})
    assert counts(workspace, picked.artifact.order)["law"] >= 10
    by_word = pool.select("random", budget=20, quota="field:topic", at_least={"law": "50%"})
    assert by_word.artifact.order.tolist() == picked.artifact.order.tolist()
    of_preset = {"embed.use": "encoder/tfidf", "clusters.k": 3}
    modn = pool.select("modn", budget=20, quota=topics, at_most={"*": 6}, **of_preset)
    assert max(counts(workspace, modn.artifact.order).values()) == 6


def test_on_the_command_line(workspace, tmp_path):
    home = ["--workspace", str(workspace.root), "--dataset", "rows", "--json"]
    file = tmp_path / "recipe.yaml"
    file.write_text(TEXT)
    bounds = ["--set", "pick.quota=$topics", "--set", 'pick.at_least={law: 8, "*": 5%}', "--set", "pick.at_most=9"]
    done = CliRunner().invoke(app, ["run", str(file), *bounds, *home])
    assert done.exit_code == 0, done.output
    order = workspace.load(json.loads(done.stdout)["key"]).order
    assert counts(workspace, order)["law"] == 8
    assert max(counts(workspace, order).values()) <= 9
    words = ["--set", "quota=field:topic", "--set", "at_least={law: 8}"]
    done = CliRunner().invoke(app, ["select", "random", "--budget", "20", *words, *home])
    assert done.exit_code == 0, done.output
    assert counts(workspace, workspace.load(json.loads(done.stdout)["key"]).order)["law"] == 8
    refused = CliRunner().invoke(app, ["select", "random", "--budget", "20", *words[:3], "at_least={law: 80}", *home])
    assert isinstance(refused.exception, CurationError)
    assert "'law' has 15 eligible rows, 80 were asked for" in refused.exception.message
