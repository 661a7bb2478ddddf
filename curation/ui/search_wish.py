"""From what stands in the search box to a condition of the view, or to what is wrong with it; no Streamlit here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from curation.core.artifacts import Features
from curation.core.errors import CurationError
from curation.core.row_ranges import parse_rows
from curation.recipe.data import first_problem
from curation.selectors._searching import read_query
from curation.views import Condition, Like, Where, Words
from curation.views.conditions import MAX_LIKE_ROWS

Mode = Literal["words", "meaning", "filter"]
Inside = Literal["both", "prompt", "response"]
_ROWS = re.compile(r"\s*rows?\s+([\d\s,-]+)", re.IGNORECASE)
_LETTER = re.compile(r"at letter (\d+)")
_C = TypeVar("_C", bound=BaseModel)


@dataclass(frozen=True)
class Wish:
    """What was asked for.

    Args:
        mode: Which kind of search.
        text: As typed.
        inside: Of words: where to look.
        whole: Of words: no parts of longer words.
        regex: Of words: the text is a regular expression.
        case: Of words: capitals matter.
        features: Of meaning: key of the vectors.
        top: Of meaning: rows wanted.
        farthest: Of meaning: the least alike.
    """

    mode: Mode
    text: str
    inside: Inside = "both"
    whole: bool = False
    regex: bool = False
    case: bool = False
    features: str = ""
    top: int = 100
    farthest: bool = False


def rows_named(text: str) -> str | None:
    """The row numbers in `row 812` or `rows 3, 17, 20-25`, as text; None for any other text."""
    found = _ROWS.fullmatch(text)
    return found[1].strip() if found and found[1].strip() else None


def quoted(name: str) -> str:
    """A column's name as an expression writes it: in quotes where it is no plain word."""
    return name if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", name) else '"' + name.replace('"', '""') + '"'


def under(expression: str, message: str) -> str:
    """The expression with a mark under the letter that an error names; "" when it names none."""
    found = _LETTER.search(message)
    if found is None:
        return ""
    place = int(found[1]) - 1
    before = expression[:place]
    line = before.count("\n")
    lines = expression.split("\n")
    if place > len(expression):
        return ""
    lines.insert(line + 1, " " * (place - before.rfind("\n") - 1) + "^")
    return "\n".join(lines)


def words_condition(wish: Wish) -> Words:
    """A keyword search.

    Raises:
        CurationError: the query is not understood.
    """
    try:
        read_query(wish.text, whole=wish.whole, regex=wish.regex, case=wish.case)
    except ValueError as error:
        raise CurationError(str(error), 'words that must all be there, a "phrase", or -word to leave out') from None
    return _checked(
        Words, text=wish.text, inside=wish.inside, whole=wish.whole, regex=wish.regex, case=wish.case
    )  # fmt: skip


def like_condition(
    wish: Wish, open_features: Callable[[str], Features], embed: Callable[[str, str], np.ndarray]
) -> Like:
    """A search by meaning: rows like a text, or like rows that are named in it.

    Args:
        wish: What was asked for.
        open_features: The vectors of a key.
        embed: Makes the vector of a text; called here, so that what is wrong with it is told at once.

    Raises:
        CurationError: there are no vectors, no such row, a row without a vector, or the text cannot be encoded.
    """
    if not wish.features:
        raise CurationError(
            "there are no vectors by meaning yet", "draw the map by meaning on the Map page: it makes them"
        )
    named = rows_named(wish.text)
    if named is None:
        embed(wish.text, wish.features)
        return _checked(Like, features=wish.features, text=wish.text, top=wish.top, farthest=wish.farthest)
    try:
        rows = parse_rows(named)
    except ValueError as error:
        raise CurationError(str(error), "as in: rows 3, 17, 20-25") from None
    if len(rows) > MAX_LIKE_ROWS:
        raise CurationError(f"{len(rows):,} rows are named, at most {MAX_LIKE_ROWS:,} can be", "name fewer")
    features = open_features(wish.features)
    n = len(features)
    if rows.max() >= n:
        raise CurationError(f"there is no row {rows.max():,}", f"rows go from 0 to {n - 1:,}")
    without = rows[features.missing.mask[rows]]
    if len(without):
        raise CurationError(f"row {without[0]:,} has no vector", features.missing.reason(int(without[0])) or "")
    return _checked(
        Like, features=wish.features, rows=tuple(rows.tolist()), top=wish.top, farthest=wish.farthest
    )  # fmt: skip


def condition_of(
    wish: Wish,
    *,
    open_features: Callable[[str], Features],
    embed: Callable[[str, str], np.ndarray],
    where: Callable[[str], Where],
) -> Condition:
    """What a wish asks of rows.

    Args:
        wish: With a text that is not empty.
        open_features: The vectors of a key.
        embed: Makes the vector of a text: (text, key of the vectors).
        where: Checks a filter expression and binds its names.

    Raises:
        CurationError: saying what is wrong, and in a filter where.
    """
    if wish.mode == "words":
        return words_condition(wish)
    if wish.mode == "meaning":
        return like_condition(wish, open_features, embed)
    return where(wish.text)


def _checked(cls: type[_C], **values: object) -> _C:
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise CurationError(first_problem(error), "see the help beside the box") from None
