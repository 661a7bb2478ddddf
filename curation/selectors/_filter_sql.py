"""One filter expression: parsed by DuckDB's own parser, checked part by part, and written anew.

What runs is never the user's text. The syntax tree that the parser gives may hold columns, constants, comparisons,
AND, OR, NOT, IN, BETWEEN, LIKE, CASE, casts and the functions of `FUNCTIONS`; anything else is refused. From it a new
text is written in which columns are c0, c1, … and constants are printed by this file. Numbers are float64 throughout.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from curation.core.errors import CurationError
from curation.selectors._filter_functions import CUT, FUNCTIONS, POWER, Kind
from curation.selectors._filter_parse import HEAD, error_at, only_expression, statement_of
from curation.selectors._patterns import MOST_STATES, checked_pattern, pattern_states

MAX_LETTERS = 2_000
MAX_PARTS = 300
MAX_DEPTH = 40
MAXPOWERS = 3  # powers, sums that are compared and casts of text are written twice: nested ones double each time
RECORD = "record"

_WORDS = {"number": "a number", "text": "text", "truth": "yes or no", "field": "a field of the record", "null": "NULL"}
_SQL_TYPE = {"number": "DOUBLE", "text": "VARCHAR", "truth": "BOOLEAN"}


@dataclass(frozen=True)
class Filter:
    """An expression that was understood.

    Args:
        sql: The same as DuckDB's SQL over the columns c0, c1, …
        columns: What these are, by the names in `known`.
        states: Size of its largest regular expression, 0 when it has none; see `pattern_states`.
    """

    sql: str
    columns: tuple[str, ...]
    states: int


@dataclass(frozen=True)
class _Part:
    sql: str
    kind: Kind
    loose: bool = False
    """A number that is none (NaN) where what it is made of overflowed, such as ∞ − ∞; for DuckDB it is the largest."""


_COMPARE = {
    "COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_LESSTHAN": "<", "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=", "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "IS DISTINCT FROM", "COMPARE_NOT_DISTINCT_FROM": "IS NOT DISTINCT FROM",
}  # fmt: skip
_TYPES: dict[str, Kind] = {
    "DOUBLE": "number", "FLOAT": "number", "REAL": "number", "INTEGER": "number", "INT": "number", "BIGINT": "number",
    "VARCHAR": "text", "TEXT": "text", "STRING": "text", "BOOLEAN": "truth", "BOOL": "truth",
}  # fmt: skip
_WHOLE = ("INTEGER", "INT", "BIGINT")
_NAN = "CAST('nan' AS DOUBLE)"
_COMPUTED = frozenset(n for n, f in FUNCTIONS.items() if f.gives == "number" and "number" in f.takes)
_LIKE = {"~~": (False, False), "!~~": (True, False), "~~*": (False, True), "!~~*": (True, True)}


def read_filter(expression: str, known: Mapping[str, Kind], *, complete: bool = True) -> Filter:
    """Parse, check and rewrite an expression.

    Args:
        expression: As the user typed it.
        known: Columns by name, a column of a score as `score.column`, with what they hold ("number" or "text").
            `record` stands for the fields of the record.
        complete: False when not all columns are known yet: an unknown one passes, and can be anything.

    Returns:
        What can be run.

    Raises:
        CurationError: naming the part that is not understood, with its place.
    """
    if len(expression) > MAX_LETTERS:
        raise CurationError(f"the filter has {len(expression):,} letters", f"at most {MAX_LETTERS:,} are read")
    if not expression.strip():
        raise CurationError("the filter is empty", "for example: response_letters > 200 AND prompt ILIKE '%river%'")
    try:
        odd = b"\0" in expression.encode()
    except UnicodeEncodeError:
        odd = True
    if odd:
        raise CurationError("the filter holds a letter that no text has", "type it again")
    return _Reader(expression, known, complete).read()


class _Reader:
    """One pass over the tree of one expression."""

    def __init__(self, expression: str, known: Mapping[str, Kind], complete: bool) -> None:
        self.expression, self.known, self.complete = expression, known, complete
        self.columns: list[str] = []
        self.parts = 0
        self.states = 0

    def read(self) -> Filter:
        inner = only_expression(statement_of(self.expression))
        if inner is None:
            raise CurationError("the filter is more than one condition", "write one condition, without ; or FROM")
        try:
            made = self.part(inner, 0, 0)
        except (KeyError, IndexError, TypeError, AttributeError):  # a tree of another DuckDB
            raise CurationError("the filter holds something that is not allowed", "use fewer parts of SQL") from None
        if made.kind not in ("truth", "field"):
            raise CurationError(
                f"the filter says {_WORDS[made.kind]}, not yes or no", "compare it with something: … > 0.5"
            )
        return Filter(_as(made, "truth"), tuple(self.columns), self.states)

    # ------------------------------------------------------------------ parts

    def part(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        """The new text of a part, and what it is."""
        self.parts += 1
        if depth > MAX_DEPTH or self.parts > MAX_PARTS or powers > MAXPOWERS:
            raise CurationError("the filter is too large or nested too deeply", "split it into several filters")
        handler = self._handlers().get(str(node["class"]))
        if handler is None:
            raise self.refused(node, _REFUSED.get(str(node["class"]), f"{str(node['class']).lower()} is not allowed"))
        return handler(node, depth + 1, powers)

    def _handlers(self) -> dict[str, Callable[[dict[str, Any], int, int], _Part]]:
        return {
            "COLUMN_REF": self.column, "CONSTANT": self.constant, "COMPARISON": self.comparison,
            "CONJUNCTION": self.conjunction, "OPERATOR": self.operator, "BETWEEN": self.between, "CASE": self.case,
            "CAST": self.cast, "FUNCTION": self.function,
        }  # fmt: skip

    def refused(self, node: dict[str, Any], message: str, hint: str = "") -> CurationError:
        """An error that shows the part."""
        place = int(node.get("query_location", -1)) - len(HEAD)
        return error_at(self.expression, place if place >= 0 else -1, message, hint)

    def wanted(self, node: dict[str, Any], kind: Kind, depth: int, powers: int) -> str:
        """A part that must be of a kind."""
        made = self.part(node, depth, powers)
        if made.kind not in (kind, "field", "null"):
            raise self.refused(node, f"{_WORDS[kind]} is needed, but this is {_WORDS[made.kind]}")
        return _as(made, kind)

    def firm(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        """A part that is NULL where it is no number."""
        made = self.part(node, depth, powers + (node["class"] == "FUNCTION" and node["function_name"] in _COMPUTED))
        return _Part(f"nullif({made.sql}, {_NAN})", "number") if made.loose else made

    def alike(self, nodes: list[dict[str, Any]], depth: int, powers: int) -> tuple[list[str], Kind]:
        """Parts that must be of one kind; fields of the record become what the others are."""
        made = [self.firm(node, depth, powers) for node in nodes]
        kinds = {m.kind for m in made} - {"field", "null"}
        if len(kinds) > 1:
            named = " with ".join(_WORDS[m.kind] for m in made[:2])
            raise self.refused(nodes[0], f"{named} cannot be compared", "cast one of them: TRY_CAST(… AS DOUBLE)")
        kind: Kind = kinds.pop() if kinds else "text"
        return [_as(m, kind) for m in made], kind

    def column(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        names = [str(name) for name in node["column_names"]]
        if names[0].lower() == RECORD and RECORD in self.known:
            if len(names) == 1:
                raise self.refused(
                    node, "name a field of the record", "record.category, or field('a name with spaces')"
                )
            return self.field(names[1:])
        name = ".".join(names)
        if name not in self.known:
            folded = [k for k in self.known if k.lower() == name.lower()]
            if len(folded) != 1:
                if not self.complete:
                    return _Part("NULL", "null")
                near = get_close_matches(name, self.known, 4, 0.5) or list(self.known)[:12]
                shown = ", ".join(k if re.fullmatch(r"\w+(\.\w+)?", k) else _quoted(k, '"') for k in near)
                raise self.refused(node, f"there is no column '{name[:60]}'", f"columns: {shown}")
            name = folded[0]
        return _Part(self.place(name), self.known[name])

    def place(self, name: str) -> str:
        if name not in self.columns:
            self.columns.append(name)
        return f"c{self.columns.index(name)}"

    def field(self, keys: list[str]) -> _Part:
        """A field of the record: under its whole name, else by keys within each other."""
        whole = ".".join(keys)
        places = [_pointer([whole])] + ([_pointer(keys)] if len(keys) > 1 else [])
        record = self.place(RECORD)
        found = [f"json_extract_string({record}, {_quoted(place)})" for place in places]
        return _Part(found[0] if len(found) == 1 else f"coalesce({', '.join(found)})", "field")

    def constant(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        kind, text = node["literal"]["kind"], node["literal"].get("text", "")
        if kind in ("INTEGER", "NUMERIC"):
            number = float(text.replace("_", ""))
            if not math.isfinite(number):
                raise self.refused(node, "the number is too large")
            return _Part(f"CAST('{number!r}' AS DOUBLE)", "number")
        if kind == "STRING":
            return _Part(_quoted(text), "text")
        if kind == "BOOLEAN":
            return _Part("TRUE" if text == "true" else "FALSE", "truth")
        if kind == "NULL_LITERAL":
            return _Part("NULL", "null")
        raise self.refused(node, "this kind of constant is not allowed")

    def comparison(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        (left, right), _ = self.alike([node["left"], node["right"]], depth, powers)
        return _Part(f"({left} {_COMPARE[node['type']]} {right})", "truth")

    def conjunction(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        word = {"CONJUNCTION_AND": " AND ", "CONJUNCTION_OR": " OR "}[node["type"]]
        return _Part(f"({word.join(self.wanted(c, 'truth', depth, powers) for c in node['children'])})", "truth")

    def operator(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        children = node["children"]
        if node["type"] == "OPERATOR_NOT":
            return _Part(f"(NOT {self.wanted(children[0], 'truth', depth, powers)})", "truth")
        if node["type"] in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
            word = "IS NULL" if node["type"] == "OPERATOR_IS_NULL" else "IS NOT NULL"
            return _Part(f"({self.firm(children[0], depth, powers).sql} {word})", "truth")
        if node["type"] in ("COMPARE_IN", "COMPARE_NOT_IN"):
            (first, *rest), _ = self.alike(children, depth, powers)
            word = "IN" if node["type"] == "COMPARE_IN" else "NOT IN"
            return _Part(f"({first} {word} ({', '.join(rest)}))", "truth")
        if node["type"] == "OPERATOR_COALESCE":
            parts, kind = self.alike(children, depth, powers)
            return _Part(f"coalesce({', '.join(parts)})", kind)
        raise self.refused(node, "this is not allowed in a filter")

    def between(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        (value, low, high), _ = self.alike([node["input"], node["lower"], node["upper"]], depth, powers)
        return _Part(f"({value} BETWEEN {low} AND {high})", "truth")

    def case(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        checks = node["case_checks"]
        tests = [self.wanted(c["when_expr"], "truth", depth, powers) for c in checks]
        parts, kind = self.alike([*(c["then_expr"] for c in checks), node["else_expr"]], depth, powers)
        whens = " ".join(f"WHEN {test} THEN {part}" for test, part in zip(tests, parts, strict=False))
        return _Part(f"(CASE {whens} ELSE {parts[-1]} END)", kind)

    def cast(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        name = str(node["type_expr"]["type_name"]).upper()
        if name not in _TYPES:
            raise self.refused(
                node, f"a cast to {name[:30]} is not allowed", "types: DOUBLE, INTEGER, VARCHAR, BOOLEAN"
            )
        leaf = node["child"]["class"] in ("COLUMN_REF", "CONSTANT")
        made = self.firm(node["child"], depth, powers if leaf or _TYPES[name] != "number" else powers + 1)
        if name in _WHOLE:
            return _Part(f"CAST(TRY_CAST({_as(made, 'number')} AS BIGINT) AS DOUBLE)", "number")
        if _TYPES[name] == "number" and made.kind in ("text", "field"):
            return _Part(_finite(made.sql), "number")
        return _Part(f"TRY_CAST({made.sql} AS {_SQL_TYPE[_TYPES[name]]})", _TYPES[name])

    # ------------------------------------------------------------------ functions

    def function(self, node: dict[str, Any], depth: int, powers: int) -> _Part:
        name = str(node["function_name"]).lower()
        path = node.get("qualified_name", {}).get("path", [name])
        arguments = [argument["expression"] for argument in node["arguments"]]
        odd = node.get("schema") or node.get("catalog") or node.get("distinct") or node.get("filter")
        odd = odd or len(path) != 1 or node.get("order_bys", {}).get("orders") or node.get("export_state")
        if odd or any(argument.get("name") for argument in node["arguments"]):
            raise self.refused(node, f"{name[:40]} cannot be called like this")
        if name in _LIKE:
            return self.like(node, arguments, *_LIKE[name], depth, powers)
        if name in ("regexp_matches", "regexp_full_match"):
            return self.regex(node, name, arguments, depth, powers)
        if name == "field":
            if len(arguments) != 1 or RECORD not in self.known:
                raise self.refused(node, "field needs one name", "field('category')")
            return self.field([self.text_of(arguments[0], "the name of a field")])
        if name in ("greatest", "least", "ifnull", "nullif") and len(arguments) >= 2:
            return self.same(name, arguments, depth, powers)
        if name == "if" and len(arguments) == 3:
            test = self.wanted(arguments[0], "truth", depth, powers)
            (yes, no), kind = self.alike(arguments[1:], depth, powers)
            return _Part(f"(CASE WHEN {test} THEN {yes} ELSE {no} END)", kind)
        if name == "-" and len(arguments) == 1:
            return _Part(f"(- {self.wanted(arguments[0], 'number', depth, powers)})", "number", loose=True)
        return self.listed(node, name, arguments, depth, powers)

    def same(self, name: str, nodes: list[dict[str, Any]], depth: int, powers: int) -> _Part:
        """Functions of several values of one kind."""
        twice = name in ("nullif", "ifnull")  # the first is written twice
        if twice and len(nodes) != 2:
            raise self.refused(nodes[0], f"{name} needs two values")
        parts, kind = self.alike(nodes, depth, powers + (name == "nullif"))
        return _Part(f"{'coalesce' if name == 'ifnull' else name}({', '.join(parts)})", kind)

    def listed(self, node: dict[str, Any], name: str, nodes: list[dict[str, Any]], depth: int, powers: int) -> _Part:
        """A function of the list."""
        found = FUNCTIONS.get(name)
        if found is None:
            near = [n for n in get_close_matches(name, FUNCTIONS, 3, 0.5) if n.isidentifier()]
            usual = ["lower", "length", "contains", "starts_with", "regexp_matches", "abs", "round", "ln", "field"]
            raise self.refused(
                node, f"the function {name[:40]} is not allowed", f"functions: {', '.join(near or usual)}"
            )
        most = len(found.takes)
        if not most - found.optional <= len(nodes) <= most:
            raise self.refused(node, f"{name} needs {most} value{'s' * (most > 1)}")
        powers += found is POWER
        parts = [self.wanted(n, kind, depth, powers) for n, kind in zip(nodes, found.takes, strict=False)]
        if found is CUT:
            return _Part(f"substring({parts[0]}, {', '.join(f'TRY_CAST({p} AS BIGINT)' for p in parts[1:])})", "text")
        if name == "round":
            places = f", TRY_CAST({parts[1]} AS INTEGER)" if len(parts) > 1 else ""
            return _Part(f"round({parts[0]}{places})", "number", loose=True)
        return _Part(found.sql.format(*parts), found.gives, loose=name in _COMPUTED)

    def text_of(self, node: dict[str, Any], what: str) -> str:
        """A constant text: patterns are checked before they run, so they cannot come from a column."""
        self.parts += 1
        if node["class"] != "CONSTANT" or node["literal"]["kind"] != "STRING":
            raise self.refused(node, f"{what} must be a text in quotes")
        return str(node["literal"]["text"])

    def like(
        self, node: dict[str, Any], nodes: list[dict[str, Any]], negated: bool, folded: bool, depth: int, powers: int
    ) -> _Part:
        """LIKE becomes a regular expression: DuckDB's own matching can take time that grows as a power of the text."""
        text = self.wanted(nodes[0], "text", depth, powers)
        asked = self.text_of(nodes[1], "what LIKE compares with")
        pattern = _like_pattern(asked)
        if "_" in asked:  # any letter costs the more, the more of them there are
            if pattern_states(pattern) > MOST_STATES:
                raise self.refused(nodes[1], "the pattern is too long", "fewer _")
            self.states = max(self.states, pattern_states(pattern))
        made = f"regexp_matches({text}, {_quoted(pattern)}, {_quoted('is' if folded else 's')})"
        return _Part(f"(NOT {made})" if negated else made, "truth")

    def regex(self, node: dict[str, Any], name: str, nodes: list[dict[str, Any]], depth: int, powers: int) -> _Part:
        if not 2 <= len(nodes) <= 3:
            raise self.refused(node, f"{name} needs a text and a pattern")
        text = self.wanted(nodes[0], "text", depth, powers)
        options = self.text_of(nodes[2], "the options") if len(nodes) > 2 else ""
        if set(options) - set("cims"):
            raise self.refused(node, f"the options '{options[:20]}' are not known", "c, i, m, s")
        try:
            pattern = checked_pattern(self.text_of(nodes[1], "the pattern"))
        except ValueError as error:
            raise self.refused(nodes[1], str(error)) from None
        self.states = max(self.states, pattern_states(pattern))
        return _Part(f"{name}({text}, {_quoted(pattern)}, {_quoted(options)})", "truth")


_REFUSED = {
    "SUBQUERY": "a query within a query is not allowed",
    "WINDOW": "OVER (…) is not allowed: a filter looks at one row at a time",
    "PARAMETER": "? and $ stand for nothing here",
    "STAR": "* is not allowed: name a column",
    "LAMBDA": "-> is not allowed",
    "COLLATE": "COLLATE is not allowed",
    "DEFAULT": "DEFAULT is not allowed",
}


def _as(part: _Part, kind: Kind) -> str:
    """A part as a kind: only fields of the record change."""
    if part.kind != "field" or kind in ("text", "field"):
        return part.sql
    return _finite(part.sql) if kind == "number" else f"TRY_CAST({part.sql} AS {_SQL_TYPE[kind]})"


def _finite(text: str) -> str:
    """A text as number: 'nan' and 'inf' are words, not numbers."""
    made = f"TRY_CAST({text} AS DOUBLE)"
    return f"(CASE WHEN isfinite({made}) THEN {made} END)"


def _quoted(text: str, mark: str = "'") -> str:
    return mark + text.replace(mark, mark * 2) + mark


def _pointer(keys: list[str]) -> str:
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _like_pattern(pattern: str) -> str:
    """A LIKE pattern as a regular expression: % is any text, _ any letter."""
    parts = [".*" if c == "%" else "." if c == "_" else re.escape(c) for c in re.sub("%+", "%", pattern)]
    begin = "" if parts[:1] == [".*"] else "^"
    end = "" if len(parts) > 0 and parts[-1] == ".*" else "$"
    middle = parts[1 if not begin else 0 : len(parts) - 1 if not end and len(parts) > 1 else len(parts)]
    return f"{begin}{''.join(middle if parts != ['.*'] else [])}{end}"
