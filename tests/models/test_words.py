"""Words, sentences and counts in several languages."""

import json
import time

import pytest

from curation.models.words import Counts, count, everyday_han, is_hard, letters, segment, sentences, spaceless_share


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't pay $1,000.50!", ["don't", "pay", "1,000.50"]),
        ("ÉTÉ naïve Straße", ["été", "naïve", "strasse"]),
        ("x_y ___ -- 😀", ["x_y"]),
        ("我喜欢机器学习，很好！", ["我", "喜欢", "机器", "学习", "很好"]),
        ("私は東京大学で勉強します。", ["私", "は", "東京", "大学", "で", "勉強", "し", "ます"]),
        ("ฉันชอบเรียนรู้ภาษาไทย", ["ฉัน", "ชอบ", "เรียน", "รู้", "ภาษา", "ไทย"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("ພາສາລາວ", ["ພາສາ", "ລາວ"]),
        ("GPT-4很好", ["gpt", "4", "很好"]),
        ("", []),
        (" \n\t!?", []),
    ],
)
def test_words_of_each_language(text, words):
    assert segment(text) == words


def test_lone_surrogates_and_nul_do_not_stop_it():
    assert segment("one\ud800two\0three") == ["one", "two", "three"]
    assert count("a\udfff b.").words == 2


def test_sentences_end_at_stops_lines_and_thai_spaces():
    assert sentences("It rains. Does it?\n- yes\n---\n3.5 m, e.g. here") == [
        "It rains.",
        "Does it?",
        "- yes",
        "3.5 m, e.g. here",
    ]
    assert sentences("你好。你吃了吗？") == ["你好。", "你吃了吗？"]
    assert len(sentences("ฉันชอบข้าว เธอชอบปลา")) == 2
    assert sentences("...") == []


def test_counts_of_a_known_sentence():
    assert count("The cat sat. Everything changed!") == Counts(
        words=5, sentences=2, letters=26, hard_words=2, spaceless=0.0
    )
    assert count("") == Counts(words=0, sentences=0, letters=0, hard_words=0, spaceless=0.0)


def test_marks_are_not_letters():
    assert letters("รู้") == 1  # ร with a vowel and a tone mark
    assert letters("cafe\u0301") == 4


def test_share_of_spaceless_scripts():
    assert spaceless_share("plain text") == 0
    assert spaceless_share("我喜欢") == 1
    assert spaceless_share("ภาษา") == 1
    assert spaceless_share("한국어") == 0
    assert spaceless_share("ab我喜") == 0.5
    assert spaceless_share("！？") == 0


def test_hard_words():
    assert is_hard("elephant")
    assert not is_hard("animal")
    assert not is_hard("喜欢")
    assert is_hard("图书馆")  # three characters
    assert is_hard("龃龉")  # outside the everyday characters
    assert {"的", "國", "語", "学"} <= everyday_han()
    assert "龃" not in everyday_han()
    assert 6000 < len(everyday_han()) < 8500


def test_real_chinese_text_is_cut_into_words(shared_data):
    rows = json.loads((shared_data / "alpaca_zh_1k.json").read_text())
    start = time.perf_counter()
    words = [segment(row["output"]) for row in rows]
    assert time.perf_counter() - start < 5  # 0.1 s on a free core
    lengths = [len(w) for word in words for w in word]
    assert 1.4 < sum(lengths) / len(lengths) < 2.2
    assert sum(len(w) <= 2 for w in words) < 20
