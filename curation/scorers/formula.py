"""Formula: a new score from named scores, by one safe expression.

The expression is parsed, never executed: its syntax tree may hold numbers, names of scores, + − * / **, comparisons
and the functions of `FUNCTIONS`, and is walked over float64 arrays. Nothing in it can reach Python, and it cannot run
long: its length is limited, every operation costs O(n) or O(n log n), and `9**9**9` is infinity, which is missing.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Scorer, Size
from curation.core.runtime import Runtime
from curation.scorers._expression import MAX_CHARS, Signature, dotted, names, parse, refuse

Array = np.ndarray


@dataclass(frozen=True)
class Column:
    """Values on the way through an expression.

    Args:
        values: float64 `[n]`; what stands at missing rows does not matter.
        why: int16 `[n]`: 0 = present, else the number of the reason.
    """

    values: Array
    why: Array

    @property
    def present(self) -> Array:
        """Boolean `[n]`."""
        return self.why == 0


OPERATORS: dict[type[ast.AST], tuple[Callable[..., Array], str]] = {
    ast.Add: (operator.add, "overflow"),
    ast.Sub: (operator.sub, "overflow"),
    ast.Mult: (operator.mul, "overflow"),
    ast.Div: (operator.truediv, "division by zero"),
    ast.Pow: (operator.pow, "a power that is no finite real number"),
    ast.USub: (operator.neg, "overflow"),
    ast.UAdd: (operator.pos, "overflow"),
    ast.Lt: (operator.lt, ""),
    ast.LtE: (operator.le, ""),
    ast.Gt: (operator.gt, ""),
    ast.GtE: (operator.ge, ""),
    ast.Eq: (operator.eq, ""),
    ast.NotEq: (operator.ne, ""),
}


# ---------------------------------------------------------------------- functions of whole columns


def ranks(values: Array) -> Array:
    """Mean ranks scaled to (0, 1): (rank − ½) / n, equal values sharing the mean of their ranks.

    Args:
        values: float64 `[n]`, finite.

    Returns:
        float64 `[n]` with mean ½, whatever the scale of the values.
    """
    distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    upto = np.cumsum(counts)
    middle = upto - counts / 2  # mean of (rank − ½) over equal values
    return middle[place] / max(len(values), 1) if len(distinct) else values


def zscores(values: Array) -> Array:
    """Values less their mean, in standard deviations (of the population).

    Args:
        values: float64 `[n]`, finite.

    Returns:
        float64 `[n]`; NaN when all values are equal.
    """
    if not len(values) or np.ptp(values) == 0:
        return np.full(len(values), np.nan)
    return (values - values.mean()) / values.std()


def residuals(values: Array, on: Array) -> Array:
    """What is left of the values after a least-squares line on other columns is taken away.

    Args:
        values: float64 `[n]`, finite.
        on: float64 `[n, c]`, finite. A column without spread, or one that the others determine, explains nothing more.

    Returns:
        float64 `[n]` with mean 0, uncorrelated with every column of `on`.
    """
    if not len(values):
        return values
    centred = on - on.mean(axis=0)
    spread = np.abs(centred).max(axis=0)
    centred = centred[:, spread > 0] / spread[spread > 0]
    target = values - values.mean()
    return target - centred @ np.linalg.lstsq(centred, target, rcond=None)[0] if centred.shape[1] else target


# ---------------------------------------------------------------------- evaluation


class _Walk:
    """One evaluation: the reasons met so far, and how each kind of node is computed."""

    def __init__(self, columns: Mapping[str, Score], n: int) -> None:
        self.n = n
        self.reasons: list[str] = []
        self.columns = columns

    def number(self, reason: str) -> int:
        """The code of a reason, new or known."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason) + 1

    def value(self, node: ast.expr) -> Column:
        """The value of one node of a checked tree."""
        match node:
            case ast.Constant(value=number):
                return Column(np.full(self.n, float(number)), np.zeros(self.n, np.int16))  # type: ignore[arg-type]
            case ast.Name() | ast.Attribute():
                return self.column(dotted(node))
            case ast.UnaryOp(op=op, operand=operand):
                return self.apply(*OPERATORS[type(op)], self.value(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return self.apply(*OPERATORS[type(op)], self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.apply(*OPERATORS[type(op)], self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id=name), args=args):
                return FUNCTIONS[name][1](self, [self.value(arg) for arg in args])
        raise AssertionError(f"{type(node).__name__} passed the check")

    def column(self, name: str) -> Column:
        """A named score, or a column of it."""
        score, _, inner = name.partition(".")
        found = self.columns[score]
        values = np.asarray(found.columns[inner] if inner else found.values, np.float64)
        absent = ~np.isfinite(values) if inner else ~np.isfinite(values) | found.missing.mask
        why = np.zeros(self.n, np.int16)
        if absent.any():
            why[absent] = self.number(f"{name}: no value")
            for code, reason in enumerate(found.missing.reasons, 1):
                why[absent & (found.missing.codes == code)] = self.number(f"{score}: {reason}")
        return Column(values, why)

    def apply(self, function: Callable[..., Array], trouble: str, *parts: Column) -> Column:
        """A function of each row by itself; a result that is not finite is missing because of `trouble`."""
        why = _first_reason(*(part.why for part in parts))
        with np.errstate(all="ignore"):
            values = np.asarray(function(*(part.values for part in parts)), np.float64)
        return self.checked(values, why, trouble)

    def together(self, function: Callable[..., Array], trouble: str, *parts: Column) -> Column:
        """A function of all rows that have every part."""
        why = _first_reason(*(part.why for part in parts))
        rows = why == 0
        values = np.zeros(self.n)
        with np.errstate(all="ignore"):
            values[rows] = function(*(part.values[rows] for part in parts))
        return self.checked(values, why, trouble)

    def checked(self, values: Array, why: Array, trouble: str) -> Column:
        """Marks the present rows whose value is not finite."""
        broken = (why == 0) & ~np.isfinite(values)
        if broken.any():
            why = np.where(broken, self.number(trouble), why).astype(np.int16)
        return Column(values, why)

    def where(self, test: Column, yes: Column, no: Column) -> Column:
        """`yes` where the test holds, else `no`; only the branch taken can be missing."""
        holds = test.values != 0
        why = _first_reason(test.why, np.where(holds, yes.why, no.why))
        return Column(np.where(holds, yes.values, no.values), why)


def _first_reason(*whys: Array) -> Array:
    joined = whys[0]
    for why in whys[1:]:
        joined = np.where(joined > 0, joined, why)
    return joined


def _rowwise(function: Callable[..., Array], trouble: str = "overflow") -> Callable[[_Walk, list[Column]], Column]:
    return lambda walk, parts: walk.apply(function, trouble, *parts)


def _whole(function: Callable[..., Array], trouble: str) -> Callable[[_Walk, list[Column]], Column]:
    return lambda walk, parts: walk.together(function, trouble, *parts)


MANY = 20

FUNCTIONS: dict[str, tuple[Signature, Callable[[_Walk, list[Column]], Column]]] = {
    "rank": (Signature("rank(x)"), _whole(ranks, "no rank")),
    "zscore": (Signature("zscore(x)"), _whole(zscores, "zscore: all values are equal")),
    "residual": (
        Signature("residual(x, on, …)", 2, MANY),
        _whole(lambda values, *on: residuals(values, np.stack(on, axis=1)), "overflow"),
    ),
    "log": (Signature("log(x)"), _rowwise(np.log, "log of a number that is not positive")),
    "exp": (Signature("exp(x)"), _rowwise(np.exp)),
    "sqrt": (Signature("sqrt(x)"), _rowwise(np.sqrt, "square root of a negative number")),
    "abs": (Signature("abs(x)"), _rowwise(np.abs)),
    "min": (Signature("min(x, y, …)", 2, MANY), _rowwise(lambda *parts: np.minimum.reduce(parts))),
    "max": (Signature("max(x, y, …)", 2, MANY), _rowwise(lambda *parts: np.maximum.reduce(parts))),
    "clip": (
        Signature("clip(x, low, high)", 3, 3),
        _rowwise(lambda x, low, high: np.minimum(np.maximum(x, low), high)),
    ),
    "where": (Signature("where(test, yes, no)", 3, 3), lambda walk, parts: walk.where(*parts)),
}
"""rank, zscore and residual look at all rows that have a value; the others at each row by itself."""

SIGNATURES = {name: signature for name, (signature, _) in FUNCTIONS.items()}


def evaluate(expression: str, columns: Mapping[str, Score]) -> tuple[Array, Missing]:
    """Compute an expression over named scores.

    Cost: O(n) for each operation, O(n log n) for rank.

    Args:
        expression: For example `0.7 * zscore(reward) + 0.3 * zscore(residual(mtld, length))`.
        columns: Scores of one Dataset by the names the expression uses; `name.column` means a column of one.

    Returns:
        float64 `[n]`, NaN where missing; and why, in terms of the score or the operation where the gap began.

    Raises:
        CurationError: for a formula that is not understood, that names an unknown score or column, or that names none.
    """
    tree = parse(expression, SIGNATURES)
    used = names(tree)
    if not used:
        raise CurationError("the formula names no score", f"scores: {', '.join(columns) or 'none'}")
    for name, node in used.items():
        score, _, inner = name.partition(".")
        if score not in columns:
            refuse(expression, node, f"there is no score '{score}'", f"scores: {', '.join(columns) or 'none'}")
        known = [k for k, v in columns[score].columns.items() if v.ndim == 1 and v.dtype.kind in "fiub"]
        if inner and inner not in known:
            hint = f"columns of {score}: {', '.join(known) or 'none'}"
            refuse(expression, node, f"'{score}' has no column '{inner}'", hint)
    walk = _Walk(columns, len(next(iter(columns.values()))))
    result = walk.value(tree)
    values = np.where(result.present, result.values, np.nan)
    return values, _compact(result.why, walk.reasons)


def _compact(why: Array, reasons: list[str]) -> Missing:
    """Missing without the reasons that no row has in the end."""
    kept = [code for code in range(1, len(reasons) + 1) if (why == code).any()]
    table = np.zeros(len(reasons) + 1, np.int16)
    table[kept] = np.arange(1, len(kept) + 1)
    return Missing(table[why], tuple(reasons[code - 1] for code in kept))


class Formula(Scorer):
    """A new score from others: products, weighted sums, rank means, z-scores, what length does not explain.

    Examples: `reward * mtld`, `0.7 * zscore(reward) + 0.3 * zscore(mtld)`, `(rank(a) + rank(b)) / 2`,
    `residual(reward, length)`, `where(length.response_words < 3, 0, reward)`. `name.column` is a column of a score.
    A row that lacks a value the formula needs is missing, for the reason it had there.
    """

    title: ClassVar[str] = "Formula"
    weakness: ClassVar[str] = "Weights are yours: nothing says that they are right, and ranks change with the pool."
    source: ClassVar[str] = "The user's own"

    expression: str = Field(
        min_length=1,
        max_length=MAX_CHARS,
        description="for example rank(reward) + rank(mtld)",
        examples=["rank(a) + rank(b)"],
    )
    higher_is_better: bool | None = Field(True, description="which end of the result is better; none = neither")

    @field_validator("expression")
    @classmethod
    def _understood(cls, value: str) -> str:
        parse(value, SIGNATURES)
        return value

    def score(self, pool: Dataset, runtime: Runtime, *, columns: dict[str, Score]) -> Score:
        """Compute the expression for every row."""
        values, missing = evaluate(self.expression, columns)
        return Score(pool.fingerprint, values, missing, self.expression, higher_is_better=self.higher_is_better)

    def work(self, size: Size) -> float:
        """Rows, once for every operation."""
        return float(size.rows * (1 + sum(1 for _ in ast.walk(parse(self.expression, SIGNATURES)))))

    def memory(self, size: Size) -> float:
        """A few columns for every level of nesting."""
        return 64e6 + 80.0 * size.rows
