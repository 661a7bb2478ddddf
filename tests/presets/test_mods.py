"""MoDS, stage by stage: planted rewards and answers, then real rows with the scratch model and a small reward model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Derived, Missing, Model, Score
from curation.core.dataset import Dataset, Row
from curation.core.generated import Made
from curation.core.method import Generator, Method, Scorer, find
from curation.core.runtime import Runtime
from curation.engine import Outcome, run
from curation.recipe import Recipe, data, plan, planning
from curation.scorers.from_children import CHILDLESS
from curation.workspace import Workspace

ROWS, COPIES = 40, (17, 23)
WORDS = ["bake", "bread", "flour", "oven", "court", "judge", "appeal", "jury", "river", "stone", "valley", "bridge"]
ASKED: list[str] = []


class Planted(Scorer):
    """The number that a response begins with."""

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Read it."""
        values = np.array([float(text.split()[0]) for text in pool.texts("response")])
        return Score(pool.fingerprint, values, Missing.none(len(pool)), "reward", True)


class Says(Generator):
    """A model that answers well what it knows, in an order of its own, and nothing to row 9."""

    def generate(self, pool: Dataset, runtime: Runtime, *, model: Model) -> Made:
        """One answer for each."""
        rows, parents = [], []
        reasons: list[str | None] = [None] * len(pool)
        for row in reversed(range(len(pool))):
            prompt, record = pool.texts("prompt")[row], pool.record(row)
            ASKED.append(prompt)
            if record["number"] == 9:
                reasons[row] = "the answer is empty"
                continue
            turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": f"{record['answer']} so."}]
            rows.append(Row(turns, json.dumps({"of": record["number"]}), "", 0, "messages"))
            parents.append(row)
        return Made(rows, np.array(parents, np.int64), Missing.from_list(reasons), "answers")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    ASKED.clear()
    ours: dict[str, type[Method]] = {cls.use(): cls for cls in (Planted, Says)}
    for module in (planning, data):
        monkeypatch.setattr(module, "find", lambda use: ours.get(use) or find(use))


def planted(folder: Path) -> Workspace:
    """40 rows: reward −2, −1.9, … 1.9 in a shuffled order; answers that are known or not; two copies of a prompt."""
    rng = np.random.default_rng(0)
    rewards = rng.permutation(np.arange(-20, 20)) / 10
    rewards[list(COPIES)] = 1.95  # both good
    rows = []
    for i in range(ROWS):
        prompt = f"Tell me of {' '.join(rng.choice(WORDS, 4))}." if i not in COPIES else "Tell me of a comet."
        answer = [2.0, -2.0, 0.0][i % 3]  # what the model says is worth: known, not known, exactly at the threshold
        record = {"instruction": prompt, "output": f"{rewards[i]} is so {i}.", "number": i, "answer": answer}
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": record["output"]}]
        rows.append(
            Row(turns, json.dumps({**record, "reward": rewards[i], "need": answer}), "planted.json", i, "alpaca")
        )
    made = Workspace.open(folder)
    made.add_rows(rows, "planted")
    return made


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return planted(tmp_path_factory.mktemp("mods"))


@pytest.fixture
def go(workspace, tiny_causal):
    """Run the preset with the planted reward and model; the tiny network is what is trained."""

    def run_it(*settings: str, ws: Workspace = workspace) -> Outcome:
        small = (
            "embed.use=encoder/tfidf", "embed.dims=8", f"base.name={tiny_causal}", "tune.max_steps=1",
            "tune.batch_rows=4", f"quality.use={Planted.use()}", f"answer_quality.use={Planted.use()}",
            f"answers.use={Says.use()}", "seed.budget=6", "more.budget=4",
        )  # fmt: skip
        recipe = Recipe.read("mods").with_settings([*small, *settings])
        return run(plan(recipe, ws, {"pool": "planted"}), ws, Runtime())

    return run_it


def facts(workspace: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """Reward of every row, and what the model's answer to it is worth (NaN where it says nothing)."""
    records = list(workspace.dataset("planted").records())
    worth = np.array([r["answer"] for r in records])
    worth[9] = np.nan
    return np.array([r["reward"] for r in records]), worth


def rows_of(done: Outcome, name: str) -> list[int]:
    return done.artifact(name).order.tolist()


def test_both_thresholds_are_strict(go, workspace):
    reward, worth = facts(workspace)
    done = go()
    assert (reward == 0).any() and (worth[reward > 0] == 0).any()
    high = np.flatnonzero(reward > 0)
    assert sorted(rows_of(done, "good")) == high.tolist()
    assert sorted(rows_of(done, "weak")) == [i for i in high if worth[i] < 0]


def test_the_result_is_the_seed_in_its_order_then_what_is_necessary(go):
    done = go()
    seed, more, final, good = (rows_of(done, name) for name in ("seed", "more", "final", "good"))
    assert final[: len(seed)] == seed
    assert final[len(seed) :] == [row for row in more if row not in seed]
    assert len(set(final)) == len(final)
    assert set(final) <= set(good)
    assert done.artifact("final").info == {"picks": [6, 4], "in_several": len(set(seed) & set(more))}


def test_rows_are_exported_with_their_own_responses(go, workspace):
    done = go()
    pool = workspace.dataset("planted")
    assert done.artifact("final").dataset == pool.fingerprint
    assert done.artifact("answers").rows != pool.fingerprint


def test_the_ends_of_the_thresholds(go, workspace):
    whole = ("more.use=selector/union", "more.of=[$weak]", "more.within=$good")  # as the released code has it
    about = " ".join(str(Recipe.read("mods").about["use"]).split()).replace("'", "")
    assert all(f"--set {setting}" in about for setting in whole)
    reward, worth = facts(workspace)
    high = set(np.flatnonzero(reward > 0).tolist())
    nothing = go("weak.below=-1e9", *whole)
    assert rows_of(nothing, "final") == rows_of(nothing, "seed")
    every = go("weak.below=1e9", *whole)
    answered = {i for i in high if np.isfinite(worth[i])}
    assert set(rows_of(every, "final")) == answered | set(rows_of(every, "seed"))
    again = go("weak.below=1e9", "more.budget=100%", "more.copies=fill")
    assert set(rows_of(again, "final")) == set(rows_of(every, "final"))
    assert sorted(rows_of(go("good.above=-1e9"), "good")) == list(range(ROWS))


def test_where_nothing_is_necessary_the_seed_alone_is_left(go):
    done = go("weak.below=-1e9")
    assert list(rows_of(done, "final")) == list(rows_of(done, "seed"))
    more = done.artifact("more")
    assert len(more) == 0 and more.short_reason == "`weak` is empty"


def test_higher_thresholds_never_enlarge_the_good_and_never_shrink_the_necessary(go):
    good = [set(rows_of(go(f"good.above={alpha}"), "good")) for alpha in (-1.0, 0.0, 0.5, 1.2)]
    assert all(more > fewer for more, fewer in zip(good, good[1:], strict=False))
    weak = [set(rows_of(go(f"weak.below={beta}"), "weak")) for beta in (-1.0, 0.0, 0.1, 3.0)]
    assert all(fewer <= more for fewer, more in zip(weak, weak[1:], strict=False))
    assert len(weak[-1]) > len(weak[0]) > 0


def test_the_seed_is_the_farthest_first_order_over_the_good_rows(go):
    done = go("seed.budget=100%")
    seed, good = rows_of(done, "seed"), sorted(rows_of(done, "good"))
    points = np.asarray(done.artifact("embed").values, np.float64)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    central = np.linalg.norm(points[good] - points[good].mean(axis=0), axis=1)
    assert central[good.index(seed[0])] == pytest.approx(central.min(), abs=1e-6)
    near = np.full(ROWS, np.inf)
    for k, row in enumerate(seed):
        if k:
            assert near[row] == pytest.approx(near[good].max(), abs=1e-6)
        near = np.minimum(near, np.linalg.norm(points - points[row], axis=1))
    gains = done.artifact("seed").gains[1:]
    assert (np.diff(gains) <= 1e-6).all()
    # of two copies one is picked, the other is covered by it, and the seed is short by what is left
    assert len(set(seed) & set(COPIES)) == 1
    assert done.artifact("seed").short_by == len(good) - len(seed)
    assert near[good].max() == pytest.approx(0, abs=1e-3)


def test_only_what_the_model_answers_badly_is_added(go, workspace):
    reward, worth = facts(workspace)
    done = go("more.budget=100%", "more.copies=fill")
    more = set(rows_of(done, "more"))
    assert more == {i for i in range(ROWS) if reward[i] > 0 and worth[i] < 0}
    need = done.artifact("need")
    high = np.flatnonzero(reward > 0)
    np.testing.assert_array_equal(need.values[high], worth[high])
    assert np.isnan(need.values[reward <= 0]).all()
    assert reward[9] <= 0 or need.missing.reason(9) == CHILDLESS


def test_a_row_without_an_answer_is_neither_necessary_nor_not(go):
    done = go("good.above=-1e9", "weak.below=1e9")
    assert done.artifact("need").missing.reason(9) == CHILDLESS
    assert 9 not in rows_of(done, "weak")
    assert done.artifact("answers").missing.counts() == {"the answer is empty": 1}


def test_the_model_is_asked_once_for_each_good_row_and_never_for_another(go, tmp_path):
    own = planted(tmp_path / "ws")
    pool = own.dataset("planted")
    done = go(ws=own)
    good = sorted(rows_of(done, "good"))
    prompts = pool.texts("prompt")
    assert sorted(ASKED) == sorted(prompts[i] for i in good)
    go(ws=own)
    go("weak.below=0.1", "more.budget=2", ws=own)  # what is below the answers in the recipe asks nothing
    go("more.use=selector/union", "more.of=[$weak]", "more.within=$good", ws=own)
    assert len(ASKED) == len(good)


def test_every_stage_may_be_a_column_and_then_nothing_is_trained_or_written(go, workspace):
    expected = go()
    column = ("quality.use=scorer/column", "quality.field=reward", "need.use=scorer/column", "need.field=need")
    idle = (
        "tune.use=scorer/length", "answers.use=scorer/length", "answer_quality.use=scorer/length",
        "answer_quality.on=$pool",
    )  # fmt: skip
    ASKED.clear()
    done = go(*column, *idle)
    assert not ASKED
    for name in ("good", "seed", "final"):
        assert rows_of(done, name) == rows_of(expected, name)
    use = " ".join(str(Recipe.read("mods").about["use"]).split()).replace("'", "")
    for setting in (*idle, *(c.replace("=reward", "=FIELD").replace("=need", "=FIELD") for c in column)):
        assert f"--set {setting}" in use
    short = Recipe.read("mods").with_settings(column).upto("final")
    assert list(short.steps) == ["embed", "quality", "good", "seed", "need", "weak", "more", "final"]


def test_a_cheaper_necessity_in_its_place(go):
    done = go("need.use=scorer/ifd", "need.model=$tune", "weak.below=null", "weak.above_quantile=0.5")
    assert done.artifact("need").name.startswith("IFD") or "ifd" in done.artifact("need").name.lower()
    assert set(rows_of(done, "weak")) < set(rows_of(done, "good"))


def test_it_says_where_it_comes_from_and_what_is_ours():
    recipe = Recipe.read("mods")
    assert "2311.15653" in recipe.about["source"]
    assert set(recipe.about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
    steps = recipe.steps
    assert (steps["good"]["above"], steps["weak"]["below"]) == (0.0, 0.0)
    assert steps["quality"]["use"] == steps["answer_quality"]["use"] == "scorer/reward"
    assert Recipe.read("mods").with_settings(recipe.about["without_network"]).steps["quality"]["use"] == "scorer/mtld"


# ---------------------------------------------------------------------- real rows

TINY = (
    "base.training_tokens=3000", "base.layers=1", "base.width=32", "base.vocabulary=512", "base.window=128",
    "embed.use=encoder/tfidf", "embed.dims=16", "tune.max_steps=2", "tune.batch_rows=8", "answers.max_new_tokens=8",
    "answers.temperature=1", "good.above=null", "good.above_quantile=0.5", "weak.below=null",
    "weak.below_quantile=0.5", "seed.budget=12", "more.budget=12",
)  # fmt: skip


class Killed(BaseException):
    """The process ends here."""


def demo(folder: Path, file: Path) -> Workspace:
    """The first 120 rows of the demo dataset."""
    folder.mkdir()
    (folder / "demo.json").write_text(json.dumps(json.loads(file.read_text())[:120]))
    made = Workspace.open(folder / "ws")
    made.add(folder / "demo.json")
    return made


def test_real_rows_offline_killed_after_every_stage_and_resumed(demo_file, tiny_reward, tmp_path):
    settings = (*TINY, f"quality.model={tiny_reward}", f"answer_quality.model={tiny_reward}")
    recipe = Recipe.read("mods").with_settings(settings)
    once = demo(tmp_path / "once", demo_file)
    expected = run(plan(recipe, once, {"pool": "demo"}), once, Runtime())

    ws = demo(tmp_path / "killed", demo_file)
    for finished in range(len(recipe.steps)):
        fresh: list[str] = []

        def stop(fact, fresh=fresh):
            if not fact.reused:
                fresh.append(fact.name)
                raise Killed

        with pytest.raises(Killed):
            run(plan(recipe, ws, {"pool": "demo"}), ws, Runtime(), done_step=stop)
        assert fresh == [list(recipe.steps)[finished]]
    done = run(plan(recipe, ws, {"pool": "demo"}), ws, Runtime())
    assert all(step.reused for step in done.steps)

    for name in ("good", "seed", "weak", "more", "final"):
        assert rows_of(done, name) == rows_of(expected, name)
    answers = done.artifact("answers")
    assert isinstance(answers, Derived)
    assert answers.info["weak"] is True
    pool, made = ws.dataset("demo"), ws.dataset(answers.rows)
    good = sorted(rows_of(done, "good"))
    assert set(answers.parents.tolist()) <= set(good)
    np.testing.assert_array_equal(answers.children()[good] == 1, ~answers.missing.mask[good])
    assert made.column("parent").to_pylist() == [pool.row_id(int(row)) for row in answers.parents]
    assert [made.texts("prompt")[i] for i in range(5)] == [pool.texts("prompt")[r] for r in answers.parents[:5]]
    # the necessity is the reward of the answer, row by row
    told = done.artifact("answer_quality").values
    np.testing.assert_array_equal(done.artifact("need").values[answers.parents], told)
    final = rows_of(done, "final")
    assert final[:12] == rows_of(done, "seed")
    assert 12 < len(final) <= 24


def test_the_stand_in_of_the_reward_needs_neither_network_nor_columns(demo_file, tmp_path):
    ws = demo(tmp_path / "demo", demo_file)
    settings = [*Recipe.read("mods").about["without_network"], *TINY]
    done = run(plan(Recipe.read("mods").with_settings(settings), ws, {"pool": "demo"}), ws, Runtime())
    assert done.artifact("quality").name == "MTLD (response)"
    assert len(done.artifact("final")) > 12
