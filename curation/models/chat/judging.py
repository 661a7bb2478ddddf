"""A judge at work: every row is judged once, some twice, and what came back becomes arrays with reasons."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.models.chat.asking import AUTO, Asking
from curation.models.chat.auditing import ONCE, TURNED, TWICE
from curation.models.chat.live import LiveScores
from curation.models.chat.types import Reply, Request, Unparsed

if TYPE_CHECKING:
    from curation.models.chat.client import Say
    from curation.models.chat.connections import Connection

REFUSED = "refused"
CUT = "the reply was cut off at its limit of tokens"
AUDIT_SAMPLE = 1_000_000
"""Where the samples of an audit begin, beyond those of tries and attempts."""
MOST_KEPT = 20_000
"""Characters of a reply that are kept beside a score; the store has all of it."""

_IN_NUMBER = tuple("0123456789.")

Read = Callable[[Reply], tuple[float, ...] | Unparsed]
Build = Callable[[int, bool], Request | str]


@dataclass(frozen=True)
class Judgement:
    """What one asking came to.

    Args:
        values: Numbers, () = none.
        text: Of the last reply, "" = there was none.
        reason: Why there are no numbers.
        unread: Replies that said nothing usable.
    """

    values: tuple[float, ...] = ()
    text: str = ""
    reason: str = ""
    unread: int = 0


@dataclass(frozen=True)
class Judged:
    """Every row's judgements.

    Args:
        values: float64 `[n, k]`, NaN where missing.
        again: float64 `[n, k]`: asked again with the same prompt; NaN where not.
        swapped: float64 `[n, k]`: asked with the parts in another order; NaN where not.
        reasons: Why a row has no values, None = it has.
        texts: Reply texts, object `[n]`; None where there was none.
        texts_again: Of the second asking, whichever it was.
        info: Who was asked, counts of what went wrong.
    """

    values: np.ndarray
    again: np.ndarray
    swapped: np.ndarray
    reasons: list[str | None]
    texts: np.ndarray
    texts_again: np.ndarray
    info: dict[str, Any]


def target(method: Asking) -> Connection:
    """Whom a resolved method asks: its connection, with the model that the recipe names.

    Raises:
        CurationError: if the connection leads elsewhere than it did when the recipe was resolved.
    """
    from curation.models.chat.connections import STAND_IN, connection_of

    found = connection_of(method.connection)
    if method.endpoint not in (AUTO, found.endpoint):
        raise CurationError(
            f"connection '{method.connection}' leads to {found.endpoint}, and this recipe asks {method.endpoint}",
            "set endpoint: auto, or name the connection that leads there",
        )
    if found.kind == STAND_IN or method.model in (AUTO, "", found.model):
        return found
    return found.model_copy(update={"model": method.model})


async def ask_readable(say: Say, request: Request, read: Read, *, tries: int, attempt: int = 0) -> Judgement:
    """Ask until a reply can be read.

    Samples are gone through in order, those of earlier attempts first: what is stored costs nothing, and a row that
    was judged in an earlier attempt keeps its judgement.
    """
    made = Judgement(reason="nothing was asked")
    for number in range(tries * (attempt + 1)):
        answer = await say(replace(request, sample=request.sample + number))
        if answer.reply is None:
            return replace(made, reason=answer.reason)
        text = clean(answer.reply.text or answer.reply.refusal)
        found = _read(answer.reply, read)
        if not isinstance(found, Unparsed):
            return Judgement(found, text, "", made.unread)
        made = Judgement((), text, found.reason, made.unread + 1)
    return made


def _read(reply: Reply, read: Read) -> tuple[float, ...] | Unparsed:
    """What a reply says; a refusal says nothing, and where a cut one cannot be read, that is the reason."""
    if reply.refusal or reply.finish == "content_filter":
        return Unparsed(REFUSED)
    found = read(reply)
    if isinstance(found, Unparsed) and reply.finish == "length":
        return Unparsed(CUT)
    return found


def ends_in_number(reply: Reply) -> bool:
    """True when a reply was cut off at its limit of tokens within a number, or where one more digit may have come."""
    return reply.finish == "length" and reply.text[-1:] in _IN_NUMBER


def judge_rows(
    pool: Dataset,
    build: Build,
    read: Read,
    method: Asking,
    runtime: Runtime,
    *,
    width: int,
    turns: np.ndarray,
    tries: int,
    scale: tuple[float, float],
    shown: Callable[[tuple[float, ...]], float] = lambda values: values[0],
) -> Judged:
    """Ask about every row, and a second time about those that are audited.

    Args:
        pool: n rows.
        build: (row, parts in another order) → what is asked, or why the row cannot be judged.
        read: A reply → k numbers, or why it says none.
        method: Resolved; says who is asked.
        runtime: How.
        width: k.
        turns: int8 `[n]` from `auditing.audited`.
        tries: Askings until a reply can be read.
        scale: Lowest and highest of the score that is shown while it runs.
        shown: That score, from the k numbers.

    Raises:
        ModelError: the server refuses, as it does a wrong key.
        CapReached: the run has spent what it may; replies so far are kept.
    """
    from curation.models.chat.client import converse

    connection = target(method)
    live = LiveScores(runtime, *scale)

    async def talk(row: int, say: Say) -> tuple[Judgement, Judgement | None]:
        first = build(row, False)
        if isinstance(first, str):
            return Judgement(reason=first), None
        made = await ask_readable(say, first, read, tries=tries, attempt=method.attempt)
        if turns[row] == ONCE or not made.values:
            return made, None
        second = build(row, bool(turns[row] == TURNED))
        if isinstance(second, str):
            return made, None
        second = replace(second, sample=AUDIT_SAMPLE)
        return made, await ask_readable(say, second, read, tries=tries, attempt=method.attempt)

    def done(row: int, made: tuple[Judgement, Judgement | None]) -> None:
        live.add(shown(made[0].values) if made[0].values else None)

    found = converse(len(pool), talk, connection, runtime, done=done)
    live.close()
    return _collect(found, turns, width, connection.info())


def _collect(
    found: list[tuple[Judgement, Judgement | None]], turns: np.ndarray, width: int, who: dict[str, Any]
) -> Judged:
    n = len(found)
    values, again, swapped = (np.full((n, width), np.nan) for _ in range(3))
    texts, texts_again = np.full(n, None, object), np.full(n, None, object)
    reasons: list[str | None] = []
    for row, (first, second) in enumerate(found):
        reasons.append(None if first.values else first.reason)
        texts[row] = first.text or None
        if first.values:
            values[row] = first.values
        if second is not None:
            texts_again[row] = second.text or None
            if second.values:
                (again if turns[row] == TWICE else swapped)[row] = second.values
    askings = [made for pair in found for made in pair if made is not None]
    unread, read = sum(made.unread for made in askings), sum(bool(made.values) for made in askings)
    second_asked = np.array([second is not None for _, second in found], bool)
    info = {
        **who,
        "replies that could not be read": unread,
        "share of replies that could not be read": unread / (unread + read) if unread + read else math.nan,
        "rows without a score": dict(Counter(reason for reason in reasons if reason).most_common()),
        "rows judged again": int(((turns == TWICE) & second_asked).sum()),
        "rows judged in another order": int(((turns == TURNED) & second_asked).sum()),
    }
    return Judged(values, again, swapped, reasons, texts, texts_again, info)


def clean(text: str) -> str:
    """A reply as it can be stored anywhere: half character pairs become marks, and it is cut where it is very long."""
    kept = text if len(text) <= MOST_KEPT else f"{text[:MOST_KEPT]} …"
    return kept.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def pretended(content: bytes, purpose: str, count: int) -> list[float]:
    """Numbers in [0, 1) that follow from a row's content, for replies of the stand-in.

    Args:
        content: 16 bytes.
        purpose: Another purpose, other numbers.
        count: How many.
    """
    made = []
    for place in range(count):
        digest = hashlib.blake2b(content + place.to_bytes(4), key=purpose.encode()[:64], digest_size=8).digest()
        made.append(int.from_bytes(digest) / 2**64)
    return made


def on_scale(part: float, low: float, high: float, step: float) -> float:
    """A number in [0, 1) as a score of a scale."""
    steps = math.floor((high - low) / step + 1e-9) + 1
    return low + step * min(int(part * steps), steps - 1)
