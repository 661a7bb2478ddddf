"""What the server is told: who judges, how fast, and which requests meet which fault."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import Any

from tests.loopback.faults import FAULTS


@dataclass(frozen=True)
class Rule:
    """One fault, and the requests that meet it. The first rule that fits decides.

    Args:
        fault: A name of `faults.FAULTS`.
        share: Of the requests, picked by a hash of their text: the same ones in every run. Shares of rules that follow
            each other do not overlap: {0.1, 0.1} are 20 % of all.
        per: "call": how often the text has been seen is part of the hash, so a repeated request is drawn anew;
            "text": it is not, so a request that meets a fault meets it every time (or `times` times).
        match: Only requests in which this stands.
        times: Only the first so many times that a text is seen; None = always.
        after: Only after the text was seen so often.
        calls: Only from this call of the server on, counted over all texts (a server that goes down at the 500th).
        seconds: For "slow": more than usual.
        retry_after: For 429 and 503: what the header says, in seconds; None = no header.
        text: For "says": the content.
    """

    fault: str
    share: float = 1.0
    per: str = "call"
    match: str = ""
    times: int | None = None
    after: int = 0
    calls: int = 0
    seconds: float = 0.5
    retry_after: float | None = None
    text: str = ""

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"'{self.fault}' is no fault; there are {', '.join(sorted(FAULTS))}")
        if self.per not in ("call", "text"):
            raise ValueError("per is 'call' or 'text'")


@dataclass(frozen=True)
class Script:
    """Everything about a server.

    Args:
        judge: A name of `judges.JUDGES`, or "module:function".
        planted: A JSON file {text: what to say about a request that contains it}; see `judges.planted`.
        key: The secret that must be sent as "Authorization: Bearer …"; "" = none is asked for.
        models: Names that are served; () = any.
        latency: Seconds for every reply.
        jitter: Seconds, drawn by hash between 0 and this, on top.
        capacity: Requests served at once; 0 = any number.
        over: What happens to more: "queue" or "429".
        schema: How response_format is taken: "follow", "ignore", "refuse" (400), "object" (json_schema is refused).
        logprobs: "follow", "ignore" or "refuse".
        usage: Whether replies tell tokens.
        limit: Tokens of a request that are too many (400); 0 = any number.
        faults: In order of precedence.
        seed: Of the hashes.
    """

    judge: str = "length"
    planted: str = ""
    key: str = ""
    models: tuple[str, ...] = ()
    latency: float = 0.0
    jitter: float = 0.0
    capacity: int = 0
    over: str = "queue"
    schema: str = "follow"
    logprobs: str = "follow"
    usage: bool = True
    limit: int = 0
    faults: tuple[Rule, ...] = field(default=())
    seed: int = 0

    @staticmethod
    def of(said: dict[str, Any]) -> Script:
        """From JSON; unknown words are an error."""
        unknown = set(said) - {f.name for f in fields(Script)}
        if unknown:
            raise ValueError(f"a script does not know {', '.join(sorted(unknown))}")
        rules = tuple(Rule(**rule) for rule in said.get("faults", ()))
        return Script(**{**said, "faults": rules, "models": tuple(said.get("models", ()))})

    def rule(self, text: str, seen: int, call: int) -> Rule | None:
        """The rule for a request.

        Args:
            text: Of its messages.
            seen: How often this text came before.
            call: How many requests came before, whatever their text.
        """
        begin = {"call": 0.0, "text": 0.0}
        for each in self.faults:
            start = begin[each.per]
            begin[each.per] += each.share if each.share < 1 else 0.0
            if seen < each.after or (each.times is not None and seen >= each.after + each.times) or call < each.calls:
                continue
            if each.match and each.match not in text:
                continue
            if each.share < 1:
                u = drawn(self.seed, text, seen if each.per == "call" else -1)
                if not start <= u < start + each.share:
                    continue
            return each
        return None


def drawn(*parts: object) -> float:
    """A number in [0, 1) that is always the same for the same parts."""
    data = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=7).digest(), "big") / 2**56


def mixed(share: float, *, retry_after: float = 0.02, slow: float = 0.05, closed: bool = True) -> list[dict[str, Any]]:
    """Rules in which a share of all calls fails, evenly in every way that a later try may mend.

    Args:
        share: Of the calls, in [0, 1).
        retry_after: Seconds that half of the 429 ask for.
        slow: Seconds that slow replies take more.
        closed: Also connections that break.
    """
    kinds: list[dict[str, Any]] = [
        {"fault": "429"}, {"fault": "429", "retry_after": retry_after}, {"fault": "500"}, {"fault": "503"},
        {"fault": "408"}, {"fault": "409"}, {"fault": "slow", "seconds": slow}, {"fault": "invalid-json"},
        {"fault": "empty-body"}, {"fault": "wrong-type"}, {"fault": "html"},
    ]  # fmt: skip
    kinds += [{"fault": "closed"}, {"fault": "cut"}] if closed else []
    return [{**kind, "share": share / len(kinds)} for kind in kinds]
