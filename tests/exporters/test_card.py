from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import spearmanr

from curation.core.artifacts import Coverage, Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.exporters import export_rows
from curation.exporters._card import rank_correlation, safe
from curation.exporters.alpaca import Alpaca
from curation.workspace import Workspace

HOSTILE = "<script>alert(1)</script> | ![x](http://evil) `rm` @me www.evil.com $x$ *b* _i_"


@pytest.mark.parametrize("mark", ["<script", "|", "![", "http://", "`", "@me", "www.", "$x", "*b", "_i"])
def test_data_cannot_write_markup(mark):
    assert mark not in safe(HOSTILE)
    assert safe("snake_case_2, 100 (ok)") == "snake_case_2, 100 (ok)"
    assert "\n" not in safe("a\n# b") and len(safe("x" * 500)) == 120


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 5, 40).astype(float), rng.normal(size=40)
        a[rng.integers(0, 40, 5)] = np.nan
        good = np.isfinite(a)
        assert rank_correlation(a, b) == pytest.approx(spearmanr(a[good], b[good]).statistic)
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))


@pytest.fixture
def card(pick, tmp_path):
    ds = from_pairs([(f"q{i}", "a" * (i + 1)) for i in range(10)], "pool")
    n = len(ds)
    values = np.arange(n, dtype=float)
    values[0] = np.nan
    score = Score(ds.fingerprint, values, Missing.where(np.isnan(values), "empty"), "length", True)
    labels = Labels.from_values(ds.fingerprint, [HOSTILE if i < 5 else "b" for i in range(n)])
    cover = Coverage(ds.fingerprint, {"radius": 0.5}, np.array([3]), info={"random_table": {"radius": 0.75}})
    export_rows(
        ds,
        pick(ds, [9, 1, 2], short_by=2, short_reason="too few"),
        output=tmp_path / "sub.json",
        recipe="inputs: {}\n",
        command="curate run recipe.yaml",
        scores={"len": score},
        labels={"topic": labels},
        coverage=cover,
        trainer="llama-factory",
    )
    return (tmp_path / "sub.json.d" / "README.md").read_text()


def test_front_matter_is_what_the_hub_reads(card):
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "unknown" and front["size_categories"] == ["n<1K"]
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "sub.json"}]


@pytest.mark.parametrize(
    "line",
    [
        "3 rows in sub.json: 3 of 10 (30.0%) were selected.",
        "The selection is 2 rows short of its budget: too few.",
        "| pool |  | 10 | 3 |  |",
        "| beyond the budget | 7 |",
        "| response length (characters) | 5.5 → 5 | 5.5 → 3 |",
        "| len (length) ↑ | 5 → 4 | 5 → 2 |",
        "| 1 → 0 | +1.00 |",
        "| b | 50.0% → 33.3% |",
        "2 of 2 are in the file.",
        "| radius | 0.5 | 0.75 |",
        "## Trainer check: LLaMA-Factory 0.9.5",
        "- 3 of 3 will be used",
        "cd sub.json.d && llamafactory-cli train llamafactory.yaml",
        "curate run recipe.yaml",
        "Licence: unknown.",
        "Not checked against any evaluation set.",
        "| `decisions.parquet` |",
    ],
)
def test_what_the_card_says(card, line):
    assert line in card


def test_no_path_of_this_machine_and_no_markup_gets_in(card, tmp_path):
    assert str(tmp_path) not in card and str(Path.home()) + "/" not in card
    assert "<script" not in card and "evil.com $" not in card


def links(text: str) -> str:
    """What is outside of code spans."""
    return re.sub(r"`[^`\n]*`", "", text)


def test_names_of_files_and_fields_stay_inside_their_code_spans(tmp_path):
    field, file = "a` [x](http://evil.com) `b", "c` [y](www.evil.com) `d.json"
    rows = [{"instruction": f"q{i}", "output": "a", field: {"k": [i]}, "[z](http://evil.com)": [i]} for i in range(4)]
    (tmp_path / file).write_text(json.dumps(rows), encoding="utf-16")
    ds = Workspace.open(tmp_path / "ws").add(tmp_path / file).dataset
    for form, output in (("original", "all"), ("csv", "sub.csv")):
        export_rows(ds, format=form, output=tmp_path / output)
        card = next(tmp_path.glob(f"{output}*.d/README.md")).read_text()
        assert "evil.com" in card
        assert "evil.com" not in links(card).replace("www&#46;evil.com", "")


def contamination(ds, codes, **more):
    names = ("clean", "contaminated (exact)", "contaminated (n-gram)", "contaminated (semantic)")
    codes = np.array(codes, np.int32)
    info = {
        "check": "contamination",
        "evaluation": HOSTILE,
        "evaluation_rows": 1319,
        "evaluation_rows_found": 2,
        "most_rows_by_one": 2,
        "evaluation_rows_without_run": 1000,
        "rules": ["a shared run of 13 words"],
    }
    return Labels(ds.fingerprint, codes, names, Missing.where(codes < 0, "not embedded"), info=info, **more)


def test_the_card_says_how_many_rows_match_an_evaluation_set_and_how_many_are_in_the_file(pick, tmp_path):
    ds = from_pairs([(f"q{i}", "a") for i in range(8)], "pool")
    labels = {"gate": contamination(ds, [0, 1, 2, 2, 0, 0, -1, 0])}
    export_rows(ds, pick(ds, [0, 2, 6]), output=tmp_path / "sub.json", labels=labels)
    card = (tmp_path / "sub.json.d" / "README.md").read_text()
    assert "- 3 of 8 rows match" in card
    found = "1 contaminated (exact), 2 contaminated (n-gram), 0 contaminated (semantic)"
    assert f"(1,319 rows, of which 2 were found): {found}" in card
    assert "1 of them are in the file. 1 rows were not compared, 1 of them are in the file." in card
    assert "A row matches by a shared run of 13 words (step gate)." in card
    assert "The evaluation row found most often stands behind 2 of the matches. " in card
    assert "1,000 evaluation rows have no run of words to look for. " in card
    assert "Not checked" not in card
    assert "<script" not in card


def test_a_check_whose_labels_were_not_given_is_named(pick, tmp_path):
    ds = from_pairs([("q", "a"), ("r", "b")], "pool")
    runtime = Runtime(context={"results": [{"name": "gate", "use": "labeller/contamination", "seconds": 1.0}]})
    Alpaca(path=str(tmp_path / "sub.json")).export(ds, runtime, selection=pick(ds, [0]))
    card = (tmp_path / "sub.json.d" / "README.md").read_text()
    assert "Compared with an evaluation set (step gate); its labels were not given to this export." in card
