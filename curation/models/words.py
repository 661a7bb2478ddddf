"""Words and sentences of any language, by ICU's rules and dictionaries (Unicode annex 29).

One definition for every indicator: a word is a segment of ICU's word breaker that holds a letter or a digit,
casefolded. Chinese, Japanese, Thai, Lao, Khmer and Burmese, written without spaces, are cut by ICU's dictionaries;
everything else by its rules ("don't" and "1,000.5" are one word each). The breaker needs no language: the script
decides.

Measured: 9,229 English responses (413,000 words) in 0.3 s, 1,000 Chinese ones (195,000 characters) in 0.1 s on one
core. A separate path for ASCII text was measured too and was no faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

_LOCALE = "root"

HAN = r"\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
KANA = r"\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
DICTIONARY = r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0eff\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
_HAN = re.compile(f"[{HAN}]")
_SPACELESS = re.compile(f"[{HAN}{KANA}{DICTIONARY}]")
_TERM = re.compile(rf"[{HAN}{KANA}{DICTIONARY}]+|[^\W{HAN}{KANA}{DICTIONARY}]{{2,}}")
_CLAUSE_SPACE = re.compile(r"(?<=[\u0e00-\u0eff])[ \u00a0\u3000]+(?=[\u0e00-\u0eff])")


@dataclass(frozen=True)
class Counts:
    """What readability and length need to know about one text.

    Args:
        words: Number of words.
        sentences: Number of sentences that hold a word.
        letters: Letters and digits inside words.
        hard_words: Words for which `is_hard` holds.
        spaceless: Share of letters and digits (0 to 1) in scripts written without spaces between words.
    """

    words: int
    sentences: int
    letters: int
    hard_words: int
    spaceless: float


def plain_terms(text: str) -> list[str]:
    """Words of two letters or more, casefolded; in scripts written without spaces, pairs of neighbouring characters.

    Much faster than proper segmentation, and as good for telling rows apart.

    Args:
        text: Any string.
    """
    found = _TERM.findall(text.casefold())
    if text.isascii():
        return found
    pairs: list[str] = []
    for term in found:
        if len(term) > 1 and _SPACELESS.match(term):
            pairs.extend(map("".join, zip(term, term[1:], strict=False)))
        else:
            pairs.append(term)
    return pairs


def has_terms(text: str) -> bool:
    """True when `plain_terms` finds any."""
    return _TERM.search(text) is not None


def segment(text: str) -> list[str]:
    """The words of a text in order, casefolded.

    Cost: about 0.7 µs a word.

    Args:
        text: Any string; lone surrogates count as unknown characters.

    Returns:
        The words; empty for a text without letters and digits.
    """
    from icu4py.breakers import WordBreaker

    pieces = WordBreaker(_encodable(text.casefold()), _LOCALE)
    return [w for w in pieces if w[0].isalnum() or (len(w) > 1 and any(map(str.isalnum, w)))]


def segment_all(texts: Iterable[str]) -> list[list[str]]:
    """`segment` for every text."""
    return [segment(text) for text in texts]


def sentences(text: str) -> list[str]:
    """The sentences of a text, as written, stripped; pieces without a letter or digit are left out.

    A line break ends a sentence. Thai and Lao have no full stop: there, a space between two letters of the script ends
    a clause, which counts as a sentence.

    Args:
        text: Any string.

    Returns:
        The sentences in order.
    """
    from icu4py.breakers import SentenceBreaker

    pieces = SentenceBreaker(_CLAUSE_SPACE.sub("\n", _encodable(text)), _LOCALE)
    return [piece.strip() for piece in pieces if any(map(str.isalnum, piece))]


def count(text: str) -> Counts:
    """Count words, sentences and letters of one text.

    Args:
        text: Any string.

    Returns:
        The counts; all zero for a text without words.
    """
    words = segment(text)
    return Counts(
        words=len(words),
        sentences=len(sentences(text)),
        letters=sum(map(letters, words)),
        hard_words=sum(map(is_hard, words)),
        spaceless=spaceless_share(text),
    )


def letters(word: str) -> int:
    """Number of letters and digits of a word; marks that sit on a letter (accents, Thai vowels) do not count."""
    return len(word) if word.isalnum() else sum(map(str.isalnum, word))


def is_hard(word: str) -> bool:
    """Whether a word is one that slows readers down.

    In an alphabet: more than six letters, the long word of LIX. Han words are short, so there: three or more
    characters, or a character outside the everyday ones (`everyday_han`).

    Args:
        word: One word of `segment`.

    Returns:
        True for a hard word.
    """
    if word.isascii() or not _HAN.search(word):
        return letters(word) > 6
    return len(word) >= 3 or any(c not in everyday_han() for c in _HAN.findall(word))


@cache
def everyday_han() -> frozenset[str]:
    """The Han characters that a national standard counts as everyday ones.

    Level 1 of GB 2312 (3,755 characters, mainland China), of JIS X 0208 (2,965, Japan) or of Big5 (5,401, Taiwan): the
    standards order their code tables by level, so Python's own codecs tell the level from the first byte.

    Returns:
        About 7,400 characters.
    """
    levels = (("gb2312", 0xB0, 0xD7), ("euc_jp", 0xB0, 0xCF), ("big5", 0xA4, 0xC6))
    found: set[str] = set()
    for codec, first, last in levels:
        for high in range(first, last + 1):
            for low in range(0x40, 0xFF):
                character = bytes((high, low)).decode(codec, "ignore")
                if len(character) == 1 and _HAN.match(character):
                    found.add(character)
    return frozenset(found)


def spaceless_share(text: str) -> float:
    """Share of the letters and digits of a text that belong to scripts written without spaces between words.

    Args:
        text: Any string.

    Returns:
        0.0 to 1.0; 0.0 for a text without letters and digits.
    """
    if text.isascii():
        return 0.0
    total = sum(map(str.isalnum, text))
    # vowel signs match the pattern without being letters
    return min(1.0, len(_SPACELESS.findall(text)) / total) if total else 0.0


def _encodable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
