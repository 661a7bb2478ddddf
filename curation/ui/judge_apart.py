"""Asking a few things apart from the page: a test of a connection, a judge on five rows, a probe of what a run costs.

`python -m curation.ui.judge_apart WORKSPACE FOLDER < {"verb": …}`. The page never waits: it looks into the folder for
`progress.json` and `answer.json`. A process of its own keeps networks out of the server and can be stopped at any time;
replies are in the workspace's store as they arrive, so stopping loses none that came.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import find
from curation.core.runtime import Runtime, resolve_device
from curation.core.saving import to_json
from curation.core.spending import Caps
from curation.models.chat.asking import Asking
from curation.models.chat.types import Reply, Request
from curation.ui.components import error_box
from curation.ui.text import duration, plain
from curation.workspace import Workspace, write_atomically
from curation.workspace.files import read_facts

POLL_S = 0.7
LOG_LETTERS = 4000
MOST_SAMPLES = 8
"""Askings of one request that are looked up."""
BROKE_DOWN = "the process that asks ended without an answer"

# ------------------------------------------------------------------ in the page


@st.cache_resource
def _processes() -> dict[str, subprocess.Popen[bytes]]:
    """Processes of this server by their folder."""
    return {}


@dataclass(frozen=True)
class Apart:
    """What was asked apart, and how far it is.

    Args:
        folder: Where the process writes.
        asked: What was asked: verb and facts.
        started: Seconds since 1970.
    """

    folder: Path
    asked: dict[str, Any]
    started: float

    @property
    def answer(self) -> dict[str, Any]:
        """What came of it; {} while it runs. A problem is `{"error": …, "hint": …}`."""
        found = read_facts(self.folder / "answer.json")
        if found or self.running:
            return found
        return read_facts(self.folder / "answer.json") or {"error": BROKE_DOWN, "hint": "", "log": self.log}

    @property
    def running(self) -> bool:
        """True until the process has ended."""
        process = _processes().get(str(self.folder))
        return process is not None and process.poll() is None

    @property
    def progress(self) -> dict[str, Any]:
        """`done`, `total` and `note`, {} before the first word."""
        return read_facts(self.folder / "progress.json")

    @property
    def log(self) -> str:
        """The end of what the process printed."""
        try:
            return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-LOG_LETTERS:]
        except OSError:
            return ""


def ask_apart(workspace: Workspace, key: str, asked: Mapping[str, Any]) -> None:
    """Start asking; what `found` of the same key tells from now on is about this.

    Args:
        workspace: Where replies are kept.
        key: Of this place on the page.
        asked: `verb` and its facts, plain data.
    """
    stop(key)
    folder = workspace.root / "tmp" / f"{os.getpid()}-{uuid.uuid4().hex}"  # `prune` removes it with this process
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "curation.ui.judge_apart", str(workspace.root), str(folder)]
    with (folder / "log.txt").open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            cwd=workspace.root,
        )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(to_json(dict(asked)).encode())
    process.stdin.close()
    _processes()[str(folder)] = process
    st.session_state[f"{key}.apart"] = Apart(folder, dict(asked), time.time())


def found(key: str) -> Apart | None:
    """What was asked last at a place of the page, None when nothing was."""
    return cast("Apart | None", st.session_state.get(f"{key}.apart"))


def stop(key: str) -> None:
    """Stop what is being asked, and forget it."""
    before = found(key)
    st.session_state.pop(f"{key}.apart", None)
    if before is not None:
        process = _processes().pop(str(before.folder), None)
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait(10)


def waiting(key: str, label: str) -> bool:
    """The progress of what is being asked with a button that stops it; True while it runs.

    The page runs again when it has ended.
    """
    here = found(key)
    if here is None or not here.running:
        return False

    @st.fragment(run_every=POLL_S)
    def wait() -> None:
        now = found(key)
        if now is None or not now.running:
            st.rerun()
        facts = now.progress
        done, total = float(facts.get("done", 0)), float(facts.get("total", 0))
        said = f"{label} · {duration(time.time() - now.started)}"
        if total:
            said += f" · {done:,.0f} of {total:,.0f}"
        with st.container(horizontal=True, vertical_alignment="center", key=f"{key}.waiting"):
            st.progress(min(done / total, 1.0) if total else 0.0, plain(said), width="stretch")
            if st.button("Stop", icon=":material/stop_circle:", key=f"{key}.stop", type="tertiary"):
                stop(key)
                st.rerun()

    wait()
    return True


def problem(answer: Mapping[str, Any]) -> bool:
    """Show what went wrong, where something did; True then."""
    if "error" not in answer:
        return False
    error_box(CurationError(str(answer["error"]), str(answer.get("hint", ""))))
    if answer.get("log"):
        with st.expander("What it said", icon=":material/subject:"):
            st.code(str(answer["log"]), language=None, wrap_lines=True)
    return True


# ------------------------------------------------------------------ in the process


def main() -> None:
    """Entry of the process."""
    workspace, folder = Workspace.open(sys.argv[1]), Path(sys.argv[2])
    asked = json.loads(sys.stdin.read())
    try:
        answer = VERBS[asked["verb"]](workspace, asked, _runtime(workspace, folder, asked))
    except CurationError as error:
        answer = {"error": error.message, "hint": error.hint or ""}
    write_atomically(folder / "answer.json", to_json(answer))


def _runtime(workspace: Workspace, folder: Path, asked: Mapping[str, Any]) -> Runtime:
    said = [0.0]

    def progress(done: float, total: float, note: str = "") -> None:
        if time.monotonic() - said[0] > POLL_S / 2:
            said[0] = time.monotonic()
            write_atomically(folder / "progress.json", to_json({"done": done, "total": total, "note": note}))

    return Runtime(
        device=resolve_device(), cache=workspace.root / "cache", progress=progress,
        replies=workspace.root / "replies.sqlite", caps=Caps(**asked.get("caps", {})),
    )  # fmt: skip


def _test(workspace: Workspace, asked: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    from curation.models.chat.connections import connection_of, try_connection

    return asdict(try_connection(connection_of(asked["connection"])))


def _method(workspace: Workspace, asked: Mapping[str, Any], runtime: Runtime) -> tuple[Asking, Dataset, dict[str, Any]]:
    """The method, its rows, and what it reads, cut to these rows."""
    method = find(asked["use"]).model_validate(asked["values"]).resolve(runtime)
    pool = workspace.dataset(asked["dataset"])
    rows = None if asked.get("rows") is None else np.asarray(asked["rows"], np.int64)
    part = pool if rows is None else pool.take(rows)
    ports: dict[str, Any] = {name: workspace.load(key) for name, key in asked.get("ports", {}).items()}
    if rows is not None:
        ports = {name: made.take(rows, part.fingerprint) for name, made in ports.items()}
    return cast(Asking, method), part, ports


def _try(workspace: Workspace, asked: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """Ask about a few rows, and tell what was said and what came back."""
    method, pool, ports = _method(workspace, asked, runtime)
    made = getattr(method, method.verb)(pool, runtime, **ports)
    requests = method.requests(pool)
    replies = _replies(method, requests, runtime)
    rows = []
    for at, row in enumerate(asked["rows"]):
        rows.append({"row": row, "asked": [_asked(r) for r in requests[at]], "replies": replies[at], **_told(made, at)})
    return {"rows": rows, "spent": runtime.meter.facts(), "info": dict(made.info)}


def _replies(method: Asking, requests: list[list[Request]], runtime: Runtime) -> list[list[dict[str, Any]]]:
    """What came back to the first requests of every row, also where one was asked several times."""
    from curation.models.chat.connections import connection_of
    from curation.models.chat.store import ReplyStore

    identity = connection_of(method.connection).identity()
    keys = [
        [replace(r, sample=r.sample + k).key(identity) for r in each for k in range(MOST_SAMPLES)] for each in requests
    ]
    with ReplyStore(runtime.replies) as store:
        there = store.get([k for each in keys for k in each])
    return [[_reply(there[k]) for k in each if k in there] for each in keys]


def _asked(request: Request) -> dict[str, Any]:
    return {
        "messages": [list(m) for m in request.messages], "temperature": request.temperature,
        "max_tokens": request.max_tokens, "schema": request.schema, "logprobs": request.logprobs,
    }  # fmt: skip


def _reply(reply: Reply) -> dict[str, Any]:
    return {
        "text": reply.text, "finish": reply.finish, "refusal": reply.refusal, "tokens_in": reply.tokens_in,
        "tokens_out": reply.tokens_out, "seconds": reply.seconds, "model": reply.model,
        "first": [list(map(list, alternatives)) for alternatives in reply.first[:1]],
    }  # fmt: skip


def _told(made: Score | Labels, at: int) -> dict[str, Any]:
    """What was read off the reply of one row."""
    explanation = made.columns.get("explanation")
    told: dict[str, Any] = {"missing": made.missing.reason(at) or ""}
    if isinstance(made, Score):
        told["score"] = float(made.values[at])
    else:
        told["label"] = made.value(at)
    told["explanation"] = "" if explanation is None else str(explanation[at] or "")
    numbers = {k: v for k, v in made.columns.items() if np.ndim(v) == 1 and np.asarray(v).dtype.kind in "fiub"}
    told["columns"] = {k: float(v[at]) for k, v in numbers.items()}
    return told


def _probe(workspace: Workspace, asked: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    from curation.estimates.asking import probe

    method, pool, ports = _method(workspace, asked, runtime)
    return asdict(probe(method, pool, runtime, rows=int(asked.get("sample", 30)), ports=ports))


VERBS: dict[str, Callable[[Workspace, Mapping[str, Any], Runtime], dict[str, Any]]] = {
    "test": _test,
    "try": _try,
    "probe": _probe,
}

if __name__ == "__main__":
    main()
