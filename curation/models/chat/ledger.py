"""What a run spends on requests, and whether one more fits under its caps."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from curation.core.errors import CurationError
from curation.core.spending import Caps, Meter, Prices
from curation.models.chat._run_state import of_run
from curation.models.chat.types import Reply


@dataclass(frozen=True)
class Share:
    """What a request under way may cost at most, in tokens."""

    tokens_in: int
    tokens_out: int


class Ledger:
    """Counts on a meter. What is under way counts against the caps with the most that it can cost.

    Requests whose end is not known (no reply in time, a broken connection) may have been charged: they count against
    the caps with the most that they can have cost, but not on the meter, which holds what servers said.

    Args:
        caps: What the run may spend.
        meter: Of the run; requests of earlier steps are on it already.
        prices: Of the connection; None = not known.
        unsure: Tokens read, written, and money, of requests whose end is not known; shared by the steps of a run.
    """

    def __init__(self, caps: Caps, meter: Meter, prices: Prices | None, unsure: list[float] | None = None) -> None:
        self.caps, self.meter, self.prices = caps, meter, prices
        self.unsure = [0.0, 0.0, 0.0] if unsure is None else unsure
        self._held = [0.0, 0.0, 0.0]
        self._settled: asyncio.Event | None = None
        self._under_way = 0
        self._full = ""
        self._shut = False

    def shut(self) -> None:
        """Nothing fits any more."""
        self._shut = True

    async def hold(self, share: Share) -> bool:
        """Wait until the request fits, and count it as sent; False: it does not fit, whatever may still come back."""
        while self._shut or self._over(share):
            if self._shut or not self._under_way:
                self._full = self._over(share)
                return False
            if self._settled is None:
                self._settled = asyncio.Event()
            await self._settled.wait()
        self._under_way += 1
        self._add(self._held, share, 1)
        self.meter.calls += 1
        self.meter.in_flight = self._under_way
        return True

    def settle(self, share: Share, reply: Reply | None, *, unpaid: bool = False) -> None:
        """The request has ended.

        Args:
            share: As it was held.
            reply: What came back.
            unpaid: Without a reply: certain not to be charged.
        """
        self._under_way -= 1
        self._add(self._held, share, -1)
        if not self._under_way:
            self._held = [0.0, 0.0, 0.0]  # no trace of rounding
        self.meter.in_flight = self._under_way
        if reply is not None:
            self.meter.answered += 1
            self.meter.tokens_in += reply.tokens_in
            self.meter.tokens_out += reply.tokens_out
            if self.prices:
                self.meter.money += self.prices.of(reply.tokens_in, reply.tokens_out)
        elif not unpaid:
            self._add(self.unsure, share, 1)
        if self._settled is not None:
            self._settled.set()
            self._settled = None

    def reached(self) -> str:
        """Which cap is reached, and what was spent, in words."""
        meter, caps = self.meter, self.caps
        spent = f"{meter.calls:,} calls, {meter.tokens_in + meter.tokens_out:,} tokens"
        if self.prices:
            spent += f", {meter.money:.4f} {meter.currency}"
        if self.unsure[0] + self.unsure[1] > 0:
            doubt = f"{self.unsure[0] + self.unsure[1]:,.0f} tokens"
            spent += f"; at most {doubt} more for requests that ended without a reply"
        cap = {
            "calls": f"{caps.calls:,} calls" if caps.calls is not None else "",
            "tokens": f"{caps.tokens:,} tokens" if caps.tokens is not None else "",
            "money": f"{caps.money:.2f} {meter.currency}" if caps.money is not None else "",
        }[self._full or "calls"]
        return f"the cap of {cap} is reached: {spent}"

    def _over(self, share: Share) -> str:
        """Which cap the request would break, "" = none."""
        meter, caps = self.meter, self.caps
        if caps.calls is not None and meter.calls + 1 > caps.calls:
            return "calls"
        if caps.tokens is not None:
            counted = meter.tokens_in + meter.tokens_out + sum(self._held[:2]) + sum(self.unsure[:2])
            if counted + share.tokens_in + share.tokens_out > caps.tokens:
                return "tokens"
        if caps.money is not None and self.prices:
            counted = meter.money + self._held[2] + self.unsure[2]
            if counted + self.prices.of(share.tokens_in, share.tokens_out) > caps.money * (1 + 1e-12):
                return "money"
        return ""

    def _add(self, sums: list[float], share: Share, sign: int) -> None:
        sums[0] += sign * share.tokens_in
        sums[1] += sign * share.tokens_out
        if self.prices:
            sums[2] += sign * self.prices.of(share.tokens_in, share.tokens_out)


def ledger_of(caps: Caps, meter: Meter, prices: Prices | None, *, free: bool) -> Ledger:
    """The ledger of one step of a run.

    Args:
        caps: Of the run.
        meter: Of the run.
        prices: Of the connection, None = not known.
        free: Nobody charges anything: a model in this process, or the stand-in.

    Raises:
        CurationError: for a cap in money where prices are not known, or are in another currency than what was spent.
    """
    if free:
        prices = Prices(currency=meter.currency) if prices is None else prices
    if caps.money is not None and prices is None:
        raise CurationError(
            "a cap in money needs prices, and the connection has none",
            "add prices to the connection (0 for a server of your own), or cap tokens or calls instead",
        )
    if prices is not None and prices.currency != meter.currency:
        if meter.money:
            raise CurationError(f"one run cannot spend {meter.currency} and {prices.currency}", "split the recipe")
        meter.currency = prices.currency
    return Ledger(caps, meter, prices, of_run(meter, "unsure", lambda: [0.0, 0.0, 0.0]))
