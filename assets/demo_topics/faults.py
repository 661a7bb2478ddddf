"""What is planted into the demo dataset: boilerplate and empty answers, and the edits of near-duplicates."""

import re
from pathlib import Path
from random import Random

BOILERPLATE = Path(__file__).with_name("boilerplate.txt").read_text(encoding="utf-8").splitlines()

EMPTY = ("", "", " ", "\n", "   ", "\t", "\n\n")

# (words, words of the same meaning), replaced where they stand as whole words
SYNONYMS = (
    *(("nearly", "almost"), ("for example", "for instance"), ("usually", "normally"), ("often", "frequently")),
    *(("although", "though"), ("choose", "pick"), ("quickly", "rapidly"), ("several", "various"), ("big", "large")),
    *(("such as", "like"), ("afterwards", "later"), ("difference", "distinction")),
    *(("colour", "color"), ("metres", "meters"), ("flavour", "flavor"), ("cannot", "can't"), ("do not", "don't")),
    *(("does not", "doesn't"), ("begins", "starts"), ("hardly", "barely")),
    *(("slowly", "gradually"), ("people", "persons"), ("famous", "well-known")),
    *(("Explain", "Please explain"), ("Describe", "Please describe"), ("Write", "Please write"), ("Give", "Provide")),
    *(("How do I", "How can I"), ("How should I", "How do I"), ("What is", "What's"), ("Suggest", "Recommend")),
)


def synonym(text: str, rng: Random) -> str:
    """Return the text with one phrase replaced by another of the same meaning, or unchanged when none occurs."""
    found = [pair for pair in SYNONYMS if re.search(rf"\b{pair[0]}\b", text)]
    if not found:
        return text
    words, others = rng.choice(found)
    return re.sub(rf"\b{words}\b", others, text, count=1)


def first_lower(text: str, _: Random) -> str:
    """Return the text beginning with a small letter."""
    return text[0].lower() + text[1:]


def shout(text: str, _: Random) -> str:
    """Return the text in capitals when it is short, otherwise only its first word."""
    head, space, tail = text.partition(" ")
    return text.upper() if len(text) < 45 else head.upper() + space + tail


def end_mark(text: str, rng: Random) -> str:
    """Return the text with its last mark dropped or doubled."""
    return text[:-1] + rng.choice(("", text[-1] * 2, " " + text[-1])) if text[-1] in ".?!" else text + "."


def lose_comma(text: str, _: Random) -> str:
    """Return the text without its first comma."""
    return re.sub(r", ", " ", text, count=1)


def typo(text: str, rng: Random) -> str:
    """Return the text with two neighbouring letters of one long word exchanged."""
    words = [match for match in re.finditer(r"\b[a-z]{6,}\b", text) if len(set(match[0][2:4])) == 2]
    if not words:
        return text
    start = rng.choice(words).start()
    return text[: start + 2] + text[start + 3] + text[start + 2] + text[start + 4 :]


def polite(text: str, rng: Random) -> str:
    """Return the text with a word of thanks after it, or a greeting before it."""
    return text + " Thanks!" if rng.random() < 0.5 else "Hi! " + text


SURFACE_EDITS = (first_lower, shout, end_mark, lose_comma)  # of the question; most comparisons do not even see them
QUESTION_EDITS = (synonym, synonym, polite, typo)
ANSWER_EDITS = (synonym, synonym, typo, lose_comma, end_mark)
