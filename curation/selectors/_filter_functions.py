"""The functions that a filter may call, and how each is written for DuckDB.

None reads a file, looks at other rows, or makes a text that is much longer than what it is given: `repeat`, `replace`,
`concat` and the like are not here, since calls within each other would fill the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "text", "truth", "field", "null"]
"""What a part is; a field of the record becomes what it is compared with."""


@dataclass(frozen=True)
class Function:
    """One function that may be called.

    Args:
        takes: Kind of each argument; the last may be missing `optional` times.
        gives: Kind of the result.
        sql: How it is written; {0}, {1} are the arguments.
        optional: How many arguments may be left out, from the end.
    """

    takes: tuple[Kind, ...]
    gives: Kind
    sql: str
    optional: int = 0


def _plain(name: str, gives: Kind, *takes: Kind) -> Function:
    return Function(takes, gives, f"{name}({', '.join(f'{{{i}}}' for i in range(len(takes)))})")


def _tried(name: str, *takes: Kind) -> Function:
    return Function(takes, "number", f"TRY({name}({', '.join(f'{{{i}}}' for i in range(len(takes)))}))")


LENGTH = Function(("text",), "number", "CAST(length({0}) AS DOUBLE)")
STARTS, ENDS = _plain("starts_with", "truth", "text", "text"), _plain("ends_with", "truth", "text", "text")
PLACE = Function(("text", "text"), "number", "CAST(instr({0}, {1}) AS DOUBLE)")
CUT = Function(("text", "number", "number"), "text", "", optional=1)
POWER = Function(("number", "number"), "number", "nullif(TRY(pow({0}, {1})), CAST('nan' AS DOUBLE))")

FUNCTIONS: dict[str, Function] = {
    "lower": _plain("lower", "text", "text"),
    "upper": _plain("upper", "text", "text"),
    "trim": _plain("trim", "text", "text"),
    "ltrim": _plain("ltrim", "text", "text"),
    "rtrim": _plain("rtrim", "text", "text"),
    "length": LENGTH,
    "len": LENGTH,
    "contains": _plain("contains", "truth", "text", "text"),
    "starts_with": STARTS,
    "prefix": STARTS,
    "ends_with": ENDS,
    "suffix": ENDS,
    "position": PLACE,
    "instr": PLACE,
    "strpos": PLACE,
    "substring": CUT,
    "substr": CUT,
    "left": Function(("text", "number"), "text", "left({0}, TRY_CAST({1} AS INTEGER))"),
    "right": Function(("text", "number"), "text", "right({0}, TRY_CAST({1} AS INTEGER))"),
    "abs": _plain("abs", "number", "number"),
    "floor": _plain("floor", "number", "number"),
    "ceil": _plain("ceil", "number", "number"),
    "round": Function(("number", "number"), "number", "", optional=1),
    "sqrt": _tried("sqrt", "number"),
    "ln": _tried("ln", "number"),
    "log": _tried("log10", "number"),
    "log10": _tried("log10", "number"),
    "log2": _tried("log2", "number"),
    "exp": _tried("exp", "number"),
    "pow": POWER,
    "power": POWER,
    "^": POWER,
    "**": POWER,
    "+": Function(("number", "number"), "number", "({0} + {1})"),
    "-": Function(("number", "number"), "number", "({0} - {1})"),
    "*": Function(("number", "number"), "number", "({0} * {1})"),
    "/": Function(("number", "number"), "number", "TRY({0} / {1})"),
    "//": Function(("number", "number"), "number", "TRY(floor({0} / {1}))"),
    "%": Function(("number", "number"), "number", "TRY({0} % {1})"),
    "mod": Function(("number", "number"), "number", "TRY({0} % {1})"),
}
"""By name; besides these `regexp_matches`, `regexp_full_match`, `field`, `if`, `ifnull`, `nullif`, `greatest`, `least`
are known."""
