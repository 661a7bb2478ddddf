"""Names of tags that a model made up: read from its replies, and joined where they are one tag written in two ways."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from curation.models.chat.types import Unparsed, spoken

LONGEST = 80
"""Characters of a tag; what is longer is a sentence."""

_READ = 100_000  # characters of a reply that are looked at
_BETWEEN = re.compile(r"[^\w+#]+")
_VOWEL = re.compile(r"[aeiouy]")


def tags_of_reply(text: str) -> list[str] | Unparsed:
    """The tags in a reply, different ones, in its order.

    A reply holds JSON, in a code block or among words: an object with a list `tags`, a list, or one object or several
    one after another, as the published tagger writes. A tag is a text, or the `tag` of an object.

    Returns:
        Tags, [] where the reply says that there is none; or why it holds none.
    """
    text = spoken(text)[:_READ]
    if not text.strip():
        return Unparsed("the reply is empty")
    values = _json_values(text)
    if not values:
        return Unparsed("the reply has no JSON")
    found: list[str] = []
    for value in values:
        names = _names(value)
        if names is None:
            return Unparsed("the reply's JSON holds no tags")
        found += names
    tags = [tag for tag in dict.fromkeys(" ".join(_storable(tag).split()) for tag in found) if tag]
    if any(len(tag) > LONGEST for tag in tags):
        return Unparsed(f"a tag is longer than {LONGEST} characters")
    return tags


def _storable(tag: str) -> str:
    """A tag with a blank for every control character, a mark for half a character: JSON can name both, files cannot."""
    text = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in tag)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _json_values(text: str) -> list[Any]:
    """Every JSON object or list of a text, those inside another one left out."""
    decoder, found, place = json.JSONDecoder(), [], 0
    for _ in range(1000):
        starts = [at for at in (text.find("{", place), text.find("[", place)) if at >= 0]
        if not starts:
            break
        place = min(starts)
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        found.append(value)
    return found


def _names(value: Any) -> list[str] | None:
    """The tags of one JSON value, None where it has not the form of tags."""
    if isinstance(value, dict):
        if isinstance(value.get("tags"), list):
            return _names(value["tags"])
        value = [value]
    if not isinstance(value, list):
        return None
    names = [part.get("tag") if isinstance(part, dict) else part for part in value]
    return [str(name) for name in names] if all(isinstance(name, str) for name in names) else None


def tag_key(tag: str) -> str:
    """Equal for two ways to write one tag: case, marks between words, and English endings (-s, -ing, -ed) are left out.

    "Data Analysis", "data-analysis" and "analysing data" are two keys, for the order of words counts; "API requests"
    and "api_requesting" are one.
    """
    words = _BETWEEN.sub(" ", unicodedata.normalize("NFKC", tag).casefold().replace("_", " ")).split()
    return " ".join(map(_stem, words))


def _stem(word: str) -> str:
    """An English word without plural and verb endings, far less than a stemmer does; other words as they are."""
    if not (word.isascii() and word.isalpha()) or len(word) < 4:
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("sses", "xes", "ches", "shes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3 and _VOWEL.search(stem) and not word.endswith("eed"):
            doubled = stem[-1] == stem[-2] and stem[-1] not in "lsz"
            word = stem[:-1] if doubled else stem
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def join_spellings(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Every tag in the way in which most rows write it.

    Tags with one key are one tag. Its name, in lower case, is the most frequent one; then the shortest; then the first
    by the alphabet. A tag without letters and digits is none.

    Args:
        rows: Tags of each row.

    Returns:
        Different tags of each row, in its order.
    """
    written: dict[str, Counter[str]] = defaultdict(Counter)
    for tags in rows:
        for tag in set(tags):
            written[tag_key(tag)][tag.lower()] += 1
    best = {key: min(names, key=lambda name: (-names[name], len(name), name)) for key, names in written.items() if key}
    return [list(dict.fromkeys(best[key] for tag in tags if (key := tag_key(tag)) in best)) for tags in rows]
