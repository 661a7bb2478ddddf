"""The Judge page, empty and filled; the judge is the stand-in, which asks nobody."""

import dataclasses
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from curation import jobs
from curation.core.spending import Caps
from curation.recipe import Recipe
from curation.ui.judge_distill import learnt_well
from curation.ui.judge_result import nearest_cut
from curation.ui.judge_run import EXPECTED
from curation.ui.judge_spot_log import SpotChecks
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")

HOSTILE = "![x](http://evil.test/p.png) <b>bold</b> $x$"
SECONDS = 60


def texts(at):
    kinds = (at.markdown, at.caption, at.text, at.warning, at.info, at.success)
    return " ".join(str(e.value) for kind in kinds for e in kind)


def metric(at, label):
    return next(m for m in at.metric if m.label == label)


def part(at, name):
    return at.segmented_control(key="judge.part").set_value(name).run()


@pytest.fixture
def own_connections(tmp_path, monkeypatch):
    """A file of connections that a test may change."""
    path = tmp_path / "connections.yaml"
    path.write_text("judge: {kind: stand-in}\n")
    monkeypatch.setenv("CURATION_CONNECTIONS", str(path))
    return path


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Jobs that the page starts or resumes; none really runs."""
    found = []

    def start(workspace, recipe, bindings, *, title="", caps=None, **more):
        found.append((recipe, dict(bindings), title, caps))
        folder = tmp_path / f"job{len(found)}"
        folder.mkdir()
        return jobs.Job(folder.name, folder)

    monkeypatch.setattr("curation.jobs.start", start)
    return found


# ---------------------------------------------------------------------- empty


def test_without_a_dataset_it_shows_the_way(open_page, empty_workspace):
    at = open_page("judge", empty_workspace)
    assert not at.exception
    assert "There are no rows here yet" in texts(at)


@pytest.fixture
def new(open_page, few_rows, tmp_path, own_connections):
    """The page on rows that no judge has read."""
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    at = open_page("judge", workspace.root)
    assert not at.exception
    return at


def test_it_begins_with_five_rows_and_says_that_the_stand_in_asks_nobody(new):
    assert new.segmented_control(key="judge.part").value == "try"
    assert "asks nobody" in texts(new)
    assert new.button(key="judge.try.go").label == "Try it on 5 rows"
    for name in ("result", "spot"):
        assert "No judge has read these rows yet" in texts(part(new, name))
    assert not new.exception


def test_all_methods_that_ask_are_offered_and_no_other(new):
    from curation.core.method import discover
    from curation.models.chat.asking import Asking
    from curation.ui.judge_method import judges

    wanted = {u for u, c in discover().items() if issubclass(c, Asking) and c.family in ("scorer", "labeller")}
    assert set(judges()) == wanted
    assert len(new.selectbox(key="judge.method").options) == len(wanted) > 3
    for use in judges():
        at = new.selectbox(key="judge.method").set_value(use).run()
        assert not at.exception, use


def test_fields_that_do_not_fit_together_are_told(new):
    at = new.slider(key="judge.form.scorer/alpagasus.low").set_value(5).run()
    assert any("low is 5" in e.value for e in at.error)
    assert "First the connection and the method" in texts(at)


# ---------------------------------------------------------------------- connections


def test_a_connection_is_added_changed_and_removed(new, own_connections):
    at = new.button(key="judge.connect.add").click().run()
    assert "Still to be filled in" in texts(at)
    assert at.button(key="judge.form.save").disabled
    at.text_input(key="judge.form.model").set_value("some/model").run()
    at.text_input(key="judge.form.key").set_value("SOME_KEY").run()
    assert "SOME\\_KEY is not set" in texts(at)
    at = at.button(key="judge.form.save").click().run()
    assert not at.exception
    assert at.selectbox(key="judge.connection").value == "vllm"
    text = own_connections.read_text()
    assert "some/model" in text
    assert "SOME_KEY" in text
    at = at.button(key="judge.connect.edit").click().run()
    at.toggle(key="judge.form.priced").set_value(True).run()
    at.number_input(key="judge.form.input").set_value(0.5).run()
    at = at.button(key="judge.form.save").click().run()
    assert "5 / 0 USD per million tokens" in texts(at)
    at = at.button(key="judge.connect.remove").click().run()
    assert at.selectbox(key="judge.connection").value == "judge"
    assert "vllm" not in own_connections.read_text()


def test_a_new_connection_does_not_take_the_place_of_another(new, own_connections):
    at = new.button(key="judge.connect.add").click().run()
    at.text_input(key="judge.form.name").set_value("judge").run()
    at = at.text_input(key="judge.form.model").set_value("some/model").run()
    assert any("there is a connection “judge” already" in e.value for e in at.error)
    assert at.button(key="judge.form.save").disabled
    at = at.text_input(key="judge.form.name").set_value("another").run()
    assert not at.button(key="judge.form.save").disabled
    assert own_connections.read_text() == "judge: {kind: stand-in}\n"


def test_what_looks_like_a_key_is_refused_under_its_field_and_not_repeated(new, own_connections):
    at = new.button(key="judge.connect.add").click().run()
    at.text_input(key="judge.form.model").set_value("m").run()
    secret = "sk-abcdefghijklmnop1234567890"
    at.text_input(key="judge.form.key").set_value(secret).run()
    assert any("NAME of an environment variable" in e.value for e in at.error)
    assert secret not in " ".join(e.value for e in at.error) + texts(at)
    assert at.button(key="judge.form.save").disabled
    assert "sk-" not in own_connections.read_text()


def test_a_starting_point_fills_the_form(new):
    at = new.button(key="judge.connect.add").click().run()
    at = at.selectbox(key="judge.form.server").set_value("hosted").run()
    assert at.text_input(key="judge.form.address").value == "https://api.openai.com/v1"
    assert at.text_input(key="judge.form.key").value == "OPENAI_API_KEY"
    at = at.selectbox(key="judge.form.server").set_value("local").run()
    assert "judge.form.address" not in [t.key for t in at.text_input]
    at = at.selectbox(key="judge.form.server").set_value("ollama").run()
    assert at.text_input(key="judge.form.address").value == "http://127.0.0.1:11434/v1"
    assert at.number_input(key="judge.form.concurrency").value == 64
    assert not at.exception


def test_a_file_of_connections_that_is_damaged_is_told(open_page, few_rows, tmp_path, own_connections):
    own_connections.write_text("judge: [1, 2\n")
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    at = open_page("judge", workspace.root)
    assert not at.exception
    assert any("not YAML" in e.value for e in at.error)


def test_a_connection_that_nobody_answers_is_told(new, own_connections):
    own_connections.write_text("dead: {kind: openai, address: 'http://127.0.0.1:9/v1', model: m, timeout: 2}\n")
    at = new.run()
    at = at.button(key="judge.test.go").click().run()
    at = until(at, lambda: "not reached" in texts(at))
    assert at.error


def until(at, true):
    """Run the page until something is true: what is asked apart takes a moment."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, texts(at)
        time.sleep(0.3)
        at.run()
        assert not at.exception
    return at


# ---------------------------------------------------------------------- try


def test_five_rows_are_tried_and_everything_is_shown_as_text(new):
    at = new.segmented_control(key="judge.try.way").set_value("first").run()
    at = at.button(key="judge.try.go").click().run()
    at = until(at, lambda: "tokens read" in texts(at))
    assert "5 calls" in texts(at)
    replies = [c.value for c in at.code if "Made up by the stand-in" in c.value]
    assert len(replies) == 5
    assert any(HOSTILE in c.value for c in at.code)  # what was sent holds the hostile row, as code
    assert not any("evil.test" in m.value and "![x](" in m.value for m in at.markdown)
    at = at.button(key="judge.try.go").click().run()
    at = until(at, lambda: "replies were stored already" in texts(at) and "0 calls" in texts(at))
    at = at.button(key="judge.try.another").click().run()
    until(at, lambda: "Row 5" in texts(at) and "Row 9" in texts(at))


# ---------------------------------------------------------------------- cost and run


def test_the_dry_run_sends_nothing_and_the_button_starts_a_job_with_its_limits(new, started):
    at = part(new, "all")
    assert "limits, not an estimate" in texts(at)
    assert int(metric(at, "Calls").value.replace(",", "")) >= 100
    at.text_input(key="judge.cost.cap.tokens").set_value("2M").run()
    at.number_input(key="judge.cost.cap.calls").set_value(500).run()
    at = at.button(key="judge.run").click().run()
    assert not at.exception
    recipe, _bindings, title, caps = started[0]
    assert caps == Caps(None, 2_000_000, 500)
    assert title.startswith("Judge: few")
    assert recipe.steps["judge"]["use"] == "scorer/alpagasus"
    assert recipe.steps["judge"]["connection"] == "judge"


def test_a_limit_that_is_no_number_is_said_and_nothing_starts(new):
    at = part(new, "all")
    at.text_input(key="judge.cost.cap.tokens").set_value("a lot").run()
    assert any("500k" in e.value for e in at.error)
    assert at.button(key="judge.run").disabled


def test_a_random_sample_becomes_a_step_of_the_recipe(new, started):
    at = part(new, "all")
    at.segmented_control(key="judge.rows.way").set_value("sample").run()
    at.number_input(key="judge.rows.count").set_value(7).run()
    assert metric(at, "Rows to ask about").value in ("6", "7")
    at.button(key="judge.run").click().run()
    steps = started[0][0].steps
    assert steps["judge"]["within"] == "$sample"
    assert steps["sample"]["budget"] == 7


def test_measuring_gives_an_estimate_and_the_run_does_not_ask_these_rows_again(new):
    at = part(new, "all")
    before = int(metric(at, "Rows to ask about").value)
    at = at.button(key="judge.cost.probe").click().run()
    at = until(at, lambda: "Measuring took" in texts(at))
    assert "Measured on" in texts(at)
    assert int(metric(at, "Rows to ask about").value) <= before - 25


def test_prices_are_kept_with_the_connection(new, own_connections):
    own_connections.write_text("paid: {kind: openai, address: 'http://127.0.0.1:9/v1', model: m}\n")
    at = part(new.run(), "all")
    assert metric(at, "Cost").value == "not known"
    at.number_input(key="judge.cost.price.paid.input").set_value(1.0).run()
    at = at.button(key="judge.cost.price.paid.save").click().run()
    assert not at.exception
    assert "USD" in metric(at, "Cost").value
    assert "input: 1.0" in own_connections.read_text()
    at = at.button(key="judge.cost.cap.high").click().run()
    assert at.number_input(key="judge.cost.cap.money").value > 0


# ---------------------------------------------------------------------- filled


@pytest.fixture(scope="module")
def judged_root(tmp_path_factory, made_workspace):
    """The made-up workspace after the stand-in has judged all rows."""
    root = tmp_path_factory.mktemp("judge") / "workspace"
    shutil.copytree(made_workspace, root)
    workspace = Workspace.open(root)
    steps = {"judge": {"use": "scorer/alpagasus", "on": "$pool", "connection": "stand-in", "audit": 0.5}}
    recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": "$judge"})
    fingerprint = workspace.dataset("made").fingerprint
    jobs.run_here(workspace, recipe, {"pool": fingerprint}, title="Judge: made", device="cpu")
    return root


@pytest.fixture
def filled(open_page, judged_root, tmp_path, own_connections):
    root = tmp_path / "filled"
    shutil.copytree(judged_root, root)
    at = open_page("judge", root)
    assert not at.exception
    return at


def judgement(root):
    workspace = Workspace.open(root)
    info = next(r for r in workspace.results() if r.use == "scorer/alpagasus")
    return workspace, workspace.dataset("made"), info.key, workspace.load(info.key)


def test_the_result_counts_what_is_kept_and_says_that_nobody_was_asked(filled, judged_root):
    score = judgement(judged_root)[3]
    assert "made up by the stand-in" in texts(filled)
    assert metric(filled, "Kept").value == str(int((score.values >= 4.5).sum()))
    assert metric(filled, "Dropped").value == str(int((score.values < 4.5).sum()))
    assert "What stays of every category" in texts(filled)


def test_cutting_by_a_share_keeps_about_that_share(filled, judged_root):
    key, score = judgement(judged_root)[2:]
    at = filled.segmented_control(key=f"judge.cut.{key}.way").set_value("share").run()
    at = at.slider(key=f"judge.cut.{key}.share").set_value(50).run()
    present = score.values[np.isfinite(score.values)]
    possible = [int((present >= v).sum()) for v in np.unique(present)]
    assert int(metric(at, "Kept").value) == min(possible, key=lambda k: abs(k - len(present) / 2))


@pytest.mark.parametrize(("side", "share", "cut"), [("above", 0.2, 4), ("above", 0.99, 1), ("below", 0.3, 1)])
def test_a_share_becomes_the_score_that_comes_nearest_to_it(side, share, cut):
    assert nearest_cut(np.array([1, 1, 2, 3, 3, 3, 4, 4]), share, side) == cut


def test_the_cut_becomes_a_selection(filled, started, judged_root):
    filled.button(key="judge.keep").click().run()
    recipe, _, title, _ = started[0]
    assert title == "Judge keeps: made"
    last = recipe.steps[recipe.result.removeprefix("$")]
    assert last["use"] == "selector/threshold"
    assert last["above"] == 4.5


def test_what_was_kept_is_said_with_ways_on(filled, monkeypatch):
    def start(workspace, recipe, bindings, *, title="", **more):
        return jobs.run_here(workspace, recipe, bindings, title=title, device="cpu")[0]

    monkeypatch.setattr("curation.jobs.start", start)
    at = filled.button(key="judge.keep").click().run()
    assert not at.exception
    assert "rows are kept** as a selection" in texts(at)
    assert any(b.label == "Export them" for b in at.button)
    at = at.button(key="judge.kept.close").click().run()
    assert "rows are kept** as a selection" not in texts(at)


def test_a_field_of_the_records_can_have_a_quota(filled, started):
    key = next(s.key for s in filled.selectbox if s.key == "judge.quota.of")
    options = filled.selectbox(key=key).options
    field = next((o for o in options if o.startswith("field: ")), None)
    assert field is not None, options
    at = filled.selectbox(key=key).set_value(field.replace("field: ", "field:")).run()
    at = at.text_input(key="judge.quota.most").set_value("50%").run()
    at.button(key="judge.keep").click().run()
    steps = started[0][0].steps
    assert steps["category"] == {"use": "labeller/column", "on": "$pool", "field": field.removeprefix("field: ")}
    assert steps["threshold"]["quota"] == "$category"


def test_the_report_of_the_judge_is_shown(filled, judged_root):
    from curation.ui.judge_report import findings_of, lines_of

    info = judgement(judged_root)[3].info
    lines = lines_of(info["audit"])
    assert any(line["what"] == "rank correlation with length" for line in lines)
    assert isinstance(findings_of(info["audit"]), list)
    assert findings_of({"position": {"value": 1, "low": 0.5, "high": 2}}) == [
        "The order in which it sees the parts moves its scores."
    ]


def test_a_spot_check_hides_the_score_and_remembers_every_answer(filled, open_page):
    root = Path(Workspace.open().root)
    at = part(filled, "spot")
    at = at.button(key="judge.spot.begin").click().run()
    assert not at.exception
    assert "The judge gave it" not in texts(at)
    at = at.button(key="judge.spot.wrong").click().run()
    assert "The judge gave it" in texts(at)
    at = at.button(key="judge.spot.right").click().run()
    at = at.button(key="judge.spot.skip").click().run()
    assert metric(at, "Wrongly dropped").value == "50 %"
    workspace, dataset, key, score = judgement(root)
    check = SpotChecks(workspace, dataset.fingerprint, len(dataset)).of(key, "above", 4.5)
    assert list(check.answers.values()) == ["wrong", "right", "skip"]
    assert (score.values[check.rows] < 4.5).all()
    again = part(open_page("judge", root), "spot")
    assert metric(again, "Read").value == f"2 of {len(check.rows)}"
    again = again.button(key="judge.spot.undo").click().run()
    assert not again.exception
    assert len(SpotChecks(workspace, dataset.fingerprint, len(dataset)).all()[0].answers) == 2


def test_a_check_of_another_threshold_is_gone_on_with(filled):
    key = judgement(Path(Workspace.open().root))[2]
    at = part(filled, "spot")
    at = at.button(key="judge.spot.begin").click().run()
    at = at.button(key="judge.spot.wrong").click().run()
    slider = at.select_slider(key=f"judge.cut.{key}.at")
    at = slider.set_value(min(float(o) for o in slider.options if float(o) > 0.5)).run()
    assert not any(m.label == "Wrongly dropped" for m in at.metric)
    at = next(b for b in at.button if b.label == "Go on with it").click().run()
    assert not at.exception
    assert metric(at, "Wrongly dropped").value == "100 %"
    assert at.select_slider(key=f"judge.cut.{key}.at").value == 4.5


def test_wrongly_dropped_rows_join_the_selection(filled, started):
    at = part(filled, "spot")
    at = at.button(key="judge.spot.begin").click().run()
    at = at.button(key="judge.spot.wrong").click().run()
    toggle = next(t for t in at.toggle if "wrongly dropped" in t.label)
    at = toggle.set_value(True).run()
    at = part(at, "result")
    assert "restored" in at.button(key="judge.keep").label
    at.button(key="judge.keep").click().run()
    recipe = started[0][0]
    assert recipe.steps["restored"]["use"] == "selector/edit"
    workspace, dataset = judgement(Path(Workspace.open().root))[:2]
    row = SpotChecks(workspace, dataset.fingerprint, len(dataset)).all()[0].wrong[0]
    _, outcome = jobs.run_here(workspace, recipe, {"pool": dataset.fingerprint}, device="cpu")
    assert row in workspace.load(outcome.result.key).order.tolist()


def test_few_rows_are_learnt_from_with_the_chosen_judge(new):
    at = part(new, "few")
    assert "ask about all of them instead" in texts(at)


@pytest.mark.parametrize(
    ("good", "well"),
    [({"auc": 0.37, "spearman": -0.13}, False), ({"auc": 0.9, "spearman": 0.6}, True), ({}, True),
     ({"auc": None, "spearman": 0.1}, False), ({"auc": 0.55, "spearman": 0.5}, True)],
)  # fmt: skip
def test_a_judge_that_could_not_be_learnt_is_told_from_one_that_was(good, well):
    assert learnt_well(good) is well


# ---------------------------------------------------------------------- runs that stop


def test_a_run_that_a_limit_stopped_goes_on_with_a_higher_one(open_page, few_rows, tmp_path, own_connections, started):
    from curation.jobs.status import read_status, write_status

    workspace = Workspace.open(tmp_path / "ws")
    dataset = workspace.add(few_rows, name="few").dataset
    recipe = Recipe.read(
        {"inputs": {"pool": "Dataset"}, "steps": {"judge": {"use": "scorer/alpagasus", "on": "$pool"}},
         "result": "$judge"}
    )  # fmt: skip
    job = jobs.create(workspace, recipe, {"pool": dataset.fingerprint}, title="Judge: few", caps=Caps(calls=3))
    said = "step 'judge' (scorer/alpagasus): the cap of 3 calls is reached: 3 calls"
    spent = {"calls": 3, "tokens_in": 10, "tokens_out": 5, "failures": {"server error 500": 2}}
    status = dataclasses.replace(read_status(job.folder), state="cancelled", message=said, finished=1.0, spent=spent)
    write_status(job.folder, status)
    (job.folder / EXPECTED).write_text(
        '{"rows": 9, "basis": "probe", "currency": "USD", "ranges": {"calls": [9, 9, null], "money": [2, 1, 3]}}'
    )
    at = open_page("judge", workspace.root)
    assert not at.exception
    assert any("cap of 3 calls" in e.value for e in at.info)
    assert metric(at, "Calls").value == "3"
    at.number_input(key=f"judge.raise.{job.id}.calls").set_value(50).run()
    at.button(key="judge.raise.go").click().run()
    assert not at.exception
