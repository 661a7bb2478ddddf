"""Regular expressions from users, for RE2: linear in the text, but a letter costs as much as the pattern is large."""

from __future__ import annotations

import re

MOST_LETTERS = 300
MOST_STATES = 3_000
"""Parts of a pattern once its counted repeats are written out: what one letter of text may cost at worst."""
_CLASS, _DOT, _PROPERTY = 8, 6, 400  # a property such as \\pL is hundreds of ranges
_REPEAT = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_HINT = "shorten it, or repeat fewer times"


def checked_pattern(pattern: str) -> str:
    """A pattern that RE2 understands and that is cheap enough to be run on a million texts.

    Raises:
        ValueError: saying what is wrong.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pattern:
        raise ValueError("the pattern is empty")
    if len(pattern) > MOST_LETTERS:
        raise ValueError(f"the pattern has {len(pattern):,} letters, at most {MOST_LETTERS} are read")
    if pattern_states(pattern) > MOST_STATES:
        raise ValueError(f"the pattern '{pattern[:40]}' is too large once its repeats are written out: {_HINT}")
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        what = str(error).split("regular expression: ")[-1].splitlines()[0]
        raise ValueError(f"the pattern is not understood: {what[:120]}") from None
    return pattern


def pattern_states(pattern: str) -> int:
    """About how many states a pattern has once its counted repeats are written out; an upper bound for RE2's."""
    groups: list[int] = []  # states of the groups that are still open, before their last part
    done, last, i = 0, 0, 0
    while i < len(pattern):
        letter = pattern[i]
        if letter == "\\":
            if pattern[i : i + 2] == "\\Q":  # all letters up to \\E
                end = pattern.find("\\E", i)
                end = len(pattern) if end < 0 else end + 2
                done, last, i = done + last + end - i, 1, end
                continue
            property_ = pattern[i + 1 : i + 2] in ("p", "P")
            done, last = done + last, _PROPERTY if property_ else _CLASS
            i += 2
            if property_ and pattern[i : i + 1] == "{":
                end = pattern.find("}", i)
                i = len(pattern) if end < 0 else end + 1
            continue
        if letter == "[":
            end = _class_end(pattern, i)
            inside = pattern[i:end]
            wide = inside.count("\\p") + inside.count("\\P")
            done, last, i = done + last, _CLASS + len(inside) + wide * _PROPERTY, end
            continue
        if letter == "(":
            groups.append(done + last)
            done, last = 0, 2
        elif letter == ")":
            done, last = (groups.pop() if groups else 0), done + last + 2
        elif letter in "*+?|^$":
            last += 1
        elif letter == "{" and (found := _REPEAT.match(pattern, i)):
            low, high = found[1], found[2]
            times = int((high or low or "0")[:7]) + int(high == "")
            last *= max(times, 1)
            i = found.end()
            continue
        else:
            done, last = done + last, _DOT if letter == "." else 4 if ord(letter) > 127 else 1
        i += 1
    total = done + last + sum(groups)
    folded = "(?" in pattern and any("i" in flags for flags in re.findall(r"\(\?([a-zA-Z]+)", pattern))
    return total * 2 if folded else total


def _class_end(pattern: str, start: int) -> int:
    """Where a class of letters that begins at `start` ends; the end of the pattern when it does not."""
    i = start + 1
    if pattern[i : i + 1] == "^":
        i += 1
    if pattern[i : i + 1] == "]":
        i += 1
    while i < len(pattern) and pattern[i] != "]":
        if pattern[i] == "\\":
            i += 1
        elif pattern[i : i + 2] == "[:":
            end = pattern.find(":]", i)
            i = end + 1 if end > 0 else i
        i += 1
    return min(i + 1, len(pattern))
