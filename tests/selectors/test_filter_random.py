"""Random filter expressions mean what a plain Python evaluator with SQL's three truth values says."""

import math
from operator import eq, ge, gt, lt, ne

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.artifacts import Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.selectors._filter_run import filter_rows

N = 12
KINDS = ["a", "b", None, "7", "Ü x"]
PROMPTS = [f"Q {i} aB" for i in range(N)]
POOL = from_pairs([(p, "x" * (i * 7 % 5)) for i, p in enumerate(PROMPTS)], kind=[KINDS[i % 5] for i in range(N)])
VALUES = [-2.5, 0.0, 1.0, None, 4.0, 1e308, -1e308, 7.0, 0.5, 3.0, 3.0, None]
NUMBERS = np.array([np.nan if v is None else v for v in VALUES])
Q = Score(POOL.fingerprint, NUMBERS, Missing.where(np.isnan(NUMBERS), "x"), "q", True)
LABELS = ["u", "v", None] * 4
LAB = Labels.from_values(POOL.fingerprint, LABELS)
COMPARE = {"=": eq, "<>": ne, "<": lt, ">=": ge, ">": gt}


# A part is (SQL, function of a row → value, None for NULL). A sum may be NaN until it is compared.


def known(value):
    return None if isinstance(value, float) and math.isnan(value) else value


def strict(make, *parts):
    """A function of values, NULL where one of them is."""

    def value(row):
        given = [part(row) for part in parts]
        return None if any(v is None for v in given) else make(*given)

    return value


def of_two(sign, make):
    return lambda t: (f"({t[0][0]} {sign} {t[1][0]})", strict(make, t[0][1], t[1][1]))


def either(t):
    (a, first), (b, second) = t
    return f"coalesce({a}, {b})", lambda r: known(second(r)) if known(first(r)) is None else known(first(r))


def sums(inner):
    two = st.tuples(inner, inner)
    return st.one_of(
        two.map(of_two("+", lambda a, b: a + b)), two.map(of_two("-", lambda a, b: a - b)),
        two.map(of_two("*", lambda a, b: a * b)), two.map(of_two("/", lambda a, b: a / b if b else None)),
        two.map(either), inner.map(lambda t: (f"abs({t[0]})", strict(abs, t[1]))),
    )  # fmt: skip


columns = st.sampled_from([
    ("q", lambda r: VALUES[r]), ("row", float), ("response_letters", lambda r: float(r * 7 % 5)),
    ("length(prompt)", lambda r: float(len(PROMPTS[r]))),
])  # fmt: skip
constants = st.sampled_from([-3, 0, 1, 2.5, 7, 1e200]).map(lambda c: (f"({c})", lambda r: float(c)))
numbers = st.recursive(columns | constants, sums, max_leaves=4)
texts = st.sampled_from([
    ("lab", lambda r: LABELS[r]), ("field('kind')", lambda r: KINDS[r % 5]), ("prompt", lambda r: PROMPTS[r]),
    ("lower(prompt)", lambda r: PROMPTS[r].lower()),
]) | st.sampled_from(["u", "v", "7", "Ü x", ""]).map(lambda c: (f"'{c}'", lambda r: c))  # fmt: skip


def compared(t):
    sign, (a, left), (b, right) = t
    return f"({a} {sign} {b})", strict(COMPARE[sign], lambda r: known(left(r)), lambda r: known(right(r)))


def among(t):
    (sql, part), values, negated = t
    there = [v for v in values if v is not None]

    def holds(row):
        value = known(part(row))
        if value is None or (value not in there and None in values):
            return None
        return (value in there) != negated

    listed = ", ".join("NULL" if v is None else str(v) for v in values)
    return f"({sql} {'NOT ' * negated}IN ({listed}))", holds


def joined(word, decides):
    def make(t):
        (a, left), (b, right) = t

        def holds(row):
            both = (left(row), right(row))
            return decides if decides in both else None if None in both else not decides

        return f"({a} {word} {b})", holds

    return make


def case(t):
    (a, test), (b, yes), (c, no) = t
    return f"(CASE WHEN {a} THEN {b} ELSE {c} END)", lambda r: yes(r) if test(r) else no(r)


def logic(inner):
    two = st.tuples(inner, inner)
    return st.one_of(
        two.map(joined("AND", False)), two.map(joined("OR", True)), st.tuples(inner, inner, inner).map(case),
        inner.map(lambda t: (f"(NOT {t[0]})", strict(lambda v: not v, t[1]))),
    )  # fmt: skip


signs = st.sampled_from(list(COMPARE))
some = st.lists(st.none() | st.sampled_from([0, 1, 3, 7]), min_size=1, max_size=3)
leaves = st.one_of(
    st.tuples(signs, numbers, numbers).map(compared), st.tuples(signs, texts, texts).map(compared),
    st.tuples(numbers, some, st.booleans()).map(among),
    numbers.map(lambda t: (f"({t[0]} IS NULL)", lambda r: known(t[1](r)) is None)),
    texts.map(lambda t: (f"({t[0]} IS NOT NULL)", lambda r: t[1](r) is not None)),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.recursive(leaves, logic, max_leaves=4))
def test_any_expression_is_as_in_python(made):
    sql, holds = made
    try:
        kept, absent = filter_rows(POOL, sql, {"q": Q}, {"lab": LAB})
    except CurationError as error:
        assert "nested too deeply" in error.message
        return
    expected = [holds(row) for row in range(N)]
    assert kept.tolist() == [value is True for value in expected], sql
    assert absent.tolist() == [value is None for value in expected], sql
