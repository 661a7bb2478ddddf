from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.exporters import InexpressibleError, export_rows, to_prompt_completion, to_prompt_completion_messages


def lines(path: str) -> list:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").split("\n") if line]


def test_two_texts(ask):
    assert to_prompt_completion(ask("q", "a")) == {"prompt": "q", "completion": "a"}
    assert to_prompt_completion(ask("q")) == {"prompt": "q", "completion": None}


@pytest.mark.parametrize(
    ("texts", "more", "reason"),
    [
        (("q", "a", "q", "a"), {}, "several turns"),
        (("q", "a"), {"system": "s"}, "a system message"),
    ],
)
def test_what_two_texts_cannot_say(ask, texts, more, reason):
    with pytest.raises(InexpressibleError, match=reason):
        to_prompt_completion(ask(*texts, **more))


def test_tools_and_images_are_refused(ask):
    with pytest.raises(InexpressibleError, match="tools"):
        to_prompt_completion(ask("q", "a"), [{"name": "f"}])
    with pytest.raises(InexpressibleError, match="images"):
        to_prompt_completion([{"role": "user", "content": "", "parts": [{"type": "image", "image": "a.png"}]}])


def test_the_last_answer_is_the_completion(ask):
    out = to_prompt_completion_messages(ask("q1", "a1", "q2", "a2", system="s"))
    assert [m["content"] for m in out["prompt"]] == ["s", "q1", "a1", "q2"]
    assert out["completion"] == [{"role": "assistant", "content": "a2"}]


def test_messages_style_refuses_what_it_would_change(ask):
    with pytest.raises(InexpressibleError, match="no answer at the end"):
        to_prompt_completion_messages(ask("q"))
    trained = ask("q1", "a1", "q2", "a2")
    trained[1]["weight"] = 1.0
    with pytest.raises(InexpressibleError, match="loss weights"):
        to_prompt_completion_messages(trained)


def test_auto_is_texts_until_a_row_needs_more(make, ask, tmp_path):
    simple = export_rows(make(ask("q", "a")), format="prompt_completion", output=tmp_path / "a.jsonl")
    assert lines(simple.path) == [{"prompt": "q", "completion": "a"}]
    mixed = export_rows(
        make(ask("q", "a"), ask("q1", "a1", "q2", "a2")), format="prompt-completion", output=tmp_path / "b.jsonl"
    )
    assert all(isinstance(r["prompt"], list) for r in lines(mixed.path)), "one kind for the whole file"
    assert mixed.rows == 2 and not mixed.info["left_out"]


def test_text_style_leaves_the_rest_out_and_says_so(make, ask, tmp_path):
    ds = make(ask("q", "a"), ask("q1", "a1", "q2", "a2"))
    made = export_rows(ds, format="prompt_completion", output=tmp_path / "a.jsonl", style="text")
    assert made.rows == 1
    assert made.info["left_out"] == {"prompt_completion cannot say: several turns": 1}
    assert "1 selected rows are not in the file" in made.info["check"]
    left = lines(str(tmp_path / "a.jsonl.d" / "not_in_file.jsonl"))
    assert [(r["row"], r["record"]) for r in left] == [(1, ds.record(1))]


def test_a_trainer_that_reads_texts_only_keeps_texts(make, ask, tmp_path):
    ds = make(ask("q", "a"), ask("q1", "a1", "q2", "a2"))
    made = export_rows(ds, format="prompt_completion", output=tmp_path / "a.jsonl", trainer="axolotl")
    assert made.rows == 1 and lines(made.path)[0]["prompt"] == "q"
