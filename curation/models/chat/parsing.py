"""What a judge's reply says: pure functions from text, or from token probabilities, to numbers.

Nothing is guessed. A reply that does not say one number, within the scale, in digits, is `Unparsed` with a reason;
what the released codes do instead is kept apart (`*_repo`), quirks included.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curation.models.chat.types import Alternatives, Unparsed, spoken

Digits = Literal["ascii", "any"]

EMPTY = Unparsed("the reply is empty")
NO_NUMBER = Unparsed("the reply is no score")
OUT_OF_RANGE = Unparsed("the score is beyond the scale")
NO_JSON = Unparsed("the reply has no JSON object")
SEVERAL = Unparsed("the reply grades the row several times")
NO_PROBABILITIES = Unparsed("the server tells no token probabilities")
NOT_FIRST = Unparsed("the reply does not begin with a score")
TOO_LITTLE = Unparsed("the probabilities of scores add up to less than half")

WINDOW = 200
"""Characters in which a labelled number must begin."""
LABELS = ("score", "rating")
_LONGEST = 100_000  # characters of a reply that are looked at

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_ANY_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")


def first_line(text: str) -> str:
    """The first line that is not empty, without white space at its ends; "" where there is none."""
    return next((line.strip() for line in text[:_LONGEST].splitlines() if line.strip()), "")


def score_in(
    text: str,
    low: float = 0.0,
    high: float = 5.0,
    *,
    digits: Digits = "ascii",
    labels: Sequence[str] = LABELS,
) -> float | Unparsed:
    """The one number of a reply whose first line should hold nothing else.

    The first non-empty line may hold the number, a label before it ("Score: 4.5"), the end of the scale after it
    ("4.5/5", "4.5 out of 5"), and emphasis. If it is no such line, one labelled number is looked for that begins in the
    first 200 characters; two of them that differ, or one beside other numbers, are none.

    Args:
        text: Of the reply; thinking before it is skipped.
        low: Lowest score.
        high: Highest score.
        digits: "ascii", or "any" to read decimal digits of every script.
        labels: Words that may stand before the number.

    Returns:
        The number, within [low, high], or why there is none.
    """
    text = spoken(text)[:_LONGEST]
    if digits == "any":
        text = _plain_digits(text)
    line = _bare(first_line(text))
    if not line:
        return EMPTY
    label = "|".join(re.escape(word) for word in labels)
    scale = _scale(low, high)
    whole = re.fullmatch(rf"(?:{_before(label, scale)})?({_NUMBER}){_after(high)}\s*[.,]?", line, re.IGNORECASE)
    if whole:
        return _within(float(whole[1]), low, high)
    return _labelled(text, label, scale, low, high)


def _before(label: str, scale: str) -> str:
    """A label with what may stand between it and its number."""
    return rf"(?:[^\W\d_]+\s+){{0,6}}?(?:{label})s?(?:\s*{scale})?(?:\s+is|\s+of|\s*[:=]|-|\s*[-–—](?=\s))?\s*"


def _scale(low: float, high: float) -> str:
    """The scale in brackets, as judges repeat it: (0-5), (0 to 5), (out of 5)."""
    return rf"[(\[]\s*(?:{low:g}\s*(?:-|–|to)\s*|out\s+of\s+){high:g}(?:\.0)?\s*[)\]]"


def _after(high: float) -> str:
    return rf"(?:\s*/\s*{re.escape(f'{high:g}')}(?:\.0)?|\s+out\s+of\s+{re.escape(f'{high:g}')}(?:\.0)?)?"


def _labelled(text: str, label: str, scale: str, low: float, high: float) -> float | Unparsed:
    """The one number after a label that begins in the first characters, alone on its line but for the scale."""
    between = rf"s?(?:\s+is|\s+of|\s*[:=]|\s*[-–—](?=\s))?\s*({_NUMBER})(?![\w.,/]*\w)"
    pattern = re.compile(rf"(?<![^\W_])(?:{label}){between}", re.IGNORECASE)
    ending = re.compile(rf"({_NUMBER}){_after(high)}", re.IGNORECASE)
    found: set[float] = set()
    place = 0
    for line in text.splitlines(keepends=True):
        if place >= WINDOW:
            break
        # what is taken out leaves blanks, so that places stay what they were
        rest = re.sub(scale, lambda m: " " * len(m[0]), re.sub(r"[*`#]", " ", line), flags=re.IGNORECASE)
        rest = ending.sub(lambda m: m[1].ljust(len(m[0])), rest)
        one = pattern.search(rest)
        if one and place + one.start(1) < WINDOW:
            if len(_ANY_NUMBER.findall(rest)) > 1:
                return NO_NUMBER
            found.add(float(one[1]))
        place += len(line)
    return _within(found.pop(), low, high) if len(found) == 1 else NO_NUMBER


def _within(value: float, low: float, high: float) -> float | Unparsed:
    return value if math.isfinite(value) and low <= value <= high else OUT_OF_RANGE


def _bare(line: str) -> str:
    """A line without the marks of emphasis and headings."""
    return re.sub(r"[*`#]", " ", line).strip()


def _plain_digits(text: str) -> str:
    """Decimal digits of every script as ASCII, and the decimal signs that go with them as a point."""
    made = []
    for letter in text:
        value = unicodedata.decimal(letter, None)
        made.append(str(value) if value is not None else "." if letter in "٫．" else letter)
    return "".join(made)


# ---------------------------------------------------------------------- released parsers


def get_scores_repo(text: str) -> float:
    """AlpaGasus's released `get_scores.py`: whatever Python reads as a float on the first line, else −1.

    So "nan", "inf", "4_5" (45) and "1e1" (10) are scores, and "4.5/5" is −1.
    """
    try:
        return float(text.split("\n")[0])
    except ValueError:
        return -1.0


def chatgpt_rating_repo(text: str) -> float:
    """AlpaGasus's released `chatgpt_rating.py` and `filter.py`: as `get_scores_repo`, then what follows a label.

    After "score:" it reads the rest of the line; after "Score:" a single character, so "Score:4.5" is 4.

    Raises:
        ValueError: as theirs does, where what follows the label is no number: "Score: 4.5", whose next character is a
            space.
        IndexError: where nothing follows "Score:".
    """
    try:
        return float(text.split("\n")[0])
    except ValueError:
        if "score:" in text:
            return float(text.split("score:")[1].split("\n")[0])
        if "Score:" in text:
            return float(text.split("Score:")[1].strip("\n")[0])
        return -1.0


# ---------------------------------------------------------------------- totals


_ALONE = rf"(?<![\w.,-])({_NUMBER})(?!\w|[.,][0-9])"
_TOTALS = tuple(re.compile(rf"{word}[^0-9\n]{{0,30}}{_ALONE}", re.IGNORECASE) for word in ("total", "overall"))
_FIRST = re.compile(_ALONE)
_SUM = re.compile(r"[0-9]\s*\+\s*[0-9]")
_CRITERION = re.compile(r"clarity|difficulty|explanation|accuracy", re.IGNORECASE)


def total_in(text: str, high: float = 100) -> float | Unparsed:
    """The first number on the first non-empty line, or the one after the word "total" there: "87", "Total: 87/100".

    What is a number only in part ("4_5", "1e1", "-3") is none; nor is one that is plainly no total: an end of the scale
    ("out of 100: 87" is 87), a part of a sum ("40 + 47 = 87" is 87), the points of a criterion ("Clarity 13/15").

    Args:
        text: Of the reply; thinking before it is skipped.
        high: Highest total; above it is out of range.
    """
    line = first_line(spoken(text))
    if not line:
        return EMPTY
    line = re.sub(_scale(0, high), " ", _bare(line), flags=re.IGNORECASE)
    ends = rf"(?<![\w.,-])(?:out\s+of|0\s*(?:-|–|to))\s*{high:g}(?:\.0)?(?![\w]|[.,][0-9])"
    line = re.sub(ends, " ", line, flags=re.IGNORECASE)
    if _SUM.search(line):
        line = line.rpartition("=")[2] if "=" in line else ""
    labelled = next((m for pattern in _TOTALS if (m := pattern.search(line))), None)
    found = labelled or _FIRST.search(line)
    if not found or re.match(rf"\s*(?:/|out\s+of\s)\s*(?!{high:g}(?![0-9.]))[0-9]", line[found.end() :], re.IGNORECASE):
        return NO_NUMBER
    if not labelled and _CRITERION.search(line[: found.start()]):
        return NO_NUMBER
    return _within(float(found[1]), 0, high)


def total_repo(text: str) -> float:
    """LIFT as released: the first run of digits on the very first line, 0 where there is none."""
    found = re.search(r"[0-9]+", text.split("\n")[0])
    return float(found[0]) if found else 0.0


# ---------------------------------------------------------------------- several scores


@dataclass(frozen=True)
class Scale:
    """One score among several.

    Args:
        name: As it stands in the reply.
        low: Lowest score.
        high: Highest score.
    """

    name: str
    low: float
    high: float


def scores_in(text: str, scales: Sequence[Scale]) -> tuple[float, ...] | Unparsed:
    """The score of every scale from a reply that should be a JSON object, or else has a line "name: number" for each.

    The object may stand in a code block or among words; several that give different scores are no reply, for one of
    them may be quoted from the row. Upper and lower case in names are the same. NaN, infinities, booleans, and a name
    that occurs twice are no scores.

    Returns:
        One number for each scale, in their order, or why one is lacking; the reason names the scale.
    """
    text = spoken(text)[:_LONGEST]
    if not text.strip():
        return EMPTY
    found = [_of_object(given, scales) for given in _objects(text)] or [_of_object(_lines(text, scales), scales)]
    whole = list(dict.fromkeys(scores for scores in found if not isinstance(scores, Unparsed)))
    if len(whole) > 1:
        return SEVERAL
    return whole[0] if whole else found[0]


def _of_object(given: Mapping[str, Any], scales: Sequence[Scale]) -> tuple[float, ...] | Unparsed:
    """The score of every scale from one object."""
    lowered: dict[str, Any] = {}
    for key, value in _flat(given).items():
        name = key.strip().casefold()
        if name in lowered:
            return Unparsed("the reply names a criterion twice")
        lowered[name] = value
    found = []
    for scale in scales:
        value = _number(lowered.get(scale.name.casefold()), scale)
        if isinstance(value, Unparsed):
            return value
        found.append(value)
    return tuple(found)


def _flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """An object whose scores may stand one level deeper, under "scores" or as {"score": 4}."""
    inner = given.get("scores")
    merged = {**given, **inner} if isinstance(inner, dict) else dict(given)
    return {k: v["score"] if isinstance(v, dict) and "score" in v else v for k, v in merged.items()}


def _number(value: Any, scale: Scale) -> float | Unparsed:
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return Unparsed(f"no score for '{scale.name}'")
    if isinstance(value, str):
        read = score_in(value, scale.low, scale.high)
        return Unparsed(f"no score for '{scale.name}'") if isinstance(read, Unparsed) else read
    inside = scale.low <= value <= scale.high  # as it is: JSON knows whole numbers that no float can hold
    return float(value) if inside else Unparsed(f"the score for '{scale.name}' is beyond its scale")


def json_object(text: str) -> dict[str, Any] | Unparsed:
    """The first JSON object in a text, with nothing in it that JSON does not know, no key twice."""
    return next(_objects(text), NO_JSON)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text, those inside another one left out."""
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse)
    place = text.find("{")
    for _ in range(50):
        if place < 0:
            break
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield found
        place = text.find("{", end)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _lines(text: str, scales: Sequence[Scale]) -> dict[str, Any]:
    """What lines such as "- **Clarity**: 4/5" say; a name on two lines with different numbers says nothing."""
    found: dict[str, Any] = {}
    for scale in scales:
        pattern = re.compile(
            rf"(?:[-•\d.)\s]*)[\"']?{re.escape(_bare(scale.name))}[\"']?\s*(?:[:=]|-(?=\s))\s*({_NUMBER}){_after(scale.high)}"
            rf"(?![\w.,/]*\w)",
            re.IGNORECASE,
        )
        values = {m[1] for line in text.splitlines() if (m := pattern.match(_bare(line)))}
        found[scale.name] = float(values.pop()) if len(values) == 1 else None
    return found


# ---------------------------------------------------------------------- probabilities


@dataclass(frozen=True)
class Expected:
    """An expected score.

    Args:
        value: Σ score · probability, over the tokens that are scores.
        mass: What the probabilities of these tokens add up to, of all tokens.
    """

    value: float
    mass: float


def expected_score(
    first: Sequence[Alternatives], scores: Mapping[str, float], *, least: float = 0.5
) -> Expected | Unparsed:
    """The expected score from the probabilities of the first token that says something.

    Tokens of white space, emphasis or quotation that come before are passed over. Tokens that are the same text but for
    white space add up. Probabilities are of the tokens told, normalised over those that are scores.

    Args:
        first: Of `Reply`: alternatives for each of the first tokens.
        scores: Text of a token → its score: {"0": 0, …, "5": 5}.
        least: Mass of the scores below which there is none.
    """
    if not any(first):
        return NO_PROBABILITIES
    for place in first:
        told: dict[str, float] = {}
        for token, logprob in place:
            text = token.strip(" \t\r\n*`\"'▁Ġ")
            told[text] = told.get(text, 0.0) + (math.exp(min(logprob, 0.0)) if not math.isnan(logprob) else 0.0)
        known = {text: p for text, p in told.items() if text in scores}
        mass = sum(known.values())
        if mass < least and told.get("", 0.0) >= max(told.values(), default=0.0) > 0:
            continue  # the likeliest token says nothing yet
        if mass <= 0:
            return NOT_FIRST
        if mass < least:
            return TOO_LITTLE
        return Expected(sum(scores[text] * p for text, p in known.items()) / mass, min(mass, 1.0))
    return NOT_FIRST
