"""The filter: what an expression means, what it may not do, and what it says when it is wrong."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.artifacts import Labels, Missing, Score
from curation.core.dataset import Row, from_pairs, in_memory
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.selectors import _filter_run
from curation.selectors._filter_parse import sandbox
from curation.selectors._filter_run import BUILTIN, filter_rows
from curation.selectors._filter_sql import MAX_LETTERS, read_filter
from curation.selectors.filter import NO_VALUE, Filter

POOL = from_pairs(
    [(f"question {i} Ü", "answer " * i) for i in range(10)],
    category=["a", "b", None, "3", "x'y"] * 2,
    rating=[1, 2.5, "7", "no", None] * 2,
    meta=[{"k": i, "q/r": i, 'd"e': i} for i in range(10)],
    **{"a.b": [str(i) for i in range(10)]},
)
QUALITY = Score(
    POOL.fingerprint, np.array([0.0, 1, 2, np.nan, 4, 5, 6, 7, 8, 9]), Missing.where(np.arange(10) == 3, "x"), "q",
    True, {"extra": np.arange(10) * 2},
)  # fmt: skip
TOPIC = Labels.from_values(POOL.fingerprint, ["u", "v", None, "u", "v", "u", "v", "u", "v", "u"])


def rows_of(expression, scores=None, labels=None, **more):
    scores, labels = {"q": QUALITY} if scores is None else scores, {"lab": TOPIC} if labels is None else labels
    holds, absent = filter_rows(POOL, expression, scores, labels, **more)
    return np.flatnonzero(holds).tolist(), np.flatnonzero(absent).tolist()


@pytest.mark.parametrize(
    ("expression", "kept", "absent"),
    [
        ("q > 4", [5, 6, 7, 8, 9], [3]),
        ("q.extra >= 10 AND lab = 'u'", [5, 7, 9], [3]),
        ("row BETWEEN 2 AND 3", [2, 3], []),
        ("response_letters > 40", [6, 7, 8, 9], []),
        ("letters - prompt_letters = response_letters", list(range(10)), []),
        ("record.category IN ('a', 'x''y')", [0, 4, 5, 9], [2, 7]),
        ("field('rating') > 2", [1, 2, 6, 7], [3, 4, 8, 9]),
        ("record.rating::DOUBLE > 2", [1, 2, 6, 7], [3, 4, 8, 9]),
        ("record.category = 3", [3, 8], [0, 1, 2, 4, 5, 6, 7, 9]),
        ("record.category = '3'", [3, 8], [2, 7]),
        ("record.meta.k = 4", [4], []),
        ('record."meta"."q/r" = 4', [4], []),
        ('record.meta."d""e" = 4', [4], []),
        ("field('a.b') = '6'", [6], []),
        ("record.a.b = '6'", [6], []),
        ("record.nothing = 1", [], list(range(10))),
        ("turns = 2", list(range(10)), []),
        ("turns * 2 / (row - 3) > 1", [4, 5, 6], [3]),
        ("prompt LIKE '%5%'", [5], []),
        ("prompt ILIKE 'QUESTION _ ü'", list(range(10)), []),
        ("prompt NOT LIKE '%5%' AND row < 7", [0, 1, 2, 3, 4, 6], []),
        ("regexp_matches(prompt, '[3-5]')", [3, 4, 5], []),
        ("regexp_full_match(prompt, '[3-5]')", [], []),
        ("regexp_matches(prompt, 'QUESTION [3-5]', 'i')", [3, 4, 5], []),
        ("CASE WHEN row > 3 THEN q > 5 ELSE TRUE END", [0, 1, 2, 3, 6, 7, 8, 9], []),
        ("coalesce(q, 100) > 8", [3, 9], []),
        ("lab IS NULL", [2], []),
        ("nullif(lab, 'u') = 'v'", [1, 4, 6, 8], [0, 2, 3, 5, 7, 9]),
        ("if(q > 3, q, 0) ^ 2 > 30", [6, 7, 8, 9], []),
        ("sqrt(q - 5) >= 1", [6, 7, 8, 9], [0, 1, 2, 3, 4]),
        ("pow(row - 5, 0.5) >= 0", [5, 6, 7, 8, 9], [0, 1, 2, 3, 4]),
        ("(row > 5) IS TRUE", [6, 7, 8, 9], []),
        ("greatest(q, 3) = 3", [0, 1, 2, 3], []),
        ('"Q" > 7', [8, 9], [3]),
        ("upper(form) = 'ALPACA'", list(range(10)), []),
        ("left(prompt, 3) = 'que' AND substring(prompt, 10, 1) = '4'", [4], []),
        ("length(response) = 0 OR contains(prompt, '8')", [0, 8], []),
        ("row % 4 = 1", [1, 5, 9], []),
        ("-row < -7", [8, 9], []),
        ("row // 4 = 1", [4, 5, 6, 7], []),
        ("copy = 0 AND line = row AND source = 'rows'", list(range(10)), []),
        ("row > 5 -- a remark", [6, 7, 8, 9], []),
        ("TRUE", list(range(10)), []),
        ("NULL = 1", [], list(range(10))),
        ("row IN (1, 3, 99) AND row NOT IN (3)", [1], []),
        ("row IS DISTINCT FROM 4 AND q IS NOT DISTINCT FROM NULL", [3], []),
    ],
)
def test_what_an_expression_keeps(expression, kept, absent):
    assert rows_of(expression) == (kept, absent)


@pytest.mark.parametrize(
    "expression",
    [
        "q > 3; DROP TABLE t", "q > 3;", "1) FROM t WHERE (TRUE", "q > 3) UNION SELECT (TRUE", "q > 3) AS x, (q",
        "TRUE) FROM t; ATTACH '/tmp/x.db' AS y; SELECT (TRUE", "TRUE) FROM read_csv('/etc/passwd') --",
        "(SELECT TRUE)", "q > (SELECT max(q) FROM t)", "q IN (SELECT 1)", "EXISTS (SELECT 1)", "q = ANY([1, 2])",
        "q > ALL (SELECT 1)", "EXISTS (FROM read_text('/etc/passwd'))", "q IN (FROM glob('/*'))",
        "read_text('/etc/passwd') = 'x'", "read_csv('/etc/passwd') = 'x'", "getenv('HOME') = 'x'", "glob('/*') = 'x'",
        "current_setting('threads') = '2'", "version() = 'x'", "nextval('a') = 1", "current_date = '2020-01-01'",
        "query('SELECT 1') = 1", "sum(q) > 3", "count(*) > 3", "sum(q) OVER () > 3", "row_number() OVER () = 1",
        "unnest([1]) = 1", "list_filter([1], x -> TRUE) = []", "x -> x", "[1, 2] = [1, 2]", "{'a': 1}.a = 1",
        "q > ?", "q > $1", "q > $name", "*", "COLUMNS('q') > 1", "COLUMNS(*) IS NULL", "t.* IS NULL", "DEFAULT",
        "prompt COLLATE nocase = 'x'", "prompt LIKE response", "response LIKE prompt || '%'", "prompt GLOB 'x*'",
        "prompt LIKE 'a!%' ESCAPE '!'", "regexp_matches(prompt, response)", "regexp_matches(prompt, '(')",
        "regexp_matches(prompt, '((a?){200}){50}b')", "regexp_matches(prompt, 'a', 'z')", "repeat(prompt, 9) = 'x'",
        "replace(prompt, 'a', response) = ''", "prompt || prompt = ''", "concat(prompt, prompt) = ''",
        "rpad(prompt, 1000000000, 'x') = ''", "main.lower(prompt) = 'a'", "system.main.lower(prompt) = 'a'",
        "memory.main.t.q > 3", "t.q > 3", "rowid = 1", "lower(DISTINCT prompt) = 'a'", "lower(t := prompt) = 'a'",
        "DATE '2020-01-01' > prompt", "q::DECIMAL(9, 2) > 1", "q::STRUCT(a INTEGER) IS NULL", "INTERVAL 1 DAY = q",
        "COPY t TO '/tmp/x'", "PRAGMA database_list", "SET threads = 9", "q > 1e999", "q = x'ab'", "q[1] = 1",
        "record > 3", "record IS NULL", "field(prompt) = 'x'", "field('a', 'b') = 1", "NOT " * 300 + "TRUE",
        "lower(" * 60 + "prompt" + ")" * 60 + " = 'a'", "pow(" * 5 + "q" + ", 2)" * 5 + " > 3", "(" * 1500 + "TRUE",
        "row + " * 400 + "1 > 2", "q > 3\0", "q > '\ud800'", "‘q’ > 3", "q > 3 /* x", "'", '"', "$$", "q >", "",
        "   ", "q > 3 AND", "SELECT TRUE", "q AS x", "q > 3 ORDER BY q", "q > 3 LIMIT 1", "q > 3 FROM t",
        "CASE WHEN q THEN TRUE END", "nosuch > 3", "q", "'text'", "NULL", "q > 'a'", "prompt > 3", "lower(q) = 'a'",
        "q AND TRUE", "abs() > 1", "abs(q, q) > 1", "sqrt(prompt) > 1", "row IN (1, 'a')", "x" * (MAX_LETTERS + 1),
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_words(expression):
    with pytest.raises(CurationError) as error:
        rows_of(expression)
    assert error.value.message
    assert error.value.hint
    assert len(str(error.value)) < 700
    assert "FROM t" not in error.value.message or "FROM t" in expression


def test_a_hostile_expression_leaves_no_trace(tmp_path):
    target = tmp_path / "stolen.csv"
    for text in (f"TRUE) FROM t; COPY t TO '{target}'; SELECT (TRUE", f"write_log('{target}') IS NULL"):
        with pytest.raises(CurationError):
            rows_of(text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')", "ATTACH '/tmp/a.db'", "INSTALL httpfs", "LOAD httpfs",
        "SET enable_external_access = true", "SET lock_configuration = false", "SET threads = 64",
        "COPY (SELECT 1) TO '/tmp/a.csv'", "SELECT * FROM glob('/*')", "SELECT * FROM table_of_python",
    ],
)  # fmt: skip
def test_the_connection_itself_can_reach_nothing(statement):
    import duckdb

    table_of_python = pa.table({"a": [1]})
    assert len(table_of_python) == 1
    with sandbox() as connection, pytest.raises(duckdb.Error):
        connection.execute(statement).fetchall()


def test_errors_show_the_place_and_near_names():
    with pytest.raises(CurationError, match=r"no column 'qualty', at letter 12: qualty") as error:
        rows_of("row > 1 AND qualty > 3".replace("row > 1 AND ", "row>1  AND "), {"quality": QUALITY})
    assert "quality" in error.value.hint
    with pytest.raises(CurationError, match="at letter 10: % 3"):
        rows_of("'ÄÖÜ€' = % 3")
    with pytest.raises(CurationError, match="at its end"):
        rows_of("row > ")
    with pytest.raises(CurationError, match="a number, not yes or no"):
        rows_of("q + 1")


@pytest.mark.parametrize("name", ['a"b', "a b", "select", "x; drop", "a.b", "Ünï", "c0", "place", "batch", "t", "1"])
def test_scores_of_any_name_are_found_in_quotes(name):
    quoted = '"' + name.replace('"', '""') + '"'
    assert rows_of(f"{quoted} > 7 AND row < 9", {name: QUALITY}) == ([8], [3])


@pytest.mark.parametrize("name", ["row", "Prompt", "record", "lab"])
def test_a_name_that_is_taken_is_an_error(name):
    with pytest.raises(CurationError, match="two columns are called"):
        rows_of("TRUE", {name: QUALITY})


def test_noise_is_a_label_and_a_missing_label_is_none():
    missing = Missing.where(np.arange(10) == 1, "no text")
    labels = Labels(POOL.fingerprint, np.array([-1, -1, 0, 0, 0, 1, 1, 1, 1, -1], np.int32), ("a", "b"), missing)
    assert rows_of("lab = 'noise'", labels={"lab": labels}) == ([0, 9], [1])
    assert rows_of("lab IN ('a', 'b')", labels={"lab": labels}) == ([2, 3, 4, 5, 6, 7, 8], [1])


def like_naive(text, pattern):
    return re.fullmatch("".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern), text, re.S)


@settings(max_examples=30, deadline=None)
@given(st.text("ab%_.*(\\$^é\n", max_size=8), st.lists(st.text("ab.*(\\$^é\n", max_size=8), min_size=1, max_size=6))
def test_like_is_that_of_sql(pattern, texts):
    pool = from_pairs([(text, "x") for text in texts])
    holds, _ = filter_rows(pool, "prompt LIKE '" + pattern.replace("'", "''") + "'", {}, {})
    assert holds.tolist() == [like_naive(text, pattern) is not None for text in texts]


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused_in_words(text):
    try:
        rows_of(text)
    except CurationError as error:
        assert error.message


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_any_text_can_be_compared_with(text):
    pool = from_pairs([(text + "!", "b"), (text, "b")], key=[text + "!", text])
    quoted = "'" + text.replace("'", "''") + "'"
    both = f"prompt = {quoted} AND record.key = {quoted} AND field('key') IN ({quoted})"
    assert filter_rows(pool, both, {}, {})[0].tolist() == [False, True]


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1,
                               max_size=6), st.integers(0, 9), min_size=1, max_size=3))  # fmt: skip
def test_a_field_of_any_name_is_reached(record):
    pool = in_memory([Row(POOL.messages(0), json.dumps(record), "s", 0, "alpaca")])
    parts = ["field('" + name.replace("'", "''") + f"') = {value}" for name, value in record.items()]
    assert filter_rows(pool, " AND ".join(parts), {}, {})[0].tolist() == [True]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_batches_do_not_change_the_answer(size, monkeypatch):
    rows = np.array([0, 2, 3, 5, 6, 9])
    whole = filter_rows(POOL, "q > 4 OR lab = 'u' OR response LIKE '%r a%'", {"q": QUALITY}, {"lab": TOPIC}, rows=rows)
    monkeypatch.setattr(_filter_run, "BATCH_ROWS", size)
    parts = filter_rows(POOL, "q > 4 OR lab = 'u' OR response LIKE '%r a%'", {"q": QUALITY}, {"lab": TOPIC}, rows=rows)
    np.testing.assert_array_equal(whole, parts)
    assert not whole[0][[1, 4, 7, 8]].any()


def test_part_of_a_dataset_is_filtered_as_a_dataset():
    part = POOL.take(np.array([7, 2, 5]))
    assert filter_rows(part, "prompt LIKE '%5%' OR row = 0", {}, {})[0].tolist() == [True, False, True]


def test_the_time_limit_is_kept():
    with pytest.raises(CurationError, match="took more than"):
        rows_of("prompt LIKE '%5%'", time_limit=-1)


def run(expression, ask=None, **ports):
    ask = ask or Ask(np.arange(10))
    return Filter(expression=expression).select(POOL, ask, Runtime(), **ports)


def test_the_selection_says_why():
    made = run("q > 4", Ask(np.array([0, 3, 5, 6])), scores={"q": QUALITY})
    assert made.order.tolist() == [5, 6]
    assert made.why(0) == "out: the filter does not hold"
    assert made.why(3) == f"out: {NO_VALUE}"
    assert made.why(9) == "out: not eligible"
    assert made.info == {"no value": 1}


def test_parameters_are_checked_before_scores_are_known():
    Filter(expression="unknown > 3 AND also.unknown = 'x'")
    for wrong in ("unknown > ", "sum(unknown) > 3", "unknown; x"):
        with pytest.raises(ValidationError, match="expression"):
            Filter(expression=wrong)


def test_only_what_is_named_is_read():
    assert read_filter("q > 3 AND record.a = 1", {**BUILTIN, "q": "number"}).columns == ("q", "record")


def test_no_file_is_made_beside_the_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows_of("q > 3")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "made", ["TRY_CAST(prompt AS DOUBLE)", "prompt::FLOAT", "field('v')::DOUBLE", "coalesce(record.v, 'nan')::REAL"]
)  # fmt: skip
def test_words_of_a_text_that_mean_no_number_or_no_end_are_no_value(made):
    words = ["nan", "inf", "-inf", "5", "NaN", "Infinity", "x"]
    pool = from_pairs([(word, "a") for word in words], v=words)
    holds, absent = filter_rows(pool, f"{made} > 3", {}, {})
    assert np.flatnonzero(holds).tolist() == [3]
    assert np.flatnonzero(absent).tolist() == [0, 1, 2, 4, 5, 6]
    assert not filter_rows(pool, f"{made} < 3", {}, {})[0].any()


@pytest.mark.parametrize(
    ("expression", "kept", "absent"),
    [
        ("{0} > 3", [], [0, 1]), ("NOT ({0} < 3)", [], [0, 1]), ("-({0}) > 3", [], [0, 1]),
        ("{0} BETWEEN 3 AND 1e300", [], [0, 1]), ("abs({0}) + 1 > 3", [], [0, 1]), ("{0} IS NULL", [0, 1], []),
        ("greatest({0}, 3) > 3", [], []), ("if({0} > 3, 1, 0) = 1", [], []), ("q NOT IN ({0})", [], [0, 1, 2]),
        ("({0})::VARCHAR = 'nan'", [], [0, 1]), ("coalesce({0}, 9) > 3", [0, 1, 2], []), ("q * 1e300 > 3", [0, 2], [1]),
    ],
)  # fmt: skip
def test_infinity_less_infinity_is_no_value_and_not_the_greatest(expression, kept, absent):
    pool = from_pairs([(letter, "a") for letter in "abc"])
    score = Score(pool.fingerprint, np.array([1e308, np.nan, 4.0]), Missing.where(np.arange(3) == 1, "x"), "q", True)
    made = expression.format("q * 1e300 - q * 1e300")
    holds, gone = filter_rows(pool, made, {"q": score}, {})
    if expression.startswith(("q NOT IN", "coalesce")):  # row 2 is 4e300 − 4e300 = 0, an ordinary number
        kept, absent = ([2], [0, 1]) if "NOT IN" in expression else ([0, 1], [])
    assert (np.flatnonzero(holds).tolist(), np.flatnonzero(gone).tolist()) == (kept, absent)


@pytest.mark.parametrize("levels", [8, 30, 48])
def test_cases_within_cases_do_not_fill_the_memory(levels):
    made = "q"
    for _ in range(levels):
        made = f"CASE {made} WHEN 1 THEN 1 WHEN 2 THEN 1 END"
    made = made[: MAX_LETTERS - 4] + " > 1"
    with pytest.raises(CurationError, match="too many CASEs|too large"):
        rows_of(made)
    hidden = made.replace("CASE ", "CASE/**/\u00a0")[:MAX_LETTERS]
    with pytest.raises(CurationError):
        rows_of(hidden)
    some = " AND ".join(f"CASE lab WHEN 'u' THEN {i} WHEN 'v' THEN 9 END > {i - 1}" for i in range(4))
    assert rows_of(some)[0] == [0, 1, 3, 4, 5, 6, 7, 8, 9]


def test_what_the_parser_cannot_hold_is_told_in_words(monkeypatch):
    import duckdb

    from curation.selectors import _filter_parse

    def full(expression):
        raise duckdb.OutOfMemoryException("failed to allocate")

    monkeypatch.setattr(_filter_parse, "_parsed", full)
    with pytest.raises(CurationError, match="too large"):
        read_filter("q > 3", {"q": "number"})


def test_a_like_of_many_any_letters_is_refused_and_of_some_runs_in_small_batches():
    with pytest.raises(CurationError, match="pattern is too long"):
        rows_of(f"prompt ILIKE '%a{'_' * 1800}q%'")
    some = read_filter("prompt LIKE '%a_b%'", {"prompt": "text"})
    assert 0 < some.states < read_filter("prompt LIKE '%a__b%'", {"prompt": "text"}).states
    assert read_filter("prompt LIKE '%ab%'", {"prompt": "text"}).states == 0
    assert rows_of(f"response LIKE '{'_' * 14}%'")[0] == list(range(2, 10))
