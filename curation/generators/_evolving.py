"""Families of variants as DEITA makes them: a text is evolved step by step, then all siblings are ranked in one prompt.

Scored one at a time, texts get nearly the same score from a judge; beside their siblings, small differences show.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curation.models.chat.types import Reply, Request, Unparsed, spoken

if TYPE_CHECKING:
    from curation.models.chat.client import Say

ORIGINAL = "original"
EMPTY = "empty"
SAME = "identical to its parent"
SORRY = "an apology instead of a text"
CUT = "cut off at the limit of tokens"
SEVERAL = "several versions at once"
REFUSED = "refused"
NONE_LEFT = "no evolution succeeded"

LOW, HIGH = 1, 6
RANKINGS = 2
"""Askings for the scores of a family, each with the variants in another order."""
SORRY_WORDS = 80
"""An apology at the beginning of a longer text is part of it."""

_OPEN, _CLOSE = re.compile(r"<new>", re.IGNORECASE), re.compile(r"</new>", re.IGNORECASE)
_SORRY = re.compile(
    r"\W*((i'?m|i am|we'?re) (very |really |so )?(sorry|afraid|unable)|sorry\b|i (cannot|can'?t|can not|won'?t)"
    r"|i am not able|unfortunately,? i (cannot|can'?t)|as an ai\b|i apologi[sz]e)",
    re.IGNORECASE,
)
_SCORE = r"(?<![-–.,\w])([0-9]{1,3}(?:\.[0-9]{1,6})?)(?![.,]?[0-9])(?:\s*/\s*[56](?![0-9]))?"
_BRACKETED = re.compile(
    rf"[\s>*_#-]*[\[(]\s*(?:[a-z]+\s+)?([0-9]{{1,3}})\s*[\])][\s*_:.=–-]*(?:score[\s*_:=–-]*)?{_SCORE}(?!\w)",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    rf"[\s>*_#-]*(?:[a-z]+\s+)?([0-9]{{1,3}})(?:[.)]\s+|[\s*_]*[:=][\s*_]*|\s+[–-]\s+)(?:score[\s*_:=]*)?{_SCORE}[\s*_.]*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Variant:
    """One member of a family.

    Args:
        text: Its words.
        step: 0 = the original.
        operator: What made it from the variant before.
        words: Words more than the variant before.
    """

    text: str
    step: int = 0
    operator: str = ORIGINAL
    words: int = 0


@dataclass(frozen=True)
class Family:
    """Siblings with their scores.

    Args:
        variants: The original first.
        scores: Of each, 1 to 6; () where there are none.
        shown: At which place, from 1, each stood when they were scored.
        dropped: Evolutions that came to nothing: reason → count.
        reason: Why there are no scores, "" = there are.
    """

    variants: tuple[Variant, ...]
    scores: tuple[float, ...] = ()
    shown: tuple[int, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()
    reason: str = ""


def operators_in_turn(names: Sequence[str], steps: int, seed: int, content: bytes) -> list[str]:
    """Which operator makes each step: all of them in a shuffled order before one comes again.

    The order follows from seed and content alone, so a row's does not depend on the other rows.
    """
    rng = np.random.default_rng([seed, int.from_bytes(content)])
    made: list[str] = []
    while len(made) < steps:
        made += [names[i] for i in rng.permutation(len(names))]
    return made[:steps]


def evolved(reply: Reply, parent: str) -> str | Unparsed:
    """The text that a reply holds, or why it is none: empty, cut off, several, an apology, the parent again."""
    if reply.refusal or reply.finish == "content_filter":
        return Unparsed(REFUSED)
    said = spoken(reply.text)
    begin = _OPEN.search(said)
    text = said[begin.end() :] if begin else said
    ends = list(_CLOSE.finditer(text))
    if reply.finish == "length" and not ends:
        return Unparsed(CUT)
    text = (text[: ends[-1].start()] if ends else text).strip()
    if not text:
        return Unparsed(EMPTY)
    if begin and any(tag.search(text) and not tag.search(parent) for tag in (_OPEN, _CLOSE)):
        return Unparsed(SEVERAL)
    if _same(text, parent):
        return Unparsed(SAME)
    if _SORRY.match(text) and not _SORRY.match(parent) and len(text.split()) < SORRY_WORDS:
        return Unparsed(SORRY)
    return text


def ranked(text: str, count: int) -> tuple[float, ...] | Unparsed:
    """The scores of `count` variants from lines such as "[2] Score: 4", in the order shown.

    Every place must have one score from 1 to 6; lines that are none are passed over. A place that is named twice with
    different scores, or one beyond the last, makes the reply unusable.
    """
    found: dict[int, float] = {}
    for line in spoken(text).splitlines():
        read = _BRACKETED.match(line) or _PLAIN.match(line)
        if not read:
            continue
        place, score = int(read[1]), float(read[2])
        if not 1 <= place <= count:
            return Unparsed("it scores a variant that was not shown")
        if not LOW <= score <= HIGH:
            return Unparsed("a score is beyond 1 to 6")
        if found.setdefault(place, score) != score:
            return Unparsed("it scores a variant twice")
    if len(found) < count:
        return Unparsed("not every variant has a score")
    return tuple(found[place] for place in range(1, count + 1))


async def family_of(
    original: str,
    operators: Sequence[str],
    write: Callable[[str, str], Request],
    rank: Callable[[Sequence[str]], Request],
    say: Say,
    *,
    seed: int,
    content: bytes,
    attempt: int = 0,
) -> Family:
    """Evolve a text step by step, and have all siblings scored in one prompt.

    Each variant is made from the last one that succeeded. Siblings are shown in a shuffled order, since judges favour
    places; where the scores cannot be read they are asked for once more in another order.

    Args:
        original: The text.
        operators: One for each step.
        write: (text, operator) → the request for its next variant.
        rank: Texts in the order shown → the request for their scores.
        say: From `converse`.
        seed: Of the orders.
        content: Of the row; seed and content make the orders.
        attempt: Of the method.
    """
    from curation.models.chat.client import ask_until

    variants, dropped = [Variant(original)], Counter[str]()
    for step, operator in enumerate(operators, 1):
        parent = variants[-1].text
        made = await ask_until(say, write(parent, operator), lambda reply, p=parent: evolved(reply, p), attempt=attempt)  # type: ignore[misc]
        if isinstance(made, Unparsed):
            dropped[made.reason] += 1
        elif any(_same(made, variant.text) for variant in variants):
            dropped["identical to a sibling"] += 1
        else:
            variants.append(Variant(made, step, operator, len(made.split()) - len(parent.split())))
    losses = tuple(dropped.most_common())
    if len(variants) == 1:
        # nothing to compare with; where nobody answered at all, that is why
        return Family(tuple(variants), dropped=losses, reason=losses[0][0] if len(losses) == 1 else NONE_LEFT)
    reason = ""
    for number in range(RANKINGS):
        order = np.random.default_rng([seed, number, int.from_bytes(content)]).permutation(len(variants))
        request = rank([variants[i].text for i in order])
        scores = await ask_until(say, request, lambda reply: _scores(reply, len(variants)), tries=1, attempt=attempt)
        if not isinstance(scores, Unparsed):
            place = np.argsort(order)
            return Family(tuple(variants), tuple(scores[p] for p in place), tuple(int(p) + 1 for p in place), losses)
        reason = scores.reason
    return Family(tuple(variants), dropped=losses, reason=reason)


def _scores(reply: Reply, count: int) -> tuple[float, ...] | Unparsed:
    return Unparsed(REFUSED) if reply.refusal or reply.finish == "content_filter" else ranked(reply.text, count)


def _same(one: str, other: str) -> bool:
    return one.casefold().split() == other.casefold().split()


def pretended_scores(texts: Sequence[str]) -> str:
    """What the stand-in says of siblings: the longer, the higher."""
    order = np.argsort(np.argsort([len(text) for text in texts], kind="stable"), kind="stable")
    steps = max(len(texts) - 1, 1)
    return "\n".join(f"[{k + 1}] Score: {1 + round(4 * int(r) / steps)}" for k, r in enumerate(order))
