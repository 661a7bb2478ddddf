"""What asking costs, on the command line: caps, what would be asked, and what was spent beside what was expected."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from curation.cli.show import err, out, table
from curation.core.errors import CurationError, RecipeError
from curation.core.method import parse_budget
from curation.core.runtime import Runtime, checked_device, resolve_device
from curation.core.spending import Caps
from curation.engine import Outcome
from curation.estimates import Estimate
from curation.estimates.asking import compare, plan_calls
from curation.estimates.extrapolate import Range
from curation.estimates.forecast import asking_steps, dataset_of, probe_steps, rows_asked, with_replies
from curation.estimates.spending import Cost
from curation.jobs import Status
from curation.models.chat.asking import Asking
from curation.models.chat.connections import connection_of
from curation.recipe import Plan, Recipe, plan
from curation.workspace import Workspace

MoneyOption = Annotated[
    float | None, typer.Option("--max-money", help="Stop asking chat models before this much is spent")
]
TokensOption = Annotated[
    str | None, typer.Option("--max-tokens", help="The same for tokens, read and written: 200k, 2M")
]
CallsOption = Annotated[str | None, typer.Option("--max-calls", help="The same for requests: 1000, 10k")]
ProbeOption = Annotated[
    bool, typer.Option("--probe", help="As --dry-run, but really ask about 30 rows of each step that asks; it costs")
]
BASES = {
    "probe": "measured on {n} rows",
    "history": "from a run before",
    "replies": "from {n} rows answered before",
    "text": "limits only: nothing was asked yet, --probe measures",
    "stored": "all replies are stored",
}


def caps_of(money: float | None, tokens: str | None, calls: str | None) -> Caps:
    """Caps from options.

    Raises:
        CurationError: for one that is no number above 0.
    """
    if money is not None and not 0 < money < float("inf"):
        raise CurationError(f"--max-money {money:g} is no amount above 0")
    return Caps(money, _count("--max-tokens", tokens), _count("--max-calls", calls))


def _count(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        unit, number = parse_budget(f"{text} tokens")
    except CurationError:
        raise CurationError(f"{option} '{text}' is no count", "write it as 1000, 200k or 2M") from None
    assert unit == "tokens"
    return int(number)


def check_caps(made: Plan, workspace: Workspace, caps: Caps) -> None:
    """Refuse a cap that cannot be kept, before anything runs.

    Raises:
        CurationError: for a cap on money where a connection names no prices.
    """
    for step in asking_steps(made, workspace) if caps.money is not None else ():
        assert isinstance(step.method, Asking)
        connection = connection_of(step.method.connection)
        if connection.kind == "openai" and connection.prices is None:
            raise CurationError(
                f"the connection '{connection.name}' names no prices, so a cap on money cannot be kept",
                "add them with: curate connections add NAME --replace …; or use --max-tokens",
            )


# ------------------------------------------------------------------ before


def probe_recipe(
    workspace: Workspace, recipe: Recipe, bindings: Mapping[str, str], device: str, caps: Caps, *, quiet: bool
) -> None:
    """Really ask about a few rows of each step that asks, and say what that took.

    Raises:
        RecipeError: if no step asks anybody.
    """
    runtime = dataclasses.replace(_runtime(device), caps=caps)
    made = plan(recipe, workspace, bindings, runtime)
    if not any(isinstance(step.method, Asking) for step in made.steps):
        raise RecipeError("no step of this recipe asks a chat model", "--dry-run estimates what it takes")
    check_caps(made, workspace, caps)
    told = (lambda name: None) if quiet else (lambda name: err.print(f"asking about a few rows: {name}"))
    for name, cost in probe_steps(made, workspace, runtime, told=told).items():
        if isinstance(cost, str):
            err.print(f"note: {name} cannot be probed yet: {cost}")
        elif not quiet and cost.spent:
            out.print(f"{name}: the probe took {spent_text(cost.spent, cost.currency)}; its replies are kept")


def _runtime(device: str) -> Runtime:
    return Runtime(device=resolve_device() if device == "auto" else checked_device(device))


def show_asking(workspace: Workspace, made: Plan, estimates: Sequence[Estimate], *, example: bool = True) -> None:
    """Tables of what would be asked and what it costs, and one request as it would be sent. Sends nothing."""
    asking = {s.name: s.method.connection for s in made.steps if isinstance(s.method, Asking)}
    for each in (e for e in estimates if e.step in asking and not e.reused):
        cost = each.asks
        if cost is None:
            out.print(f"\n{each.step} asks '{asking[each.step]}': how much is not known, another step makes its rows")
            continue
        known = BASES[cost.basis].format(n=cost.sample)
        title = f"\n{each.step} asks '{asking[each.step]}' about {cost.rows:,} rows; {known}"
        table(title, ["what", "expected (from to)"], [
            ["requests", range_text(cost.calls)],
            ["tokens read", range_text(cost.tokens_in)],
            ["tokens written", range_text(cost.tokens_out)],
            ["money", money_text(cost)],
        ])  # fmt: skip
    for each in estimates:
        if each.asks is not None and each.asks.stand_in:
            err.print(f"note: {each.step} asks the stand-in: nobody answers, and its tokens are counted by characters")
    for step in asking_steps(made, workspace) if example else ():
        _show_example(workspace, made, step.name)


def _show_example(workspace: Workspace, made: Plan, name: str) -> None:
    step = made.step(name)
    pool = dataset_of(step, workspace)
    if pool is None or not isinstance(step.method, Asking):
        return
    rows, _ = rows_asked(step, made, workspace, pool)
    counted = plan_calls(step.method, rows, with_replies(Runtime(), workspace))
    out.print(
        f"\n{name}: {counted.asked:,} rows, {counted.first:,} different first requests, {counted.stored:,} of their "
        f"replies are stored; the longest has {counted.longest:,} characters"
    )
    if counted.example is None:
        return
    out.print(f"row {counted.example_row + 1} asks (at most {counted.example.max_tokens:,} tokens are written):")
    for role, text in counted.example.messages:
        out.print(f"--- {role}\n{printable(text)}")
    out.print("---")


def asking_facts(workspace: Workspace, made: Plan) -> dict[str, Any]:
    """What --json tells of a dry run about each step that asks."""
    found: dict[str, Any] = {}
    for step in asking_steps(made, workspace):
        pool = dataset_of(step, workspace)
        if pool is None or not isinstance(step.method, Asking):
            continue
        rows, _ = rows_asked(step, made, workspace, pool)
        counted = plan_calls(step.method, rows, with_replies(Runtime(), workspace))
        example = counted.example
        found[step.name] = {
            "connection": step.method.connection,
            "rows": counted.asked,
            "requests": counted.first,
            "stored": counted.stored,
            "calls": counted.calls,
            "longest": counted.longest,
            "example": example and {"messages": example.messages, "max_tokens": example.max_tokens},
        }
    return found


# ------------------------------------------------------------------ during and after


def spending_text(status: Status) -> str:
    """What a running job has spent so far, beside what was expected; "" while nobody was asked."""
    spent = status.spent
    if not spent:
        return ""
    expected = [cost_in(e) for e in status.estimates if e.get("asks")]
    moneys = [cost["money"]["value"] for cost in expected if cost.get("money")]
    if any(cost.get("money") for cost in expected) or spent.get("money"):
        about = f" of about {sum(moneys):,.2f}" if moneys else ""
        cap = status.caps.get("money")
        return f"{spent.get('money', 0.0):,.2f}{about} {spent.get('currency', '')}" + (f", cap {cap:g}" if cap else "")
    tokens = spent.get("tokens_in", 0) + spent.get("tokens_out", 0)
    about = sum(cost["tokens_in"]["value"] + cost["tokens_out"]["value"] for cost in expected)
    return f"{tokens:,} tokens" + (f" of about {about:,.0f}" if about else "")


def cost_in(estimate: Mapping[str, Any]) -> dict[str, Any]:
    """The cost in an estimate of a status file."""
    return dict(estimate.get("asks") or {})


def say_spent(outcome: Outcome, expected: Mapping[str, Estimate]) -> None:
    """For each step that asked: what was spent beside what was expected."""
    rows: list[list[Any]] = []
    for fact in outcome.steps:
        cost = expected[fact.name].asks if fact.name in expected else None
        if not fact.spent or cost is None:
            continue
        for each in compare(cost, fact.spent):
            known = "" if cost.basis == "text" else "yes" if each.inside else "no"
            unit = f"money, {cost.currency}" if each.name == "money" else NAMES[each.name]
            text = money_range if each.name == "money" else range_text
            actual = f"{each.actual:,.4f}" if each.name == "money" else f"{each.actual:,.0f}"
            rows.append([fact.name, unit, text(each.expected), actual, known])
        if fact.spent.get("reused"):
            out.print(f"{fact.name}: {fact.spent['reused']:,.0f} replies were stored already and cost nothing")
    if rows:
        table("Spent", ["step", "what", "expected", "actual", "inside"], rows)


def foretold(estimates: Sequence[Estimate]) -> list[str]:
    """A sentence before a run for each step that asks."""
    found = []
    for each in estimates:
        cost = each.asks
        if cost is None or not cost.rows:
            continue
        known = BASES[cost.basis].format(n=cost.sample)
        price = "" if cost.money is None else f", {money_text(cost)}"
        tokens = f"{range_text(cost.tokens)} tokens"
        found.append(f"{each.step} will send {range_text(cost.calls)} requests, {tokens}{price} ({known})")
        if cost.stand_in:
            found.append(f"{each.step} asks the stand-in: nobody answers, its scores say nothing about the rows")
    return found


def printable(text: str) -> str:
    """Text of a dataset without what would steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


NAMES = {"calls": "requests", "tokens_in": "tokens read", "tokens_out": "tokens written", "money": "money"}


def spent_text(spent: Mapping[str, Any], currency: str) -> str:
    """What a probe or run took, in words."""
    text = f"{spent.get('calls', 0):,.0f} requests, {spent.get('tokens_in', 0):,.0f} tokens read"
    text += f", {spent.get('tokens_out', 0):,.0f} written"
    return text + (f", {spent.get('money', 0.0):,.4f} {currency}" if currency else "")


def range_text(value: Range) -> str:
    """A count with its interval."""
    if value.low == value.high:
        return f"{value.value:,.0f}"
    high = "?" if value.high == float("inf") else f"{value.high:,.0f}"
    return f"{value.value:,.0f} ({value.low:,.0f} to {high})"


def money_range(value: Range) -> str:
    """Money with its interval."""
    if value.low == value.high:
        return f"{value.value:,.2f}"
    digits = 2 if value.value >= 1 else 4
    high = "?" if value.high == float("inf") else f"{value.high:,.{digits}f}"
    return f"{value.value:,.{digits}f} ({value.low:,.{digits}f} to {high})"


def money_text(cost: Cost) -> str:
    """Money of a cost, or that it is not known."""
    return "not known" if cost.money is None else f"{money_range(cost.money)} {cost.currency}"
