"""DuckDB as parser and as sandbox: what a filter is, as a tree, and a connection that can reach nothing."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from curation.core.errors import CurationError, MissingDependency

MEMORY = "256MB"
HEAD, TAIL = "SELECT (\n", "\n) FROM t"
MOST_WRITTEN_OUT = 200_000
"""Letters that a filter may have once the parser has written its CASEs out."""
_NOT_LOOKED_AT = ("query_location", "query_location_length")


@contextlib.contextmanager
def sandbox() -> Iterator[Any]:
    """A connection that reads no file, loads nothing, sees no Python variable, and cannot be told otherwise."""
    try:
        import duckdb
    except ModuleNotFoundError:
        raise MissingDependency("duckdb", "all") from None
    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false", "autoload_known_extensions": "false", "threads": "2",
            "autoinstall_known_extensions": "false", "allow_community_extensions": "false", "temp_directory": "",
            "python_enable_replacements": "false", "memory_limit": MEMORY, "lock_configuration": "true",
            "ieee_floating_point_ops": "false",
        },
    )  # fmt: skip
    try:
        yield connection
    finally:
        connection.close()


def statement_of(expression: str) -> dict[str, Any]:
    """The one SELECT statement around the expression, as DuckDB's parser sees it.

    Raises:
        CurationError: if it is not SQL, with the place.
    """
    if _written_out(expression) > MOST_WRITTEN_OUT:
        raise CurationError("the filter has too many CASEs", "write CASE WHEN x = 1 THEN …, not CASE x WHEN 1 THEN …")
    try:
        found = json.loads(_parsed(expression))
    except RecursionError:
        raise CurationError("the filter is nested too deeply", "split it into several filters") from None
    except Exception as error:
        import duckdb

        if not isinstance(error, duckdb.Error):
            raise
        raise CurationError("the filter is too large to be understood", "split it into several filters") from None
    if found.get("error"):
        place = int(found.get("position") or -1)
        message = re.sub(r"\bat or near .*", "", str(found.get("error_message", "")), flags=re.S).strip() or "not SQL"
        raise error_at(expression, place - len(HEAD), f"the filter is not understood: {message[:120]}")
    return dict(found)


@lru_cache(64)
def _parsed(expression: str) -> str:
    """The parser's answer, kept since a page asks for the same at every run."""
    with sandbox() as connection:
        query = HEAD + expression + TAIL
        return str(connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0])


def _written_out(expression: str) -> float:
    """Letters of an expression, at worst, once `CASE x WHEN …` is written out, where x stands in every WHEN.

    One CASE within the x of another doubles with each level, in the parser, which no limit of memory or time reaches.
    Words are counted wherever they stand, also in texts and remarks: too many, never too few.
    """
    whens = len(re.findall("when", expression, re.IGNORECASE))
    cases = len(re.findall(r"case(?!\s*when)", expression, re.IGNORECASE))
    worst = max(((whens / k) ** k for k in range(1, cases + 1)), default=1.0)
    return len(expression) * max(worst, 1.0)


def error_at(expression: str, byte: int, message: str, hint: str = "") -> CurationError:
    """An error that shows the place, given in bytes of the expression."""
    data = expression.encode()
    if 0 <= byte < len(data):
        rest = data[byte:].decode(errors="ignore")
        letter = len(data[:byte].decode(errors="ignore")) + 1
        message += f", at letter {letter}: {' '.join(rest.split())[:30]}"
    elif byte >= len(data):
        message += ", at its end"
    return CurationError(message, hint or "write one condition in SQL, such as: quality > 0.5 AND source = 'a.json'")


def only_expression(found: dict[str, Any]) -> dict[str, Any] | None:
    """The expression, when the statement is nothing but `SELECT (expression) FROM t`."""
    try:
        (statement,) = found["statements"]
        (inner,) = statement["node"]["select_list"]
    except (KeyError, ValueError, TypeError):
        return None
    rest = dict(statement["node"], select_list=[])
    same = _without_places(rest) == _frame() and set(statement) <= {"node", "named_param_map"}
    return inner if same and not inner.get("alias") else None


@lru_cache(1)
def _frame() -> Any:
    """The statement around every expression."""
    return _without_places(dict(statement_of("TRUE")["statements"][0]["node"], select_list=[]))


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_places(v) for k, v in value.items() if k not in _NOT_LOOKED_AT}
    return [_without_places(v) for v in value] if isinstance(value, list) else value
