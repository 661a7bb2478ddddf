"""Commands about who is asked: `curate connections`."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from curation.cli.show import JsonOption, err, out, print_json, seconds_text, table
from curation.cli.spending import printable
from curation.core.errors import CurationError, ModelError
from curation.core.runtime import Runtime
from curation.core.spending import Meter, Prices
from curation.models.chat.connections import (
    STAND_IN,
    Connection,
    connection_of,
    connections,
    connections_file,
    remove_connection,
    said,
    save_connection,
)
from curation.models.chat.types import Request

app = typer.Typer(
    help="Chat models that judge and write: servers, local models. Keys stay in the environment.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(help="What recipes call it: judge, local, ...")]


@app.callback()
def listing(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the connections."""
    if context.invoked_subcommand is not None:
        return None
    there = connections()
    if as_json:
        return print_json({"file": str(connections_file()), "connections": [facts(c) for c in there.values()]})
    columns = ["name", "kind", "address", "model", "key from", "price in/out per M", "at once"]
    rows = [
        [c.name, c.kind, c.address, c.model, key_text(c), price_text(c.prices), c.concurrency] for c in there.values()
    ]
    table("", columns, rows)
    out.print(f"kept in {connections_file()}")
    if set(there) == {STAND_IN}:
        out.print("add one:  curate connections add judge --address http://127.0.0.1:8000/v1 --model NAME")
    return None


@app.command("add")
def add(
    name: NameArgument,
    address: Annotated[str, typer.Option(help="Of the server: http://127.0.0.1:8000/v1")] = "",
    model: Annotated[str, typer.Option(help="As the server calls it; with --kind local a name or folder")] = "",
    kind: Annotated[str, typer.Option(help="openai (any server with this protocol), local or stand-in")] = "openai",
    key_variable: Annotated[
        str | None, typer.Option(help="NAME of the environment variable that holds the key; never the key itself")
    ] = None,
    input_price: Annotated[float | None, typer.Option(min=0, help="Money per million tokens read")] = None,
    output_price: Annotated[float | None, typer.Option(min=0, help="Money per million tokens written")] = None,
    currency: Annotated[str, typer.Option(help="Of the prices, three letters")] = "USD",
    concurrency: Annotated[int | None, typer.Option(min=1, help="Requests under way at once, at most [64]")] = None,
    timeout: Annotated[float | None, typer.Option(min=1, help="Seconds that a reply may take [60]")] = None,
    structured: Annotated[str | None, typer.Option(help="JSON replies: auto, schema, json or none [auto]")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a connection of this name")] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a connection; nothing is sent."""
    if name in connections() and not replace:
        raise CurationError(f"there is a connection '{name}' already", "give another name, or --replace")
    if (input_price is None) != (output_price is None):
        raise CurationError("a price is missing", "give both --input-price and --output-price, or neither")
    fields: dict[str, Any] = {
        "address": address or None,
        "model": model or None,
        "key": key_variable,
        "prices": None if input_price is None else Prices(input_price, output_price or 0.0, currency),
        "concurrency": concurrency,
        "timeout": timeout,
        "structured": structured,
    }
    made = _connection({"name": name, "kind": kind, **{k: v for k, v in fields.items() if v is not None}})
    path = save_connection(made)
    if as_json:
        return print_json({"file": str(path), "connection": facts(made)})
    out.print(f"'{name}' is kept in {path}")
    if made.warning():
        err.print(f"note: {made.warning()}")
    if made.key and not os.environ.get(made.key):
        err.print(f"note: {made.key} is not set in this shell:  export {made.key}=…")
    if made.kind == "openai" and made.prices is None:
        err.print("note: without prices money is not known, and --max-money cannot be used")
    out.print(f"try it:  curate connections test {name}")
    return None


@app.command("test")
def test(name: NameArgument, as_json: JsonOption = False) -> None:
    """Send one short request and show the reply."""
    from curation.models.chat.client import ask_all

    connection, meter = connection_of(name), Meter()
    question = Request(
        (("user", "Reply with the single word: ready"),), max_tokens=64, logprobs=5, pretend="ready", sample=0
    )
    if not as_json and connection.warning():
        err.print(f"note: {connection.warning()}")
    answer = ask_all([question], connection, Runtime(meter=meter))[0]
    if answer.reply is None:
        raise ModelError(f"connection '{name}': no reply, {answer.reason}", "look at the server's log, and try again")
    reply = answer.reply
    found = {
        "connection": name,
        "model": reply.model,
        "reply": reply.text,
        "finish": reply.finish,
        "seconds": reply.seconds,
        "tokens_in": reply.tokens_in,
        "tokens_out": reply.tokens_out,
        "logprobs": bool(reply.first),
        "money": connection.prices and connection.prices.of(reply.tokens_in, reply.tokens_out),
        "stand_in": connection.kind == STAND_IN,
    }
    if as_json:
        return print_json(found)
    if connection.kind == STAND_IN:
        out.print(f"'{name}' is the stand-in: it asks nobody and makes replies up")
        return None
    out.print(f"'{name}' answers: {' '.join(reply.text.split())[:200]!r}")
    out.print(
        f"{printable(reply.model or connection.model)}, {seconds_text(reply.seconds)}, {reply.tokens_in:,} tokens read "
        f"and {reply.tokens_out:,} written, {'with' if reply.first else 'without'} log-probabilities"
    )
    if reply.finish == "length":
        err.print("note: the reply was cut off at 64 tokens; a model that thinks aloud needs more of them")
    return None


@app.command("remove")
def remove(name: NameArgument, as_json: JsonOption = False) -> None:
    """Forget a connection; replies that are stored stay."""
    remove_connection(name)
    if as_json:
        return print_json({"removed": name})
    out.print(f"'{name}' is gone; its stored replies are still there (curate replies)")
    return None


def _connection(fields: dict[str, Any]) -> Connection:
    """A connection from what was given.

    Raises:
        CurationError: in one line, without the values.
    """
    try:
        return Connection(**fields)
    except ValidationError as error:
        text = said(error).replace("address: ", "--address: ").replace("model: ", "--model: ")
        raise CurationError(f"this is no connection: {text}", "see: curate connections add --help") from None


def facts(connection: Connection) -> dict[str, Any]:
    """What --json tells about a connection: never a key."""
    made = connection.model_dump(mode="json")
    return {
        **made,
        "endpoint": connection.endpoint,
        "key_is_set": bool(connection.key and os.environ.get(connection.key)),
    }


def key_text(connection: Connection) -> str:
    """Where the key comes from, and whether it is there."""
    if not connection.key:
        return ""
    return connection.key if os.environ.get(connection.key) else f"{connection.key} (not set)"


def price_text(prices: Prices | None) -> str:
    """Both prices; "not known" is not free."""
    return "not known" if prices is None else f"{prices.input:g} / {prices.output:g} {prices.currency}"
