from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.labellers import _evaluation, contamination
from curation.labellers._evaluation import EvaluationIndex, Overlap, longest_run, units
from curation.labellers.contamination import CLEAN, EXACT, NGRAM, SEMANTIC, Contamination, evidence

WORDS = [f"w{i}" for i in range(30)]


def overlap_naive(text, rows, n, shortest):
    """Every run of the text against every run of every evaluation text, as tuples of words."""
    best, most = Overlap(-1, 0.0, 0), 0
    words = text.split()
    for number, row in enumerate(rows):
        other = row.split()
        length = min(n, len(other))
        if length < min(shortest, n):
            continue
        covered, longest = set(), 0
        for j in range(len(other) - length + 1):
            for i in range(len(words) - length + 1):
                if words[i : i + length] == other[j : j + length]:
                    covered |= set(range(j, j + length))
                    more = length
                    while words[i + more : i + more + 1] == other[j + more : j + more + 1] != []:
                        more += 1
                    longest = max(longest, more)
        found = Overlap(number, len(covered) / max(len(other), 1), longest) if covered else best
        if (found.share, len(covered), -number) > (best.share, most, -best.row) and covered:
            best, most = found, len(covered)
    return best


@pytest.mark.parametrize("seed", range(6))
def test_overlaps_equal_the_comparison_of_all_runs(seed):
    rng = np.random.default_rng(seed)
    few = WORDS[: 3 + 3 * seed]  # few words: many runs are shared
    rows = [" ".join(rng.choice(few, rng.integers(0, 14))) for _ in range(12)]
    texts = [" ".join(rng.choice([*few, "new"], rng.integers(0, 40))) for _ in range(40)]
    texts += [f"{rows[i]} new {rows[i + 1]}" for i in range(0, 10, 2)]
    for n, shortest in ((3, 2), (5, 5), (8, 3), (1, 1)):
        index = EvaluationIndex([[row] for row in rows], words=n, shortest=shortest, template_share=1.0)
        found = index.overlaps([[text] for text in texts])
        assert found == [overlap_naive(text, rows, n, shortest) for text in texts]


def test_thirteen_words_in_a_row_are_enough_and_twelve_are_not():
    words = [f"q{i}" for i in range(20)]
    index = EvaluationIndex([[" ".join(words)]])
    hit, miss = f"before {' '.join(words[4:17])} after", f"before {' '.join(words[4:16])} after {words[17]}"
    assert index.overlaps([[hit], [miss]]) == [Overlap(0, 13 / 20, 13), Overlap(-1, 0.0, 0)]


def test_case_and_punctuation_do_not_matter_but_order_does():
    text = "How many legs does a spider have, and how many has a beetle in all?"
    index = EvaluationIndex([[text]])
    assert index.overlaps([["HOW many legs; does a spider have and how many has a beetle — in all"]])[0].share == 1
    assert index.overlaps([[" ".join(reversed(text.split()))]])[0].row == -1


def test_short_texts_have_to_occur_whole_and_very_short_ones_do_not_count():
    nine, four = "one two three four five six seven eight nine", "what is the capital"
    index = EvaluationIndex([[nine], [four]])
    assert index.overlaps([[f"well {nine} indeed"]]) == [Overlap(0, 1.0, 9)]
    assert (
        index.overlaps([["one two three four five six seven eight ten"], [f"{four} of France"]])
        == [Overlap(-1, 0.0, 0)] * 2
    )
    assert index.comparable.tolist() == [True, False]


def test_chinese_is_compared_by_letters():
    question = "请问长江的源头在哪一座山脉，它一共流经多少个省份和城市？"
    index = EvaluationIndex([[question]])
    assert units(question)[0] == "characters"
    assert index.overlaps([["回答问题：" + question.replace("，", " ")]])[0] == Overlap(0, 1.0, 26)
    assert index.overlaps([["长江的源头在哪里？"]])[0].row == -1
    # the question in a row whose answer is English is found all the same
    assert index.overlaps([[question, "The river rises far in the west, " * 9]])[0].row == 0


def test_a_question_is_found_in_a_text_that_is_mostly_of_another_script():
    chinese = "请问长江的源头在哪一座山脉，它一共流经多少个省份和城市？"
    english = "How many legs does a spider have, and how many has a beetle in all?"
    index = EvaluationIndex([[chinese], [english]])
    before = "Please answer the following question with care and show all of your working step by step: "
    assert index.overlaps([[before + chinese]]) == [Overlap(0, 1.0, 26)]
    before = "请用中文回答下面的问题，并且详细解释每一个步骤，然后再给出最后的答案，不要省略任何内容，谢谢：" * 2
    assert index.overlaps([[before + english]]) == [Overlap(1, 1.0, 15)]
    assert index.overlaps([[before], [before[:40]]]) == [Overlap(-1, 0.0, 0)] * 2


@pytest.mark.parametrize("spelling", ["NFD", "’", "full width", "soft hyphens"])
def test_spelling_that_cannot_be_seen_does_not_matter(spelling):
    text = "Où était l'élève Amélie à Besançon l'été dernier après le départ de Noël de son frère aîné"
    other = {
        "NFD": unicodedata.normalize("NFD", text),
        "’": text.replace("'", "’"),
        "full width": text.replace("Besan", "Ｂｅｓａｎ"),
        "soft hyphens": text.replace("dernier", "der\u00adnier"),
    }[spelling]
    assert other != text
    assert EvaluationIndex([[text]]).overlaps([[other]])[0].share == 1
    assert EvaluationIndex([[other]]).overlaps([[text]])[0].share == 1


@pytest.mark.parametrize("pairs", [1, 7, 1 << 20])
def test_how_much_is_compared_at_once_changes_nothing(pairs, monkeypatch):
    rng = np.random.default_rng(1)
    rows = [[" ".join(rng.choice(WORDS[:4], 9)), " ".join(rng.choice(WORDS[:4], 3))] for _ in range(15)]
    texts = [[" ".join(rng.choice(WORDS[:4], 12)), ""] for _ in range(30)]
    index = EvaluationIndex(rows, words=4, shortest=3, template_share=1.0)
    usual = index.overlaps(texts)
    assert len({found.row for found in usual}) > 5
    monkeypatch.setattr(_evaluation, "PAIRS_AT_ONCE", pairs)
    monkeypatch.setattr(_evaluation, "MATRIX", pairs)
    assert index.overlaps(texts) == usual


def test_runs_with_one_hash_are_told_apart(monkeypatch):
    usual, seeds = EvaluationIndex._hashes, []

    def clashing(self, values, starts, length):
        seeds.append(self._multiplier)
        found = usual(self, values, starts, length)
        return found if len(set(seeds)) > 2 else found % np.uint64(3)  # two functions of no use, then a good one

    words = [f"q{i}" for i in range(20)]
    monkeypatch.setattr(EvaluationIndex, "_hashes", clashing)
    index = EvaluationIndex([[" ".join(words)]])
    assert index.overlaps([[" ".join(words[2:16])], [" ".join(words[::-1])]]) == [
        Overlap(0, 14 / 20, 14), Overlap(-1, 0.0, 0),
    ]  # fmt: skip
    monkeypatch.setattr(EvaluationIndex, "_hashes", lambda self, values, starts, length: usual(
        self, values, starts, length) * np.uint64(0) + index._runs["words", 13].hashes[0])  # fmt: skip
    assert index.overlaps([[" ".join(words[::-1])]])[0].row == -1  # what only a hash says is no match


@pytest.mark.parametrize("seed", range(4))
def test_the_longest_run_is_that_of_the_plain_loop(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 3, rng.integers(0, 20)), rng.integers(-1, 3, rng.integers(0, 30))
    runs = [
        length
        for i in range(len(one))
        for j in range(len(other))
        for length in range(1, 21)
        if i + length <= len(one) and one[i : i + length].tolist() == other[j : j + length].tolist()
    ]
    assert longest_run(one, other) == max(runs, default=0)
    monkeypatch.setattr(_evaluation, "MATRIX", -1)
    assert longest_run(one, other) == max(runs, default=0)


def test_the_template_of_the_set_is_no_sign():
    template = "answer the following question with one of the four letters that are given below here"
    rows = [[f"{template} {' '.join(f'w{i}x{j}' for j in range(15))}"] for i in range(40)]
    index = EvaluationIndex(rows)
    assert index.template_runs == 3
    assert index.overlaps([[template]])[0].row == -1
    assert index.overlaps(rows)[7] == Overlap(7, 27 / 30, 30)  # its first words lie in runs of the template only
    few = EvaluationIndex(rows[:10])
    assert few.overlaps([[template]])[0].row == 0


def test_a_run_does_not_go_from_one_text_to_the_next():
    words = [f"q{i}" for i in range(14)]
    index = EvaluationIndex([[" ".join(words)]])
    assert index.overlaps([[" ".join(words[:7]), " ".join(words[7:])]])[0].row == -1
    assert index.overlaps([[" ".join(words[:7])], [" ".join(words[7:])]]) == [Overlap(-1, 0.0, 0)] * 2


# ---------------------------------------------------------------------- the labels


LONG = "A train leaves the old station at seven and travels to the sea at sixty miles an hour"
OTHER = "Name three kinds of mushrooms that grow below birches and can be eaten without any danger"


def label(pool, evaluation, method=None, *, ours=None, theirs=None):
    data, other = from_pairs(pool, "pool"), from_pairs(evaluation, "evaluation.json")

    def features(values, dataset):
        if values is None:
            return None
        values = np.asarray(values, np.float32)
        return Features(dataset.fingerprint, values, Missing.where(~np.isfinite(values).all(axis=1), "none"))

    return (method or Contamination()).label(
        data, Runtime(), evaluation=other, features=features(ours, data), evaluation_features=features(theirs, other)
    )


def test_each_row_gets_the_strictest_rule_and_the_row_behind_it():
    found = label(
        [
            (f"  {OTHER.upper()} ", "yes"),
            ("Tell me something", f"Well: {LONG}. How far?"),
            ("Tell me something", "Nothing of the kind"),
            ("Tell me more", "A paraphrase"),
        ],
        [(LONG, "60"), (OTHER, "a, b, c")],
        ours=[[1, 0], [0, 1], [1, 1], [0.1, 1]],
        theirs=[[0, 1], [1, 0]],
    )
    assert [found.value(i) for i in range(4)] == [EXACT, NGRAM, CLEAN, SEMANTIC]
    assert found.columns["evaluation_row"].tolist() == [1, 0, -1, 0]
    np.testing.assert_allclose(found.columns["similarity"], [1, 1, 2**-0.5, 1 / 1.01**0.5], atol=1e-6)
    assert found.columns["similar_row"].tolist() == [1, 0, 0, 0]
    assert [e[:4] for e in evidence(found)] == [
        (0, 1, "exact", 1.0),
        (1, 0, "n-gram", 1.0),
        (3, 0, "semantic", pytest.approx(1 / 1.01**0.5, abs=1e-6)),
    ]
    assert found.info["evaluation"] == "evaluation.json"
    assert found.info["evaluation_rows_found"] == 2
    assert len(found.info["rules"]) == 4


def test_names_are_the_same_whatever_was_found():
    nothing = label([("a", "b")], [(LONG, "")])
    assert nothing.names == (CLEAN, EXACT, NGRAM, SEMANTIC)
    assert nothing.value(0) == CLEAN
    assert np.isnan(nothing.columns["similarity"]).all()
    assert len(nothing.info["rules"]) == 3


def test_a_share_can_be_asked_for():
    half = " ".join(LONG.split()[:14])
    for least, wanted in ((0.0, NGRAM), (0.7, NGRAM), (0.9, CLEAN)):
        found = label([(half, "")], [(LONG, "")], Contamination(min_share=least))
        assert found.value(0) == wanted
        assert found.columns["share"][0] == pytest.approx(14 / 18)
        assert found.columns["longest_run"][0] == 14


def test_which_text_is_searched_and_which_is_looked_for():
    pool, evaluation = [("short", LONG), (LONG, "short")], [(OTHER, LONG)]
    assert label(pool, evaluation).codes.tolist() == [0, 0]  # the evaluation's answer is not looked for
    by_answer = label(pool, evaluation, Contamination(evaluation_text="response"))
    assert [by_answer.value(i) for i in range(2)] == [EXACT, NGRAM]
    prompts = label(pool, evaluation, Contamination(evaluation_text="response", text="prompt"))
    assert [prompts.value(i) for i in range(2)] == [CLEAN, NGRAM]
    both = label([(OTHER, LONG), (OTHER, "no")], evaluation, Contamination(evaluation_text="both"))
    assert [both.value(i) for i in range(2)] == [EXACT, NGRAM]
    np.testing.assert_allclose(both.columns["share"], [1, 16 / 34])


def test_two_numbers_that_differ_only_by_a_sign_are_not_exactly_the_same():
    found = label([("What is 2-2?", "0"), ("what is  2+2?", "4")], [("What is 2+2?", "4")])
    assert [found.value(i) for i in range(2)] == [CLEAN, EXACT]


@pytest.mark.parametrize("block", [1, 3, 1000])
def test_blocks_change_nothing(block, monkeypatch):
    rng = np.random.default_rng(0)
    pool = [(" ".join(rng.choice(WORDS[:6], 30)), "") for _ in range(20)]
    evaluation = [(" ".join(rng.choice(WORDS[:6], 12)), "") for _ in range(9)]
    ours, theirs = rng.integers(-1, 2, (20, 3)), rng.integers(-1, 2, (9, 3))
    theirs[0] = 0
    method = Contamination(words=4, template_share=1.0, min_similarity=0.9)
    usual = label(pool, evaluation, method, ours=ours, theirs=theirs)
    monkeypatch.setattr(contamination, "TEXT_BLOCK", block)
    monkeypatch.setattr(contamination, "VECTOR_BLOCK", block)
    again = label(pool, evaluation, method, ours=ours, theirs=theirs)
    np.testing.assert_array_equal(again.codes, usual.codes)
    for name, column in usual.columns.items():
        np.testing.assert_array_equal(again.columns[name], column)
    unit = np.where(np.abs(ours).sum(axis=1, keepdims=True) > 0, ours, np.nan).astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosine = unit @ (theirs[1:] / np.maximum(np.linalg.norm(theirs[1:], axis=1, keepdims=True), 1e-9)).T
    np.testing.assert_allclose(usual.columns["similarity"], cosine.max(axis=1), atol=1e-6)


def test_what_does_not_fit_together_is_named():
    pool, evaluation = [("a", "b"), ("c", "d")], [(LONG, "e")]
    with pytest.raises(CurationError, match="for the pool only"):
        label(pool, evaluation, ours=np.eye(2))
    with pytest.raises(CurationError, match="for the evaluation set only"):
        label(pool, evaluation, theirs=np.ones((1, 2)))
    with pytest.raises(CurationError, match="evaluation_features have 3 numbers each, features 2"):
        label(pool, evaluation, ours=np.eye(2), theirs=np.ones((1, 3)))
    with pytest.raises(CurationError, match="of 2 rows, the evaluation set has 1"):
        label(pool, evaluation, ours=np.eye(2), theirs=np.eye(2))
    with pytest.raises(CurationError, match="no evaluation row has a usable vector"):
        label(pool, evaluation, ours=np.eye(2), theirs=np.zeros((1, 2)))
    with pytest.raises(CurationError, match="no evaluation row has a text in its response"):
        label(pool, [(LONG, "")], Contamination(evaluation_text="response"))
    data = from_pairs(pool)
    with pytest.raises(CurationError, match="the pool itself"):
        Contamination().label(data.take(np.array([0])), Runtime(), evaluation=data)


def test_the_facts_name_the_rules_that_were_used_and_no_others():
    pool, evaluation = [(LONG, LONG)] * 3 + [(OTHER, "")], [(LONG, "a"), (OTHER, "b")]
    both = label(pool, evaluation).info
    assert [rule.split(" ")[1] for rule in both["rules"]] == ["same", "shared", "whole"]
    assert both["most_rows_by_one"] == 3
    responses = label(pool, evaluation, Contamination(text="response", shortest=13)).info
    assert [rule.split(" ")[1] for rule in responses["rules"]] == ["shared"]


def test_vectors_of_another_file_with_as_many_rows_are_refused():
    data, other, third = (from_pairs([(f"{name} {i}", "") for i in range(3)], name) for name in ("a", "b", "c"))
    ours, theirs = (Features(d.fingerprint, np.eye(3, dtype=np.float32), Missing.none(3)) for d in (data, third))
    with pytest.raises(CurationError, match="of another dataset than the evaluation set"):
        Contamination().label(data, Runtime(), evaluation=other, features=ours, evaluation_features=theirs)
