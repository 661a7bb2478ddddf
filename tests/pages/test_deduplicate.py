"""The Deduplicate page: looking for duplicates, thresholds that act at once, pairs, storing."""

import json

import pytest

from curation import jobs
from curation.ui.dedup_ask import find_recipe
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")

BASE = "Name {} rivers of {} and say in one sentence each why people live along them today"


def texts(at):
    kinds = (at.markdown, at.caption, at.text, at.warning, at.info)
    return " ".join(str(e.value) for kind in kinds for e in kind)


def test_without_a_dataset_it_shows_the_way(open_page, empty_workspace):
    at = open_page("deduplicate", empty_workspace)
    assert not at.exception
    assert "There are no rows here yet" in texts(at)


def test_before_anything_was_looked_for_it_offers_one_run(open_page, tmp_path, few_rows, started):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    at = open_page("deduplicate", workspace.root)
    assert not at.exception
    assert "Nobody has looked for duplicates" in texts(at)
    at = at.button(key="dedup.run").click().run()
    assert not at.exception
    recipe, bindings, title = started[0]
    assert title == "Duplicates: few"
    assert set(bindings) == {"pool"}
    uses = {s["use"] for s in recipe.steps.values()}
    assert {"labeller/exact-duplicates", "labeller/near-duplicates", "labeller/semantic-duplicates"} <= uses
    at = at.toggle(key="dedup.semantic").set_value(False).run()
    at.button(key="dedup.run").click().run()
    assert not any(s["use"] == "encoder/sentence" for s in started[1][0].steps.values())


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    """A workspace in which exact and near duplicates were found: five copies, and four that differ in one word."""
    folder = tmp_path_factory.mktemp("copies")
    rows = [{"instruction": BASE.format(i, f"land {i * i}"), "output": f"{i} " * (8 + i)} for i in range(20)]
    rows += [dict(rows[i]) for i in range(5)]
    rows += [{**rows[i], "instruction": rows[i]["instruction"] + " too"} for i in range(10, 14)]
    (folder / "rows.json").write_text(json.dumps(rows))
    workspace = Workspace.open(folder / "ws")
    dataset = workspace.add(folder / "rows.json").dataset
    recipe, bindings = find_recipe(workspace, dataset.fingerprint, semantic=False)
    jobs.run_here(workspace, recipe, bindings, title="Duplicates: rows", device="cpu")
    return workspace.root


def left(at):
    return next(m.value for m in at.markdown if m.value.startswith("### "))


def test_thresholds_act_at_once(open_page, looked):
    at = open_page("deduplicate", looked)
    assert not at.exception
    assert "### 20 of 29 rows stay" in left(at)
    slider = next(s for s in at.slider if s.key.startswith("dedup.threshold"))
    at = slider.set_value(1.0).run()
    assert "### 24 of 29 rows stay" in left(at)
    at = at.button_group(key="dedup.stages").set_value(["labeller/exact-duplicates"]).run()
    assert not at.exception
    assert "### 24 of 29 rows stay" in left(at)


def test_the_pair_nearest_to_the_threshold_is_shown_first_and_the_arrows_go_on(open_page, looked):
    at = open_page("deduplicate", looked)
    assert "Pair 1 of" in texts(at)
    assert "too" in texts(at)
    at = at.button(key="dedup.next").click().run()
    assert not at.exception
    assert "Pair 2 of" in texts(at)
    slider = next(s for s in at.slider if s.key.startswith("dedup.threshold"))
    assert "Pair 1 of" in texts(slider.set_value(0.8).run()), "a moved threshold begins anew"


def test_a_number_of_rows_sets_the_threshold(open_page, looked):
    at = open_page("deduplicate", looked)
    slider = next(s for s in at.slider if s.key.startswith("dedup.threshold"))
    at = slider.set_value(1.0).run()
    at = at.number_input(key="dedup.count").set_value(22).run()
    at = at.button(key="dedup.apply").click().run()
    assert not at.exception
    assert int(left(at).split()[1]) <= 22
    at = at.number_input(key="dedup.count").set_value(2).run()
    at = at.button(key="dedup.apply").click().run()
    assert any("more rows are left" in w.value for w in at.warning)
    at = at.number_input(key="dedup.count").set_value(22).run()
    assert not at.warning, "it was said of another number"


def test_a_number_of_rows_counts_only_the_stages_that_are_on(open_page, looked):
    at = open_page("deduplicate", looked)
    at = at.button_group(key="dedup.stages").set_value(["labeller/near-duplicates"]).run()
    at = at.number_input(key="dedup.count").set_value(24).run()
    at = at.button(key="dedup.apply").click().run()
    assert not at.exception
    assert "### 24 of 29 rows stay" in left(at)


def test_exact_pairs_have_no_threshold(open_page, looked):
    at = open_page("deduplicate", looked)
    at = at.segmented_control(key="dedup.pairs.of").set_value("labeller/exact-duplicates").run()
    assert "Pair 1 of 5 · **the same text**" in texts(at)


def test_what_is_stored_is_what_was_shown(open_page, looked, started):
    at = open_page("deduplicate", looked)
    at.button(key="dedup.store").click().run()
    recipe, bindings, title = started[0]
    assert title == "Deduplicate: rows, 20 rows"
    last = recipe.steps[recipe.result[1:]]
    assert last["use"] == "selector/deduplicate"
    assert recipe.steps[last["within"][1:]]["use"] == "selector/deduplicate"
    _, outcome = jobs.run_here(Workspace.open(looked), recipe, bindings, title=title, device="cpu")
    assert len(outcome.artifact(recipe.result[1:])) == 20
    at = open_page("deduplicate", looked)
    assert not at.exception
    assert any("20 rows. Pick within them" in s.value for s in at.success)
