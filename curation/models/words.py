"""Words and sentences of any language, by ICU's rules and dictionaries (Unicode annex 29).

One definition for every indicator: a word is a segment of ICU's word breaker that holds a letter or a digit, casefolded.
Chinese, Japanese, Thai, Lao, Khmer and Burmese, written without spaces, are cut by ICU's dictionaries; everything else by
its rules ("don't" and "1,000.5" are one word each). The breaker needs no language: the script decides.

Measured: 9,229 English responses (413,000 words) in 0.3 s, 1,000 Chinese ones (195,000 characters) in 0.1 s on one core.
A separate path for ASCII text was measured too and was no faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LOCALE = "root"

HAN = r"\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
KANA = r"\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
DICTIONARY = r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0eff\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
_HAN_KANA = re.compile(f"[{HAN}{KANA}]")
_SPACELESS = re.compile(f"[{HAN}{KANA}{DICTIONARY}]")
_CLAUSE_SPACE = re.compile(r"(?<=[\u0e00-\u0eff])[ \u00a0\u3000]+(?=[\u0e00-\u0eff])")


@dataclass(frozen=True)
class Counts:
    """What readability and length need to know about one text.

    Args:
        words: Number of words.
        sentences: Number of sentences that hold a word.
        letters: Letters and digits inside words.
        long_words: Words of more than six letters.
        spaceless: Share of letters and digits (0 to 1) in scripts written without spaces between words.
        han_kana: Share of letters and digits (0 to 1) that are Han characters or kana.
    """

    words: int
    sentences: int
    letters: int
    long_words: int
    spaceless: float
    han_kana: float


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

    A line break ends a sentence. Thai and Lao have no full stop: there, a space between two letters of the script ends a
    clause, which counts as a sentence.

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
    lengths = [sum(map(str.isalnum, word)) for word in words]
    letters = sum(lengths)
    return Counts(
        words=len(words),
        sentences=len(sentences(text)),
        letters=letters,
        long_words=sum(n > 6 for n in lengths),
        spaceless=_share(_SPACELESS, words, letters),
        han_kana=_share(_HAN_KANA, words, letters),
    )


def spaceless_share(text: str) -> float:
    """Share of the letters and digits of a text that belong to scripts written without spaces between words.

    Args:
        text: Any string.

    Returns:
        0.0 to 1.0; 0.0 for a text without letters and digits.
    """
    if text.isascii():
        return 0.0
    letters = sum(map(str.isalnum, text))
    return min(1.0, len(_SPACELESS.findall(text)) / letters) if letters else 0.0


def _share(pattern: re.Pattern[str], words: list[str], letters: int) -> float:
    joined = " ".join(words)
    if joined.isascii() or not letters:
        return 0.0
    # combining vowels match the pattern without being letters
    return min(1.0, len(pattern.findall(joined)) / letters)


def _encodable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
