import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from curation.core.artifacts import Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.scorers.formula import Formula, evaluate, ranks, residuals, zscores

RNG = np.random.default_rng(0)
N = 50


def score_of(values, reason="not measured", **columns):
    values = np.asarray(values, float)
    columns = {k: np.asarray(v) for k, v in columns.items()}
    return Score("x", values, Missing.where(np.isnan(values), reason), "s", columns=columns)


A = RNG.normal(size=N)
B = RNG.uniform(1, 9, size=N)
SCORES = {"a": score_of(A), "b": score_of(B, words=B * 10)}


def value(expression, **scores):
    return evaluate(expression, {k: score_of(v) for k, v in scores.items()} or SCORES)[0]


# ---------------------------------------------------------------------- meaning


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", A + B),
        ("a - b * 2", A - B * 2),
        ("-a / b", -A / B),
        ("b ** 2 ** 0.5", B ** (2**0.5)),
        ("(a > 0) * b", (A > 0) * B),
        ("a <= b", (A <= B) * 1.0),
        ("(a != a) + (b == b)", np.ones(N)),
        ("log(b) + exp(a) - sqrt(b)", np.log(B) + np.exp(A) - np.sqrt(B)),
        ("abs(a)", np.abs(A)),
        ("min(a, b, 2)", np.minimum(np.minimum(A, B), 2)),
        ("max(a, b)", np.maximum(A, B)),
        ("clip(a, -1, 1)", np.clip(A, -1, 1)),
        ("where(a > 0, a, b)", np.where(A > 0, A, B)),
        ("b.words / 10", B),
        ("a\n  + b", A + B),
        ("rank(a)", (stats.rankdata(A) - 0.5) / N),
        ("zscore(b)", stats.zscore(B)),
        ("0.7 * zscore(a) + 0.3 * zscore(b)", 0.7 * stats.zscore(A) + 0.3 * stats.zscore(B)),
    ],
)
def test_means_what_numpy_means(expression, expected):
    found, missing = evaluate(expression, SCORES)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not missing.mask.any()


def test_ranks_share_ties_and_centre_on_one_half():
    values = np.array([3.0, 1, 3, 2, 3])
    np.testing.assert_allclose(ranks(values), (stats.rankdata(values) - 0.5) / 5)
    assert ranks(np.ones(4)).tolist() == [0.5] * 4
    assert ranks(np.array([7.0])).tolist() == [0.5]


def test_residual_is_least_squares():
    slope, intercept = np.polyfit(B, A, 1)
    np.testing.assert_allclose(value("residual(a, b)"), A - slope * B - intercept, atol=1e-10)
    two = residuals(A, np.stack([B, B**2], 1))
    assert abs(np.corrcoef(two, B)[0, 1]) < 1e-9
    assert abs(np.corrcoef(two, B**2)[0, 1]) < 1e-9
    np.testing.assert_allclose(residuals(A, np.full((N, 1), 5.0)), A - A.mean())  # nothing to explain with
    np.testing.assert_allclose(residuals(A, np.stack([B, B, 1e9 * B], 1)), A - slope * B - intercept, atol=1e-9)


def test_residual_on_length_takes_length_away():
    length = RNG.uniform(1, 500, 400)
    quality = RNG.normal(size=400)
    found = value("residual(reward, length)", reward=quality + 0.05 * length, length=length)
    assert np.corrcoef(found, quality)[0, 1] > 0.99


def test_scale_of_the_input_does_not_move_ranks_and_zscores():
    np.testing.assert_allclose(value("rank(a)", a=A * 1e6 + 5), value("rank(a)", a=A))
    np.testing.assert_allclose(value("zscore(a)", a=A * 1e-8), value("zscore(a)", a=A))


# ---------------------------------------------------------------------- missing


def test_missing_keeps_the_reason_of_its_origin():
    scores = {
        "a": score_of([1, np.nan, 3, 4], "judge gave no verdict"),
        "b": score_of([1, 2, np.nan, 0], "no words"),
    }
    found, missing = evaluate("a / b", scores)
    assert found[0] == 1
    assert np.isnan(found[1:]).all()
    assert [missing.reason(i) for i in range(4)] == [
        None,
        "a: judge gave no verdict",
        "b: no words",
        "division by zero",
    ]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("log(x)", "log of a number that is not positive"),
        ("sqrt(x)", "square root of a negative number"),
        ("x ** 0.5", "a power that is no finite real number"),
        ("exp(-x * 1000)", "overflow"),
        ("x * 0 + 9**9**9", "a power that is no finite real number"),
        ("1e308 * 10 * x", "overflow"),
    ],
)
def test_what_cannot_be_computed_is_missing_and_said(expression, reason):
    found, missing = evaluate(expression, {"x": score_of([-1.0])})
    assert np.isnan(found[0])
    assert missing.reason(0) == reason


def test_ranks_look_at_present_rows_only():
    found = value("rank(a)", a=[5, np.nan, 1, 3])
    np.testing.assert_allclose(found[[0, 2, 3]], [2.5 / 3, 0.5 / 3, 1.5 / 3])


def test_where_needs_only_the_branch_taken():
    found = value("where(a > 0, a, b)", a=[1, -1, np.nan], b=[np.nan, 2, 3])
    np.testing.assert_array_equal(found, [1, 2, np.nan])


def test_a_column_may_be_there_where_its_score_is_not():
    scores = {"r": score_of([np.nan, 1], "not defined for Han", words=[4.0, np.nan])}
    found, missing = evaluate("r.words", scores)
    np.testing.assert_array_equal(found, [4, np.nan])
    assert missing.reason(1) == "r.words: no value"


def test_zscore_of_equal_values_is_missing():
    found, missing = evaluate("zscore(a)", {"a": score_of([2, 2, 2])})
    assert np.isnan(found).all()
    assert missing.counts() == {"zscore: all values are equal": 3}


def test_all_rows_missing_is_no_crash():
    for expression in ("rank(a)", "zscore(a)", "residual(a, a)", "a + 1"):
        assert np.isnan(value(expression, a=[np.nan, np.nan])).all()


# ---------------------------------------------------------------------- hostile and mistaken input


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "a.__class__",
        "a.__class__.__mro__",
        "().__class__",
        "(lambda: a)()",
        "[x for x in a]",
        "a[0]",
        "f'{a}'",
        "'text'",
        "b'bytes'",
        "{a}",
        "{a: a}",
        "a := 1",
        "a if a else a",
        "a and a",
        "not a",
        "a in a",
        "a is a",
        "a < a < a",
        "a @ a",
        "a // a",
        "a % a",
        "a << a",
        "a | a",
        "~a",
        "True",
        "None",
        "...",
        "1j * a",
        "rank",
        "rank(a, a)",
        "rank(x=a)",
        "rank(*a)",
        "min(a)",
        "where(a, a)",
        "rank(rank)",
        "eval(a)",
        "print(a)",
        "await a",
        "(yield a)",
        "a; a",
        "import os",
        "a = 1",
        "a # b",
        "a) + (",
        "a +",
        "(a",
        "",
        "   ",
        "1e999 * a",
        "9" * 1000 + " * a",
        "\0a",
        "a" + " + a" * 400,
        "-" * 1500 + "a",
        "(" * 300 + "a" + ")" * 300,
        "abs(" * 100 + "a" + ")" * 100,
        "a" * 3000,
        "unknown + 1",
        "a.unknown",
        "9 ** 9 ** 9",
        "1 + 1",
    ],
)
def test_everything_else_is_refused_at_once(expression):
    start = time.perf_counter()
    with pytest.raises(CurationError) as caught:
        evaluate(expression, SCORES)
    assert time.perf_counter() - start < 1
    assert caught.value.message


def test_powers_of_powers_cannot_hang():
    start = time.perf_counter()
    found = value("a * 9**9**9**9**9**9")
    assert time.perf_counter() - start < 1
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("expression", "place", "says"),
    [
        ("a + foo(b)", "character 5 ('foo(b)')", "no function 'foo'"),
        ("a + bb", "character 5 ('bb')", "no score 'bb'"),
        ("b.wordz", "character 1", "'b' has no column 'wordz'"),
        ("a +\n  (b", "", "never closed"),
        ("a + 'é' + foo", "character 5", "'é' is not a number"),
        ("é + foo(a)", "character 5 ('foo(a)')", "no function 'foo'"),
        ("a + b[0]", "character 5 ('b[0]')", "square brackets"),
        ("a +", "at the end", "invalid syntax"),
    ],
)
def test_errors_name_the_place(expression, place, says):
    with pytest.raises(CurationError) as caught:
        evaluate(expression, SCORES)
    assert place in caught.value.message
    assert says in caught.value.message
    assert caught.value.hint


@settings(max_examples=300, deadline=None)
@given(st.text("ab09.+-*/(),<>=! \n_xrank'[]{}:", max_size=40))
def test_any_text_is_a_value_or_a_curation_error(text):
    try:
        values, missing = evaluate(text, SCORES)
    except CurationError:
        return
    assert values.shape == (N,)
    assert (np.isnan(values) == missing.mask).all()
    assert not np.isinf(values).any()


# ---------------------------------------------------------------------- the method


def test_the_method_checks_its_expression_when_it_is_made():
    with pytest.raises(CurationError, match="no function 'open'"):
        Formula(expression="open(a)")


def test_the_method_scores_a_pool():
    pool = from_pairs([("q", "a"), ("q", "b")])
    columns = {"x": score_of([1, 2]), "y": score_of([3, np.nan])}
    score = Formula(expression="x * y", higher_is_better=False).score(pool, Runtime(), columns=columns)
    assert score.values[0] == 3
    assert score.missing.reason(1) == "y: not measured"
    assert score.dataset == pool.fingerprint
    assert score.higher_is_better is False
    assert score.name == "x * y"


def test_parameters_survive_json():
    made = Formula(expression="rank(a)\n + b")
    assert Formula.model_validate_json(made.model_dump_json()) == made


def test_zscores_of_nothing():
    assert zscores(np.empty(0)).shape == (0,)
