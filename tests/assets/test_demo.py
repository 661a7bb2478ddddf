"""The demo dataset: it is what its script writes, its clean rows are true, and its faults are what they say."""

import contextlib
import io
import itertools
import json
import math
import re
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from statistics import mean, median
from types import ModuleType

import pytest

ASSETS = Path(__file__).resolve().parents[2] / "assets"
FIELDS = ["instruction", "input", "output", "topic", "planted", "planted_of"]
TIMES = {"twice": 2, "three times": 3, "four times": 4, "five times": 5}

# Words of a problem -> its result from the numbers in the problem, in the order in which they stand there.
SOLVERS = {
    r"How much is the bill|cost together|Work out the total": lambda n, p, extra: n * p + extra,
    r"[Cc]hange": lambda a, b, note: note - a - b,
    r"How far does it get|what distance|length of the trip": lambda speed, hours: speed * hours,
    r"does the ride take|will it arrive|does a skater need": lambda distance, speed: distance / speed,
    r"left over|How many remain|the remainder": lambda total, groups: total % groups,
    r"the sale price|a discount of|a reduction of": lambda price, rate: price * (100 - rate) / 100,
    r"metres of fence|perimeter|once around": lambda a, b: 2 * (a + b),
    r"per square metre|a square metre|each square metre": lambda price, a, b: price * a * b,
    r"painters need|equal pumps|mown by": lambda few, days, many: few * days / many,
    r"At what time|take it out|when does it arrive": lambda h, m, d: f"{(h * 60 + m + d) // 60}:{(m + d) % 60:02d}",
    r"hens and goats|wheels together|owls and cats": lambda heads, legs: (legs - 2 * heads) / 2,
    r"coaches must|boxes do I need|number of shifts": lambda people, seats: math.ceil(people / seats),
    r"wants a keyboard|adding .* every week|each week": lambda has, weekly, goal: (goal - has) / weekly,
    r"books has it|rolls are there|Count my stamps": lambda a, b, c, d: a - b + c * d,
    r"square tiles|How many patches|cut into squares": lambda side, a, b: a * b / side**2,
    r"\d% of \d|\d percent of \d": lambda rate, base: rate * base / 100,
    r"percentage did|percentage increase|percent more": lambda old, new: round((new / old - 1) * 100, 6),
    r"mean of these|average of the list|^Average": lambda *values: mean(values),
    r"median|in the middle": lambda *values: median(values),
    r"are in use|are brown|of its capacity": lambda whole, top, bottom: whole * top / bottom,
    r"in the ratio": lambda small, large, total: total * small / (small + large),
    r"to minutes|in minutes only|How many minutes are": lambda hours, minutes: hours * 60 + minutes,
    r"Continue the|comes next|next term": lambda a, b, c, *rest: (
        rest[-1] * (c - b) // (b - a) + b - a * (c - b) // (b - a)
    ),
    r"Solve for|For which x|think of a number": lambda factor, shift, total: (total - shift) / factor,
    r"Two trams|least common|One lamp": math.lcm,
    r"marbles|tickets win|socks": lambda good, bad: str(Fraction(good, good + bad)),
    r"× \(": lambda a, b, c, d: a + b * (c - d),
    r"nearest": lambda a, b: (max(a, b) + min(a, b) // 2) // min(a, b) * min(a, b),
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ASSETS))
        import make_demo

        return make_demo


@pytest.fixture(scope="module")
def rows():
    return json.loads((ASSETS / "demo.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def truth(script):
    """Every true row by its question."""
    by_topic = script.true_rows(script.SEED).values()
    return {(row.instruction, row.input): row for row in itertools.chain.from_iterable(by_topic)}


@pytest.fixture(scope="module")
def planted(rows):
    """Row indices by kind of fault; clean rows under ""."""
    kinds = {}
    for index, row in enumerate(rows):
        kinds.setdefault(row["planted"], []).append(index)
    return kinds


def question(row):
    return row["instruction"], row["input"]


def bits(texts, shingles):
    """Each text's set of shingles as one integer, a bit for each shingle."""
    place = {}
    return [sum(1 << place.setdefault(shingle, len(place)) for shingle in set(shingles(text))) for text in texts]


def triples(row):
    words = re.findall(r"\w+", f"{row['instruction']} {row['input']} {row['output']}".lower())
    return list(zip(words, words[1:], words[2:], strict=False))


def five_letters(row):
    text = f"{row['instruction']} {row['input']} {row['output']}".lower()
    return [text[start : start + 5] for start in range(len(text) - 4)]


def jaccard(one, two):
    return (one & two).bit_count() / (one | two).bit_count()


def numbers(text):
    return [int(number.replace(",", "")) for number in re.findall(r"\d+(?:,\d{3})*", text)]


def result(output):
    """The last number, time or fraction of an answer, as text without thousands separators."""
    return re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?(?:[:/]\d+)?", output)[-1].replace(",", "")


def solved(row):
    """The result of an arithmetic problem, worked out from its text alone."""
    asked = f"{row['instruction']} {row['input']}".strip()
    times = next((times for words, times in TIMES.items() if words in asked), None)
    if times:  # "Ann is twice as old as Ben, together they are 36": the one problem with a number in words
        return str(numbers(asked)[0] // (times + 1))
    [solver] = [solver for words, solver in SOLVERS.items() if re.search(words, asked)]
    value = solver(*numbers(asked))
    return value if isinstance(value, str) else f"{value:g}"


def run(code, check="", **names):
    """Run code and its check; returns what was printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(f"{code}\n{check}", names)
    return printed.getvalue().strip("\n")


def code_of(output):
    return re.search(r"```python\n(.*?)\n```", output, re.DOTALL)[1]


def test_script_reproduces_the_file_byte_for_byte(tmp_path):
    command = [sys.executable, str(ASSETS / "make_demo.py"), "--output", str(tmp_path / "again.json")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "again.json").read_bytes() == (ASSETS / "demo.json").read_bytes()


def test_rows_are_alpaca_records_with_three_more_fields(rows):
    assert len(rows) == 1_000
    assert all(list(row) == FIELDS for row in rows)
    assert all(isinstance(row[field], str) for row in rows for field in FIELDS[:5])
    assert all(row["instruction"].strip() for row in rows)
    assert sum(row["input"] != "" for row in rows) >= 120


def test_every_fault_is_planted_as_often_as_it_says(rows):
    counts = Counter(row["planted"] for row in rows)
    assert counts == {
        "": 810,
        "exact-duplicate": 30,
        "near-duplicate": 40,
        "wrong": 40,
        "off-topic": 30,
        "empty": 15,
        "boilerplate": 30,
        "rare-topic": 5,
    }


def test_twelve_topics_and_one_very_rare_one(rows):
    counts = Counter(row["topic"] for row in rows)
    rare = {row["topic"] for row in rows if row["planted"] == "rare-topic"}
    assert counts.pop("bookbinding") == 5
    assert rare == {"bookbinding"}
    assert len(counts) == 12
    assert min(counts.values()) >= 60


def test_lengths_reach_from_one_word_to_several_paragraphs(rows, planted):
    clean = [rows[index]["output"] for index in planted[""]]
    assert sum(len(output.split()) == 1 for output in clean) >= 50
    assert sum(len(output.split()) > 100 for output in clean) >= 15
    assert sum(output.count("\n\n") >= 2 for output in clean) >= 10


def test_clean_rows_are_the_true_ones(rows, planted, truth):
    for index in planted[""]:
        assert rows[index]["output"] == truth[question(rows[index])].output


@pytest.mark.parametrize("shingles", [triples, five_letters])
def test_clean_rows_are_no_near_duplicates_of_each_other(rows, planted, shingles):
    clean = [rows[index] for index in planted[""] + planted["rare-topic"]]
    pairs = itertools.combinations(bits(clean, shingles), 2)
    assert max(jaccard(one, two) for one, two in pairs if one and two) < 0.75


def test_no_question_is_asked_twice_unless_its_row_is_a_planted_duplicate(rows):
    kept = [question(row) for row in rows if not row["planted"].endswith("duplicate")]
    assert len(set(kept)) == len(kept)


def test_only_duplicates_name_an_earlier_clean_original(rows):
    for index, row in enumerate(rows):
        if row["planted"].endswith("duplicate"):
            assert row["planted_of"] < index
            assert rows[row["planted_of"]]["planted"] == ""
            assert rows[row["planted_of"]]["topic"] == row["topic"]
        else:
            assert row["planted_of"] is None


def test_exact_duplicates_equal_their_originals_and_some_come_in_threes(rows, planted):
    originals = [rows[index]["planted_of"] for index in planted["exact-duplicate"]]
    for index, original in zip(planted["exact-duplicate"], originals, strict=True):
        assert [rows[index][field] for field in FIELDS[:4]] == [rows[original][field] for field in FIELDS[:4]]
    assert sorted(Counter(originals).values()) == [1] * 22 + [2] * 4


@pytest.mark.parametrize("shingles", [triples, five_letters])
def test_near_duplicates_differ_lightly_from_their_originals(rows, planted, shingles):
    for index in planted["near-duplicate"]:
        copy, original = rows[index], rows[rows[index]["planted_of"]]
        assert [copy[field] for field in FIELDS[:3]] != [original[field] for field in FIELDS[:3]]
        assert jaccard(*bits([copy, original], shingles)) >= 0.8


def test_near_duplicates_are_of_several_sorts(rows, planted):
    pairs = [(rows[index], rows[rows[index]["planted_of"]]) for index in planted["near-duplicate"]]
    assert sum(copy["instruction"] != original["instruction"] for copy, original in pairs) >= 15
    assert sum(copy["output"] != original["output"] for copy, original in pairs) >= 15
    assert sum(triples(copy) != triples(original) for copy, original in pairs) >= 20
    assert sum(triples(copy) == triples(original) for copy, original in pairs) >= 5


def test_wrong_rows_have_the_false_answer_and_every_false_answer_differs_from_the_true_one(rows, planted, truth):
    for index in planted["wrong"]:
        assert rows[index]["output"] == truth[question(rows[index])].false
    for row in truth.values():
        assert row.false.casefold().strip(" .") != row.output.casefold().strip(" .")


def test_off_topic_answers_are_true_for_a_question_of_another_topic(rows, planted, script):
    topics = {row.output: topic for topic, pool in script.true_rows(script.SEED).items() for row in pool}
    for index in planted["off-topic"]:
        assert topics[rows[index]["output"]] != rows[index]["topic"]


def test_exactly_the_rows_planted_empty_have_no_answer(rows, planted):
    assert [index for index, row in enumerate(rows) if not row["output"].strip()] == planted["empty"]
    assert len({rows[index]["output"] for index in planted["empty"]}) >= 3


def test_boilerplate_says_nothing_and_stands_in_no_other_row(rows, planted):
    marks = re.compile(
        r"\bAI\b|I'm sorry|[Ss]orry,|cannot|can't|language model|not able|unable|apologi[sz]e|I cannot say"
        r"|do not have the ability|Great question|Certainly!|Sure!|Absolutely!|I hope this helps|It depends\. There"
        r"|multifaceted"
    )
    outputs = [rows[index]["output"] for index in planted["boilerplate"]]
    assert all(marks.search(output) for output in outputs)
    assert not any("{" in output for output in outputs)
    assert len(set(outputs)) == 30
    refusals = re.compile(r"language model|I'm sorry|As an AI|cannot assist|apologi[sz]e")
    assert not any(refusals.search(row["output"]) for row in rows if row["planted"] != "boilerplate")


def test_faults_are_spread_over_the_file_and_the_topics(rows, planted):
    for kind in ("wrong", "off-topic", "empty", "boilerplate", "exact-duplicate", "near-duplicate"):
        assert len({rows[index]["topic"] for index in planted[kind]}) >= 9
        assert min(planted[kind]) < 250
        assert max(planted[kind]) > 750


def test_arithmetic_answers_are_right_in_clean_rows_and_false_in_wrong_ones(rows):
    checked = Counter()
    for row in rows:
        if row["topic"] != "arithmetic" or row["planted"] not in ("", "exact-duplicate", "wrong"):
            continue
        assert (result(row["output"]) == solved(row)) is (row["planted"] != "wrong"), row
        checked[row["planted"]] += 1
    assert checked[""] >= 50
    assert checked["wrong"] >= 3


def test_every_false_answer_of_an_arithmetic_problem_is_false(script):
    for row in script.true_rows(script.SEED)["arithmetic"]:
        asked = {"instruction": row.instruction, "input": row.input}
        assert result(row.output) == solved(asked)
        assert result(row.false) != solved(asked)


UNITS = r"(?<=\d) (?:kg|km|min|euros?|years|beats|days|cm³|m/s²|m²|Hz|m/s|[VAWhNgΩ])(?= )"
EQUATION = re.compile(r"(?<![-+×÷)] )(?<![\w.^,])(\d[\d.,]*(?: [-+×÷] \d[\d.,]*)+) = (\d[\d,]*(?:\.\d+)?)")


def equations(output):
    """The (left side's value, right side, unit in the last place) of the equations in an answer."""
    text = re.sub(UNITS, "", output).replace("½", "0.5").replace("$", "")
    text = re.sub(r"(\d+(?:\.\d+)?)²", lambda match: f"{float(match[1]) ** 2:.6f}", text)
    text = re.sub(r"(\d+)\^(\d+)", lambda match: str(int(match[1]) ** int(match[2])), text)
    for left, right in EQUATION.findall(text):
        value = eval(left.replace(",", "").replace("×", "*").replace("÷", "/"))
        decimals = len(right.partition(".")[2])
        yield value, float(right.replace(",", "")), 10**-decimals


def test_every_equation_in_a_clean_answer_holds(rows):
    checked = Counter()
    for row in rows:
        if row["planted"] in ("", "exact-duplicate", "near-duplicate"):
            for left, right, last_place in equations(row["output"]):
                assert abs(left - right) <= 0.5 * last_place + 1e-6, row
                checked[row["topic"]] += 1
    assert checked["arithmetic"] >= 40
    assert checked["physics"] >= 10
    assert checked["personal finance"] >= 4
    assert checked["health"] >= 2


def test_every_coding_answer_passes_its_check_and_every_bug_fails_it(script):
    for task in script.python.TASKS:
        run(task.code, task.check)
        false = task.row(note_first=True).false
        if false:
            with pytest.raises(Exception):  # noqa: B017  # a bug may raise anything, mostly AssertionError
                run(code_of(false), task.check)


def test_coding_rows_of_the_file_run(rows, script):
    checks = {task.ask: task.check for task in script.python.TASKS}
    clean = [row for row in rows if row["instruction"] in checks and row["planted"] in ("", "exact-duplicate")]
    assert len(clean) >= 25
    for row in clean:
        run(code_of(row["output"]), checks[row["instruction"]])


def test_predicted_outputs_are_what_python_prints(script):
    for code, printed, hasty in script.python.python_snippets.PRINTED:
        assert run(code) == printed != hasty


def test_mended_snippets_work_and_the_faulty_ones_do_not(script):
    for faulty, mended, _, check in script.python.python_snippets.MENDED:
        run(mended, check, input=lambda _: "20")
        with pytest.raises(Exception):  # noqa: B017  # a syntax, name, type or assertion error
            run(faulty, check, input=lambda _: "20")
