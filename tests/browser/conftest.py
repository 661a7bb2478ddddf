"""A real server, as `curate app` starts it, and a real Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curation.core.method import discover
from curation.serve import command, home
from curation.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request, Route

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
START_S = 60

Serve = Callable[[Path], str]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium; tests skip where it is not installed (`.ci/run` installs it)."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@dataclass(frozen=True)
class App:
    """A running app.

    Args:
        url: Its address.
        workspace: Its workspace's folder.
    """

    url: str
    workspace: Path


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A new tab; the test fails if it asks for anything beyond this machine."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    outside: list[str] = []

    def guard(route: Route, request: Request) -> None:
        if request.url.startswith(("http://127.0.0.1", "data:", "blob:")):
            route.continue_()
        else:
            outside.append(request.url)
            route.abort()

    context.route("**/*", guard)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    yield opened
    context.close()
    assert not outside, f"the app asked for {outside}"


@pytest.fixture
def app(serve: Serve, tmp_path: Path) -> App:
    """The app on an empty workspace, started from the folder `tmp_path`."""
    workspace = tmp_path / "workspace"
    return App(serve(workspace), workspace)


@pytest.fixture
def known_costs(app: App) -> None:
    """A workspace that has seen every method run: no page measures, which would take the processor from the job."""
    workspace = Workspace.open(app.workspace)
    for use in discover():
        workspace.record_timing(
            {
                "use": use, "digest": "", "device": "cpu", "work": 1e5, "rows": 1000, "seconds": 1.0,
                "calibrated": True, "startup": 0.0, "bytes_per_row": 100.0, "cold": False, "time": 0.0,
            }
        )  # fmt: skip


@pytest.fixture
def page(tab: Page, app: App) -> Page:
    """A tab in which the app's first page stands."""
    tab.goto(app.url)
    tab.get_by_test_id("stSidebarNav").wait_for()
    return tab


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start the app on a workspace; returns its address. All servers end with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def start(workspace: Path) -> str:
        Workspace.open(workspace)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {**os.environ, "CURATION_WORKSPACE": str(workspace), "CURATION_FOLDER": str(tmp_path)}
        environment.pop("CURATION_OPEN", None)
        running.append(
            subprocess.Popen(
                command(port, False),
                env=environment,
                cwd=home(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        )
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", running[-1])
        return f"http://127.0.0.1:{port}"

    yield start
    for server in running:
        server.terminate()
        server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with code {server.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"no answer from {url}")
