"""Refusals and boilerplate: phrases that mark an answer which does not answer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import Scorer
from curation.core.runtime import Runtime
from curation.models.words import sentences
from curation.scorers._phrases import BOILERPLATE, REFUSALS

REFUSAL_WITHIN = 300
"""A refusal opens an answer; the same words later on are mostly part of a story or a dialogue."""

_SPACES = re.compile(r"\s+")
_QUOTES = str.maketrans("’‘ʼ＇`", "'''''")


@dataclass(frozen=True)
class Mark:
    """A phrase found in a text.

    Args:
        start: Where, in the plain form of the text.
        phrase: Index into the list of phrases.
    """

    start: int
    phrase: int


def plain(text: str) -> str:
    """The form in which phrases are looked for: compatibility forms and case folded, one apostrophe, single spaces."""
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return _SPACES.sub(" ", folded.casefold().translate(_QUOTES)).strip()


def phrases(lists: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """All phrases of all languages, in their plain form, each once."""
    return tuple(dict.fromkeys(plain(phrase) for group in lists.values() for phrase in group))


def find(text: str, wanted: Sequence[str], within: int | None = None) -> list[Mark]:
    """Where phrases occur in a text, the first occurrence of each.

    A phrase that begins or ends with a Latin letter or digit must do so at the edge of a word. Cost: one substring
    search a phrase.

    Args:
        text: In its plain form.
        wanted: Phrases in their plain form.
        within: Only those that start in the first so many characters.

    Returns:
        The marks by position.
    """
    limit = len(text) if within is None else within
    marks = [Mark(at, i) for i, phrase in enumerate(wanted) if 0 <= (at := _place(text, phrase)) < limit]
    return sorted(marks, key=lambda mark: (mark.start, mark.phrase))


def _place(text: str, phrase: str) -> int:
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        inside = (at and _latin(text[at - 1]) and _latin(phrase[0])) or (
            end < len(text) and _latin(text[end]) and _latin(phrase[-1])
        )
        if not inside:
            return at
        at = text.find(phrase, at + 1)
    return -1


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def marked_share(text: str, found: Iterable[str]) -> float:
    """Share of the sentences of a text in which one of the phrases occurs.

    Args:
        text: As written.
        found: Phrases that occur in it, in their plain form. One that runs over the end of a sentence counts for one.

    Returns:
        In (0, 1].
    """
    wanted = list(found)
    parts = [plain(sentence) for sentence in sentences(text)]
    marked = sum(any(_place(part, phrase) >= 0 for phrase in wanted) for part in parts)
    return max(marked, 1) / max(len(parts), 1)


class Boilerplate(Scorer):
    """Marks responses that refuse ("I'm sorry, but I can't") or hold set phrases ("As an AI language model").

    The score is the share of the response's sentences that hold a marked phrase; 0 = none, the usual case. Columns:
    `refusal` and `boilerplate` (0 or 1), and `phrase`, the first phrase found, as an index into `info["phrases"]`, -1
    for none. Phrases of twelve languages are known, English and Chinese best. Case, width of letters, kind of
    apostrophe and spacing do not matter.
    """

    title: ClassVar[str] = "Refusals and boilerplate"
    weakness: ClassVar[str] = "A list of phrases: new wordings pass, and a right answer may quote one."
    source: ClassVar[str] = "The project's own list of phrases"
    row_wise: ClassVar[bool] = True

    refusal_within: int = Field(REFUSAL_WITHIN, ge=1, description="characters in which a refusal must begin")
    phrases: tuple[str, ...] = Field((), description="more phrases of yours that count as boilerplate, any language")

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row; an empty response is missing."""
        refusals = phrases(REFUSALS)
        own = tuple(p for p in map(plain, self.phrases) if p)
        others = tuple(dict.fromkeys((*phrases(BOILERPLATE), *own)))
        known = (*refusals, *others)
        texts = pool.texts("response")
        values = np.zeros(len(texts))
        columns = {name: np.zeros(len(texts)) for name in ("refusal", "boilerplate")}
        first = np.full(len(texts), NO_ROW, np.int64)
        for i, text in enumerate(texts):
            searched = plain(text)
            if not searched:
                values[i] = np.nan
                continue
            marks = find(searched, refusals, self.refusal_within)
            columns["refusal"][i] = bool(marks)
            more = [Mark(m.start, m.phrase + len(refusals)) for m in find(searched, others)]
            columns["boilerplate"][i] = bool(more)
            if marks or more:
                values[i] = marked_share(text, (known[m.phrase] for m in (*marks, *more)))
                first[i] = min((*marks, *more), key=lambda mark: (mark.start, mark.phrase)).phrase
        return Score(
            pool.fingerprint,
            values,
            Missing.where(np.isnan(values), "empty response"),
            "refusals and boilerplate",
            higher_is_better=False,
            columns={**columns, "phrase": first},
            info={"phrases": list(known)},
        )
