"""The part of the Deduplicate page on evaluation files."""

import json

import pytest

from curation import jobs
from curation.ui.contamination_view import WITHOUT_VECTORS
from curation.ui.select_recipe import Wish, selection_recipe
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")


def texts(at):
    kinds = (at.markdown, at.caption, at.text, at.info, at.success)
    return " ".join(str(e.value) for kind in kinds for e in kind)


@pytest.fixture
def both(tmp_path, demo_file):
    """A workspace with a pool and an evaluation file that holds two of its rows."""
    rows = json.loads(demo_file.read_text())
    workspace = Workspace.open(tmp_path / "ws")
    for name, part in (("test", [*rows[200:210], *rows[5:7]]), ("pool", rows[:40])):
        (tmp_path / f"{name}.json").write_text(json.dumps(part))
        workspace.add(tmp_path / f"{name}.json", name=name)
    return workspace


def test_the_evaluation_file_is_chosen_and_the_check_started(open_page, both, started):
    at = open_page("deduplicate", both.root, dataset="pool")
    assert not at.exception
    at = at.toggle(key="contamination.semantic").set_value(False).run()
    at.button(key="contamination.run").click().run()
    assert not at.exception
    recipe, bindings, title = started[0]
    assert title.startswith("Contamination: ")
    assert set(bindings) == {"pool", "evaluation"}
    assert recipe.steps["check"].get("features") is None
    assert not any(s["use"].startswith("encoder/") and n == "check" for n, s in recipe.steps.items())


def test_every_pair_can_be_read(open_page, both):
    pool, test = both.dataset("pool"), both.dataset("test")
    wish = Wish("decontaminate", {}, coverage=False, inputs={"evaluation": test.fingerprint}, settings=WITHOUT_VECTORS)
    recipe, bindings = selection_recipe(both, pool.fingerprint, wish)
    _, outcome = jobs.run_here(both, recipe, bindings, title="Contamination: pool", device="cpu")
    assert len(outcome.artifact(recipe.result[1:])) == 38
    at = open_page("deduplicate", both.root, dataset="pool")
    assert not at.exception
    shown = {m.label: m.value for m in at.metric}
    assert shown["Rows that match"] == "2"
    assert "**exact**" in texts(at)
    assert f"**Row {5:,}**" in texts(at)
    pair = next(n for n in at.number_input if n.key.startswith("contamination.pair"))
    at = pair.set_value(2).run()
    assert "**Row 6**" in texts(at)
    assert "**Row 11**" in texts(at), "the row of the evaluation file beside it"
