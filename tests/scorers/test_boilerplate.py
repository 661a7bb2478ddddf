import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.scorers._phrases import BOILERPLATE, REFUSALS
from curation.scorers.boilerplate import Boilerplate, find, marked_share, phrases, plain


def marks(*responses, **parameters):
    return Boilerplate(**parameters).score(from_pairs([("q", r) for r in responses]), Runtime())


@pytest.mark.parametrize(
    "refusal",
    [
        "I’m sorry,  but I\ncan't help you with that.",
        "I cannot provide medical advice.",
        "很抱歉，我无法完成这个任务。",
        "对不起，我無法回答。我無法提供資料。",
        "申し訳ありませんが、その質問にはお答えできません。",
        "죄송하지만 도와드릴 수 없습니다.",
        "Lo siento, pero no puedo hacerlo.",
        "Je suis désolé, mais je ne peux pas.",
        "Es tut mir leid, aber ich darf das nicht.",
        "ขออภัย ฉันไม่สามารถช่วยได้",
        "Извините, но я не могу.",
    ],
)
def test_refusals_in_many_languages(refusal):
    score = marks(refusal)
    assert score.columns["refusal"][0] == 1
    assert score.values[0] > 0


def test_boilerplate_names_the_phrase_and_its_share():
    score = marks(
        "As an AI language model, I like trees. Trees are green. They grow. They fall.",
        "作为一个人工智能，我没有感情。",
        "<nooutput>",
        "Trees are green.",
    )
    assert score.columns["boilerplate"].tolist() == [1, 1, 1, 0]
    assert score.columns["refusal"].tolist() == [0, 0, 0, 0]
    assert score.values.tolist() == [0.25, 1, 1, 0]
    known = score.info["phrases"]
    assert [known[i] if i >= 0 else None for i in score.columns["phrase"]] == [
        "as an ai language model",
        "作为一个人工智能",
        "<nooutput>",
        None,
    ]
    assert score.higher_is_better is False


def test_words_are_not_cut_and_refusals_open_an_answer():
    assert [m.phrase for m in find("aria certain", ["ria c", "certain"])] == [1]
    assert find("aria certain", ["ria", "cert"]) == []
    assert find("she is ai,今天", ["ai"])[0].start == 7
    late = "A story. " * 60 + "He said: I'm sorry, but I can't help you."
    assert marks(late).columns["refusal"][0] == 0
    assert marks(late, refusal_within=1000).columns["refusal"][0] == 1


def test_ordinary_prose_is_not_marked():
    score = marks(
        "No matter how much effort I expend, I am unable to finish the task.",
        "The soup is hot because the stove was on.",
        "人工智能是计算机科学的一个分支。",
        "Sorry to hear that your dog is ill.",
    )
    assert (score.values == 0).all()
    assert (score.columns["phrase"] == -1).all()


def test_own_phrases_and_empty_responses():
    score = marks("Brought to you by ACME!", "", phrases=("brought to you by  Acme",))
    assert score.columns["boilerplate"][0] == 1
    assert score.info["phrases"][int(score.columns["phrase"][0])] == "brought to you by acme"
    assert score.missing.reason(1) == "empty response"


def test_every_phrase_of_the_lists_is_in_its_plain_form_and_finds_itself():
    for lists in (REFUSALS, BOILERPLATE):
        for group in lists.values():
            for phrase in group:
                assert plain(phrase) == phrase
        for phrase in phrases(lists):
            assert find(plain(f"x {phrase.upper()} y"), [phrase]), phrase


def test_share_counts_sentences_in_order():
    assert marked_share("One. As an AI, no. Three.", ["as an ai,"]) == pytest.approx(1 / 3)
    assert marked_share("No. Never", ["no. never"]) == 0.5  # runs over a sentence's end: counts for one
