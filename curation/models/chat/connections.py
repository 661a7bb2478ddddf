"""Who can be asked: the user's connections, in a file of the user outside any workspace.

The file names the environment variable that holds a key, never the key: anything that looks like one is refused.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from curation.core.errors import CurationError, machine_problem
from curation.core.spending import Prices
from curation.models._folder import revision_of
from curation.models.chat._plain_yaml import TwiceError, plain_yaml
from curation.models.chat.secrets import holds_key, is_variable, looks_secret

if TYPE_CHECKING:
    from curation.models.chat.trying import Tried

STAND_IN, LOCAL = "stand-in", "local"
FILE_VARIABLE = "CURATION_CONNECTIONS"

Kind = Literal["openai", "local", "stand-in"]
Structured = Literal["auto", "schema", "json", "none"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ \-]{0,79}")


class Connection(BaseModel):
    """Who is asked, and how.

    Attributes:
        endpoint: Normalised address; "local" or "stand-in" where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=())

    name: str = Field(min_length=1, max_length=80, description="what recipes call it")
    kind: Kind = Field("openai", description="a server that speaks OpenAI's protocol, a model in this process, or none")
    address: str = Field("", max_length=2000, description="of the server, such as http://127.0.0.1:8000/v1")
    model: str = Field("", max_length=500, description="name as the server knows it; for a local model name or folder")
    key: str | None = Field(
        None, description="NAME of the environment variable that holds the key; none: no key is sent"
    )
    prices: Prices | None = Field(None, description="per million tokens; none: not known")
    concurrency: int = Field(64, ge=1, le=1024, description="requests under way at once, at most")
    timeout: float = Field(60.0, gt=0, le=3600, description="seconds that a reply may take")
    structured: Structured = Field("auto", description="how the server is told to reply in JSON; auto: as it can")

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("a name has letters, digits, blanks and . _ - only, and begins with a letter or digit")
        if looks_secret(value):
            raise ValueError("the name looks like a secret")
        return value

    @field_validator("key")
    @classmethod
    def _variable(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not is_variable(value):
            raise ValueError(
                "this must be the NAME of an environment variable, such as OPENAI_API_KEY; what is written looks like "
                "a key itself or is no name. Keys belong into the environment only"
            )
        return value

    @field_validator("prices", mode="before")
    @classmethod
    def _both(cls, value: Any) -> Any:
        if isinstance(value, dict) and not {"input", "output"} <= set(value):
            raise ValueError("give both input and output; 0 where one is free")
        return value

    @field_validator("prices")
    @classmethod
    def _priced(cls, value: Prices | None) -> Prices | None:
        if value and not (0 <= value.input < 1e9 and 0 <= value.output < 1e9):
            raise ValueError("prices are per million tokens, 0 or more")
        if value and not re.fullmatch(r"[A-Za-z]{3}", value.currency):
            raise ValueError("a currency has three letters, such as USD")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == STAND_IN:
            return self
        if self.name == STAND_IN:
            raise ValueError(f"the name '{STAND_IN}' is taken by the stand-in that always exists")
        if not self.model.strip():
            raise ValueError("model: which one is asked?")
        if self.kind == "openai":
            _normal(self.address)
            if self.key and _open(self.address):
                raise ValueError(
                    "address: a key must not travel over plain http to the internet; use https, or an address of this "
                    "machine or of a private network"
                )
        return self

    @property
    def endpoint(self) -> str:
        """Normalised address; "local" or "stand-in" where there is none."""
        return _normal(self.address) if self.kind == "openai" else self.kind

    def identity(self) -> dict[str, Any]:
        """Who is asked, for keys of replies: endpoint and model; of a model in this process also which weights.

        Raises:
            ModelError: if a local model is not there.
        """
        found = {"endpoint": self.endpoint, "model": STAND_IN if self.kind == STAND_IN else self.model}
        return {**found, "revision": revision_of(self.model)} if self.kind == LOCAL else found

    def info(self) -> dict[str, Any]:
        """Facts for a result's info: who was asked, and what a server turned out not to take in this process.

        Those of the stand-in are marked as weak.
        """
        from curation.models.chat.backends import given_up

        missing = given_up(self)
        left_out = {"given_up": list(missing)} if missing else {}
        return {**self.identity(), **left_out, **({"stand_in": True, "weak": True} if self.kind == STAND_IN else {})}

    def secret(self) -> str:
        """The key, from the environment only; "" where none is sent.

        Raises:
            CurationError: if the variable is not set.
        """
        if not self.key:
            return ""
        found = os.environ.get(self.key, "").strip()
        if not found:
            raise CurationError(
                f"connection '{self.name}': the environment variable {self.key} is not set",
                f"export {self.key}=… in the shell that starts curate, then start it again",
            )
        if not (found.isascii() and found.isprintable()) or " " in found:
            raise CurationError(
                f"connection '{self.name}': the environment variable {self.key} holds no usable key",
                "it has blanks, line ends or letters that no HTTP header can carry",
            )
        return found

    def warning(self) -> str:
        """What a user should know before a key is sent, "" = nothing."""
        if (
            self.kind == "openai"
            and self.key
            and urlsplit(self.endpoint).scheme == "http"
            and not _loopback(self.address)
        ):
            return "the key travels unencrypted: use this in a network that you trust"
        return ""


# ----------------------------------------------------------------------- addresses


def _normal(address: str) -> str:
    """An address with scheme and host in lower case, without the default port and slashes at the end."""
    parts = _parts(address)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    if port and port != {"http": 80, "https": 443}[parts.scheme]:
        host = f"{host}:{port}"
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def _parts(address: str) -> Any:
    form = "address: write it as http://127.0.0.1:8000/v1 or https://host/v1"
    try:
        parts = urlsplit(address.strip())
        bad = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        raise ValueError(form) from None
    if bad or any(c.isspace() or not c.isprintable() for c in address.strip()):
        raise ValueError(form)
    if parts.username is not None or parts.query or parts.fragment or holds_key(parts.path):
        raise ValueError("address: it must hold no user, password, key or query; keys belong into the environment")
    return parts


def _loopback(address: str) -> bool:
    host = _parts(address).hostname
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return bool(host == "localhost")
    return found.is_loopback or found.is_unspecified  # servers say 0.0.0.0 when they start; asked, it is this machine


def _open(address: str) -> bool:
    """Plain http to the internet: neither this machine nor a private address nor a name without a public domain."""
    parts = _parts(address)
    if parts.scheme == "https" or _loopback(address):
        return False
    try:
        found = ipaddress.ip_address(parts.hostname)
        return not (found.is_private or found.is_link_local)
    except ValueError:
        return "." in parts.hostname and not parts.hostname.endswith((".local", ".lan", ".internal", ".home.arpa"))


def is_loopback(connection: Connection) -> bool:
    """Whether the server is on this machine."""
    return connection.kind == "openai" and _loopback(connection.address)


# ------------------------------------------------------------------------ the file


def connections_file() -> Path:
    """Where connections are kept: $CURATION_CONNECTIONS, else curation/connections.yaml in the user's config folder."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named).expanduser()
    config = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA") or "~/.config"
    return Path(config).expanduser() / "curation" / "connections.yaml"


def connections() -> dict[str, Connection]:
    """All connections by name; the stand-in is always there and comes last.

    Raises:
        CurationError: if the file cannot be read or something in it is wrong.
    """
    path = connections_file()
    found = {name: _made(name, fields, path) for name, fields in _read(path).items()}
    return {**found, STAND_IN: stand_in()}


def stand_in() -> Connection:
    """The connection that asks nobody."""
    return Connection(name=STAND_IN, kind=STAND_IN, model=STAND_IN)


def connection_of(name: str) -> Connection:
    """The connection of that name.

    Raises:
        CurationError: if there is none; the hint says how to make one.
    """
    if name == STAND_IN:
        return stand_in()
    path = connections_file()
    read = _read(path)
    if name in read:
        return _made(name, read[name], path)
    others = ", ".join([*sorted(read), STAND_IN])
    shown = "the name given looks like a secret" if looks_secret(name) else f"there is no connection '{name[:80]}'"
    raise CurationError(
        shown,
        f"make it on the page Judge, with `curate connections`, or in {path}; there are: {others} "
        f"({STAND_IN} asks nobody and makes replies up, to try a recipe)",
    )


def save_connection(connection: Connection) -> Path:
    """Add or replace a connection. The file is written in one step and readable by its owner only.

    Returns:
        The file.

    Raises:
        CurationError: if the file cannot be read or written.
    """
    if connection.name == STAND_IN:
        raise CurationError(f"the connection '{STAND_IN}' always exists and cannot be changed", "choose another name")
    path = connections_file()
    fields = connection.model_dump(mode="json", exclude={"name", "prices"}, exclude_defaults=True)
    if connection.prices:
        fields["prices"] = asdict(connection.prices)  # whole: a price of 0 is not the same as none
    _write(path, {**_read(path), connection.name: {"kind": connection.kind, **fields}})
    return path


def remove_connection(name: str) -> None:
    """Take a connection out of the file; stored replies stay.

    Raises:
        CurationError: if there is none of that name.
    """
    path = connections_file()
    read = _read(path)
    if name not in read:
        connection_of(name)  # says what there is
        raise CurationError(f"the connection '{name}' always exists and cannot be removed")
    del read[name]
    _write(path, read)


def try_connection(connection: Connection) -> Tried:
    """Test a connection with one or two tiny requests (a local model is loaded for it); problems are told, not raised.

    Works with and without a running event loop in the thread that calls.
    """
    from curation.models.chat.client import run_apart
    from curation.models.chat.trying import tried

    return run_apart(lambda: tried(connection))


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise machine_problem(error) or CurationError(f"cannot read the connections: {path}", str(error)) from None
    except UnicodeDecodeError:
        raise CurationError(f"the connections are not UTF-8 text: {path}") from None
    try:
        found = plain_yaml(text)
    except TwiceError as error:
        raise CurationError(
            f"something stands twice in the connections (line {error.line}): {path}", "take one of the two out"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)  # the error itself quotes the line, and with it maybe a secret
        raise CurationError(
            f"the connections are not YAML{f' (line {mark.line + 1})' if mark else ''}: {path}", "mend the file"
        ) from None
    except RecursionError:
        raise CurationError(f"the connections are nested too deeply: {path}", "mend the file") from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise CurationError(f"the connections must be names with fields below them: {path}", "mend the file")
    return found


def _made(name: str, fields: Any, path: Path) -> Connection:
    shown = "(a name that looks like a secret)" if looks_secret(name) else f"'{name[:80]}'"
    if not isinstance(fields, dict):
        raise CurationError(f"connection {shown} has no fields", f"see {path}")
    try:
        return Connection(**{**{str(k): v for k, v in fields.items()}, "name": name})
    except ValidationError as error:
        raise CurationError(f"connection {shown}: {said(error)}", f"see {path}") from None


def said(error: ValidationError) -> str:
    """What is wrong with a connection in one line; no value that was given."""
    lines = []
    for part in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(p) for p in part["loc"])
        if looks_secret(place):
            place = "a field"
        text = part["msg"].removeprefix("Value error, ")
        lines.append(text if not place or text.startswith(f"{place}: ") else f"{place}: {text}")
    return "; ".join(lines)


def _write(path: Path, found: dict[str, Any]) -> None:
    head = "# Connections to chat models. `key` names an environment variable; keys themselves never belong here.\n"
    text = head + yaml.safe_dump(found, sort_keys=False, allow_unicode=True)
    try:
        target = path.resolve()  # a link to a file of dotfiles stays one
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number, made = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with mode 600
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(made).replace(target)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise machine_problem(error) or CurationError(f"cannot write the connections: {path}", str(error)) from None
