"""Asking the helper process. One per workspace and network, shared by all threads of this process.

A helper starts when it is first needed (some seconds, mostly for loading the network), answers in some 20 ms, and ends
by itself when it is not used, or when this process ends: its stdin closes. One that breaks down is started once more.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from typing import Any

import numpy as np

from curation.core.errors import CurationError, machine_problem
from curation.query_encoder.pipes import READ_BYTES, readable
from curation.query_encoder.space import Network, checked_text, space_of
from curation.workspace import Workspace

START_S = 180.0
"""Longest wait for the first answer of a helper, in which it loads its network and projections."""
ANSWER_S = 60.0
"""Longest wait for any later answer."""
MOST_HELPERS = 2
"""Networks held at once; the one that was asked least lately has to go."""
REMEMBERED = 512
"""Vectors kept, so that a page that reruns asks nobody."""
LAST_LINES = 3
_BUSY = "wait a moment and search again"


class Gone(Exception):  # noqa: N818 - what happened, not an error of ours
    """The helper ended before it answered."""


class Helper:
    """One helper process; `ask` may be called by several threads, which wait for each other.

    Args:
        root: Folder of the workspace.
        command: What to start, for tests.
    """

    def __init__(self, root: str, command: list[str] | None = None) -> None:
        self._command = command or [sys.executable, "-m", "curation.query_encoder", root]
        self._root = root
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._said: Any = None  # what the process writes to stderr
        self._held = b""
        self._serial = 0
        self._answered = False

    @property
    def pid(self) -> int | None:
        """Of the running process, None when there is none."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer; starts the process when it does not run.

        Raises:
            CurationError: what the helper said, or that it broke down twice, or does not answer.
        """
        if not self._lock.acquire(timeout=START_S):
            raise CurationError("other searches are still being answered", _BUSY)
        try:
            try:
                found = self._ask(request)
            except Gone:
                self._close()
                try:
                    found = self._ask(request)
                except Gone:
                    last = self._last_lines()
                    self._close()
                    raise CurationError(
                        f"the process that encodes queries broke down{': ' if last else ''}{last}",
                        "search by words meanwhile; less memory is needed when other programs are closed",
                    ) from None
        finally:
            self._lock.release()
        if "error" in found:
            raise CurationError(str(found["error"]), str(found.get("hint", "")))
        return found

    def warm(self, request: dict[str, Any]) -> None:
        """Start the process and let it load; does not wait, and never fails."""
        if not self._lock.acquire(blocking=False):
            return  # it is being asked already
        try:
            if self.pid is None:
                self._start()
                self._send(request)
        except (Gone, CurationError):
            self._close()  # the search itself will say so
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process. One that is being asked ends later, when nobody refers to it and its stdin closes."""
        if self._lock.acquire(blocking=False):
            self._close()
            self._lock.release()

    # ------------------------------------------------------------------ inside, under the lock

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.pid is None:
            self._close()
            self._start()
        serial = self._send(request)
        deadline = time.monotonic() + (ANSWER_S if self._answered else START_S)
        while True:
            answer = json.loads(self._line(deadline))
            self._answered = True
            if answer["id"] == serial:  # answers to `warm` come before
                return answer

    def _start(self) -> None:
        self._held, self._answered = b"", False
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
                start_new_session=True, cwd=self._root,
            )  # fmt: skip
        except OSError as error:
            raise machine_problem(error) or CurationError(f"no process can be started: {error}") from None

    def _send(self, request: dict[str, Any]) -> int:
        assert self._process is not None
        assert self._process.stdin is not None
        self._serial += 1
        try:
            self._process.stdin.write(json.dumps({"id": self._serial, **request}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise Gone from None
        return self._serial

    def _line(self, deadline: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        while b"\n" not in self._held:
            left = deadline - time.monotonic()
            if not readable(fd, left):
                self._close()
                raise CurationError("the process that encodes queries does not answer", _BUSY)
            more = os.read(fd, READ_BYTES)
            if not more:
                raise Gone
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        return line

    def _last_lines(self) -> str:
        if self._process is not None:
            try:
                self._process.wait(5)  # it may still be writing why
            except subprocess.TimeoutExpired:
                return ""
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - 4096))
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return " / ".join(line.strip() for line in lines[-LAST_LINES:])

    def _close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                with contextlib.suppress(OSError):  # it is gone, and with it what was not yet written
                    process.stdin.close()
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if self._said is not None:
            self._said.close()
            self._said = None


_guard = threading.Lock()
_helpers: OrderedDict[tuple[str, Network], Helper] = OrderedDict()
_vectors: OrderedDict[tuple[str, str, str], np.ndarray] = OrderedDict()


def embed(workspace: Workspace, features_key: str, text: str) -> np.ndarray:
    """A query as a vector among stored vectors; the helper process is started when it does not run.

    Args:
        workspace: Where the vectors are.
        features_key: Of their result.
        text: The query.

    Returns:
        float32 `[d]`, read-only.

    Raises:
        CurationError: the query is empty or too long, no text can be brought among these vectors, or the helper broke
            down.
    """
    text = checked_text(text)
    place = (str(workspace.root), features_key, text)
    with _guard:
        if place in _vectors:
            _vectors.move_to_end(place)
            return _vectors[place]
    answer = _helper(workspace, features_key).ask({"key": features_key, "text": text})
    vector = np.frombuffer(base64.b64decode(answer["vector"]), "<f4").astype(np.float32)
    vector.flags.writeable = False
    with _guard:
        _vectors[place] = vector
        while len(_vectors) > REMEMBERED:
            _vectors.popitem(last=False)
    return vector


def warm(workspace: Workspace, features_key: str) -> None:
    """Start the helper for these vectors without waiting, so that the first query is quick; never fails.

    What cannot work is said by `embed`.
    """
    try:
        helper = _helper(workspace, features_key)
    except CurationError:
        return
    helper.warm({"key": features_key})


def _helper(workspace: Workspace, features_key: str) -> Helper:
    name = (str(workspace.root), space_of(workspace, features_key).network)
    with _guard:
        helper = _helpers.get(name) or Helper(name[0])
        _helpers[name] = helper
        _helpers.move_to_end(name)
        spare = [_helpers.popitem(last=False)[1] for _ in range(len(_helpers) - MOST_HELPERS)]
    for other in spare:
        other.close()
    return helper
