import json

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.labellers.language import LANGUAGES, Language, detect

SENTENCES = {
    "en": "The weather is nice today and the children are playing in the garden.",
    "zh": "今天天气很好，孩子们在花园里玩耍。",
    "ja": "今日は天気がよくて、子どもたちは庭で遊んでいます。",
    "th": "วันนี้อากาศดี เด็กๆ กำลังเล่นอยู่ในสวน",
    "ko": "오늘은 날씨가 좋아서 아이들이 정원에서 놀고 있어요.",
    "es": "Hoy hace buen tiempo y los niños están jugando en el jardín.",
    "fr": "Il fait beau aujourd'hui et les enfants jouent dans le jardin.",
    "de": "Heute ist das Wetter schön und die Kinder spielen im Garten.",
    "ru": "Сегодня хорошая погода, и дети играют в саду.",
    "ar": "الطقس جميل اليوم والأطفال يلعبون في الحديقة.",
}


def labels_of(*responses, **parameters):
    pool = from_pairs([("", r) for r in responses])
    return Language(text="response", **parameters).label(pool, Runtime())


def test_full_sentences_are_told_apart_with_confidence():
    labels = labels_of(*SENTENCES.values())
    assert [labels.value(i) for i in range(len(SENTENCES))] == list(SENTENCES)
    assert (labels.columns["confidence"] > 0.8).all()


@pytest.mark.parametrize("text", ["", "   ", "42", "Yes", "!!! ???", "8*6....194\n.2.3578...", "😀😀😀"])
def test_what_cannot_be_told_is_und_and_not_a_guess(text):
    labels = labels_of(text, SENTENCES["en"])
    assert labels.value(0) == "und"
    assert not labels.missing.mask.any()


def test_two_han_characters_are_enough():
    assert labels_of("正义。").value(0) == "zh"


def test_a_low_confidence_is_und():
    assert labels_of("Guten Tag", min_confidence=0.9).value(0) == "und"
    assert labels_of("Guten Tag", min_confidence=0).value(0) != "und"


def test_the_choice_can_be_limited_or_opened():
    assert detect(["Guten Tag"], ("en", "de"))[0] == ["de"]
    assert detect([SENTENCES["en"]], ())[0] == ["en"]
    with pytest.raises(CurationError, match="does not know xx"):
        detect(["text enough"], ("en", "xx"))
    with pytest.raises(ValueError, match="two or more"):
        Language(languages=("en",))
    assert len(LANGUAGES) == len(set(LANGUAGES)) == 72


def test_real_files_get_their_language(shared_data):
    for name, code in (("alpaca_zh_1k.json", "zh"), ("dolly_3k.json", "en")):
        rows = json.loads((shared_data / name).read_text())[:400]
        codes, confidence = detect([f"{r['instruction']}\n{r['output']}" for r in rows])
        assert np.mean([c == code for c in codes]) > 0.96
        assert (confidence >= 0).all()
        assert (confidence <= 1).all()
