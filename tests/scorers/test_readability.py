import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.models.words import count
from curation.scorers.readability import Readability, ari, coleman_liau, lix

EASY = "The cat sat. The dog ran. We had fun."
HARD = "Notwithstanding considerable methodological heterogeneity, contemporary investigators consistently corroborate."


def test_formulas_on_a_text_counted_by_hand():
    text = "The cat sat. Everything changed!"  # 5 words, 2 sentences, 26 letters, 2 words over six letters
    assert lix(count(text)) == pytest.approx(5 / 2 + 100 * 2 / 5)
    assert ari(count(text)) == pytest.approx(4.71 * 26 / 5 + 0.5 * 5 / 2 - 21.43)
    assert coleman_liau(count(text)) == pytest.approx(0.0588 * (26 / 5 * 100) - 0.296 * (2 / 5 * 100) - 15.8)


@pytest.mark.parametrize("index", [lix, ari, coleman_liau])
def test_hard_text_is_harder(index):
    assert index(count(HARD)) > index(count(EASY)) + 10


def test_chinese_japanese_and_thai_have_a_lix_and_no_school_grade():
    easy, hard = "我很好。你好吗？今天下雨。", "龃龉不合之诸侯觊觎神器，囹圄之中氤氲弥漫，貔貅之师踟蹰不前。"
    assert lix(count(hard)) > lix(count(easy)) + 10
    for text in (easy, "今日は雨です。明日は晴れます。", "วันนี้ฝนตก พรุ่งนี้แดดออก"):
        assert np.isfinite(lix(count(text)))
        assert np.isnan(ari(count(text)))
        assert np.isnan(coleman_liau(count(text)))


def test_the_reason_says_why():
    pool = from_pairs([("q", EASY), ("q", "我很好。"), ("q", "")])
    score = Readability(index="ari").score(pool, Runtime())
    assert np.isfinite(score.values).tolist() == [True, False, False]
    assert score.missing.reason(1) == "ari is not defined for a script without spaces between words"
    assert score.missing.reason(2) == "no words"
    by_lix = Readability().score(pool, Runtime())
    assert np.isfinite(by_lix.values).tolist() == [True, True, False]
    assert by_lix.columns["words_per_sentence"][0] == 3
    assert by_lix.columns["letters_per_word"][0] == pytest.approx(26 / 9)


def test_a_text_without_a_stop_is_one_sentence():
    assert count("no stop here").sentences == 1
    assert lix(count("no stop here")) == 3
