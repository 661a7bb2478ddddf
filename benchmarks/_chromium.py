"""A served app, its memory, a real Chromium, and what goes over the wire between them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from curation.serve import SAFETY, command, home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).resolve().parent
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
]
"""As in tests/browser/conftest.py."""
START_S, ANSWER_MS = 90, 120_000
SAMPLE_S = 0.1
VIEWPORT = {"width": 1440, "height": 900}


# ------------------------------------------------------------------ the server


class Server:
    """A Streamlit server in processes of its own, its memory looked at ten times a second.

    Args:
        workspace: For CURATION_WORKSPACE.
        script: A Streamlit script; None = the app, as `curate app` starts it.
        port: To listen on; None = a free one.
        log: File for what the server says.
    """

    def __init__(self, workspace: Path, script: Path | None, port: int | None, log: Path) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.peak = 0
        environment = {**os.environ, "CURATION_WORKSPACE": str(workspace), "PYTHONUNBUFFERED": "1"}
        environment.pop("CURATION_OPEN", None)
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                self._command(script), env=environment, cwd=home(), stdout=said, stderr=subprocess.STDOUT
            )
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()
        try:
            self._wait(log)
        except BaseException:
            self.stop()
            raise

    def _command(self, script: Path | None) -> list[str]:
        if script is None:
            return command(self.port, False)
        options = {**SAFETY, "server.port": str(self.port), "server.headless": "true"}
        flags = [f"--{k}={v}" for k, v in options.items() if isinstance(v, str)]
        return [sys.executable, "-m", "streamlit", "run", str(script), *flags]

    def memory(self) -> int:
        """Resident bytes of the server and all its children."""
        total = 0
        with suppress(psutil.Error):
            me = psutil.Process(self._process.pid)
            for process in (me, *me.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        self.peak = max(self.peak, total)
        return total

    def cpu(self) -> float:
        """Seconds of processor time the server has used."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.memory()

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended with code {self._process.returncode}: see {log}")
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2):
                return
            time.sleep(0.2)
        raise TimeoutError(f"no answer from {self.url}: see {log}")

    def stop(self) -> None:
        """End the server."""
        self._over.set()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(20)


@contextmanager
def served(workspace: Path, *, script: Path | None = None, port: int | None = None) -> Iterator[Server]:
    """A running server that ends with the block."""
    log = workspace.parent / f"{workspace.name}-server.log"
    server = Server(workspace, script, port, log)
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ------------------------------------------------------------------ the browser


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium with software WebGL."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise SystemExit("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield opened
        finally:
            opened.close()


@dataclass
class Wire:
    """Bytes in the web socket's messages, as the page sees them (before any compression).

    Attributes:
        sent: Browser to server.
        received: Server to browser.
    """

    sent: int = 0
    received: int = 0
    errors: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Count what a page sends and receives from now on, and note its errors."""

        def on(socket: Any) -> None:
            socket.on("framesent", lambda payload: self._add("sent", payload))
            socket.on("framereceived", lambda payload: self._add("received", payload))

        page.on("websocket", on)
        page.on("pageerror", lambda error: self.errors.append(str(error)[:300]))

    def _add(self, name: str, payload: str | bytes) -> None:
        size = len(payload if isinstance(payload, bytes) else payload.encode())
        setattr(self, name, getattr(self, name) + size)


@contextmanager
def tab(browser: Browser) -> Iterator[tuple[Page, Wire]]:
    """A tab in a new context (nothing cached) that has the probe, and what goes over its wire.

    When the block fails, the last picture of the page is kept and its path printed.
    """
    context = browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
    context.add_init_script(path=HERE / "_probe.js")
    page = context.new_page()
    page.set_default_timeout(ANSWER_MS)
    wire = Wire()
    wire.watch(page)
    try:
        yield page, wire
    except Exception:
        with suppress(Exception):
            picture = Path(tempfile.gettempdir()) / f"benchmark-failed-{os.getpid()}.png"
            page.screenshot(path=picture)
            print(f"the page as it was: {picture}; its errors: {wire.errors or 'none'}", file=sys.stderr)
        raise
    finally:
        context.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank, so always one that was measured)."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-int(round(share * 100)) * len(ordered) // 100) - 1))]
