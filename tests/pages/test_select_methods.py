"""What the Select page shows of single methods: the filter's curve, the linear fit, whom picks serve."""

import json

import numpy as np
import pytest

from curation import jobs
from curation.complete import complete
from curation.workspace import Workspace
from tests.pages.conftest import publish_made_up

pytestmark = pytest.mark.usefixtures("no_measuring")
STEPS = {
    "length": {"use": "scorer/length", "on": "$pool"},
    "aim": {"use": "selector/rows", "on": "$pool", "rows": "3, 4"},
}


def texts(at):
    kinds = (at.markdown, at.caption, at.warning, at.info)
    return " ".join(str(e.value) for kind in kinds for e in kind)


@pytest.fixture
def selected(open_page, tmp_path, demo_file):
    """The page with one selection on made-up vectors; call with a selector and its values."""
    workspace = Workspace.open(tmp_path / "ws")
    (tmp_path / "pool.json").write_text(json.dumps(json.loads(demo_file.read_text())[:60]))
    dataset = workspace.add(tmp_path / "pool.json").dataset
    publish_made_up(workspace, dataset)

    def made(use, **values):
        recipe = complete(use, {"budget": 9, **values}, steps=STEPS)
        _, outcome = jobs.run_here(
            workspace, recipe, {"pool": dataset.fingerprint}, title="Selection: pool", device="cpu"
        )
        at = open_page("select", workspace.root)
        assert not at.exception
        box = at.selectbox(key="select.selection")
        return box.set_value(outcome.plan.step(outcome.plan.result).key).run(), outcome

    return made


def test_the_diverse_filter_shows_what_other_limits_keep(selected):
    at, outcome = selected("selector/diverse-filter", score="$length", keep="highest")
    curve = outcome.artifact("diverse-filter").info["curve"]
    slider = next(s for s in at.select_slider if s.key.startswith("select.limit"))
    limit = curve["max_similarity"][0]
    at = slider.set_value(limit).run()
    assert not at.exception
    assert f"At **{limit:.3f}** the filter keeps **{curve['kept'][0]}** rows" in texts(at)


def test_the_fit_of_the_linear_model_is_shown(selected):
    at, outcome = selected("selector/bayes-logdet", signal="$length")
    info = outcome.artifact("bayes-logdet").info
    shown = {m.label: m.value for m in at.metric}
    assert shown["Linear fit, R²"] == f"{info['fit_r2']:.2f}"
    assert ("explains little of the signal" in texts(at)) == (info["fit_r2"] < 0.2)
    at, _ = selected("selector/bayes-logdet")
    assert "not measured" in texts(at)


def test_a_pick_says_which_query_it_serves(selected):
    at, outcome = selected("selector/rds", targets="$aim")
    picks = outcome.artifact("rds")
    row = int(picks.order[0])
    at = at.number_input(key="select.row").set_value(row).run()
    assert not at.exception
    assert f"it serves query row {picks.info['served'][0]}" in texts(at)
    assert set(picks.info["served"]) <= {3, 4}
    assert np.isfinite(picks.gains).all()


def test_a_coreset_shows_its_line_and_its_error(selected):
    at, outcome = selected("selector/bayes-coreset", signal="$length")
    info = outcome.artifact("bayes-coreset").info
    shown = {m.label: m.value for m in at.metric}
    assert shown["Linear fit, R²"] == f"{info['R² of rows left out']:.2f}"
    assert shown["Error left"] == f"{100 * info['error left, share']:.1f} %"
    assert "carry weights from" in texts(at)
