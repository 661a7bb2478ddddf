"""A language that the encoder does not know is said before the run, not found out after it."""

from __future__ import annotations

import json

import pytest

from curation.core.dataset import Row
from curation.estimates import cautions
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

EMBED = "inputs: {pool: Dataset}\nsteps: {embed: {use: encoder/sentence, on: $pool}}\nresult: $embed\n"
ENGLISH = "Please explain to me how the moon moves around the earth and why it shows us phases. Question number {}."
CHINESE = "请解释月亮如何围绕地球运行，以及为什么我们会看到不同的月相变化。这是第{}个问题。"


def notes(tmp_path, texts: list[str]) -> list[str]:
    silent = {"role": "assistant", "content": ""}
    rows = [
        Row([{"role": "user", "content": text}, silent], json.dumps({"q": text}), "s", i, "alpaca")
        for i, text in enumerate(texts)
    ]
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add_rows(rows, "d")
    return cautions(plan(Recipe.read(EMBED), workspace, {"pool": "d"}), workspace)


def test_english_rows_need_no_word(tmp_path):
    assert notes(tmp_path, [ENGLISH.format(i) for i in range(40)]) == []


@pytest.mark.parametrize(("chinese", "share"), [(40, "100%"), (10, "25%")])
def test_rows_in_another_language_are_told_with_their_share(tmp_path, chinese, share):
    texts = [CHINESE.format(i) for i in range(chinese)] + [ENGLISH.format(i) for i in range(40 - chinese)]
    (note,) = notes(tmp_path, texts)
    assert share in note
    assert "zh" in note
    assert "embed" in note


def test_a_few_rows_are_not_worth_a_word(tmp_path):
    assert notes(tmp_path, [CHINESE.format(0)] + [ENGLISH.format(i) for i in range(39)]) == []
