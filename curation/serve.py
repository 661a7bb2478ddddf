"""Starts the app's server with every safety option on the command line, so that no missing config file can open it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import webbrowser
from pathlib import Path

from curation.core.errors import CurationError
from curation.workspace import Workspace

OPEN_AFTER_S = 3.0

SAFETY: dict[str, str | tuple[str, ...]] = {
    "server.address": "127.0.0.1",
    "server.allowedHosts": ("localhost", "127.0.0.1"),
    "server.enableCORS": "true",
    "server.enableXsrfProtection": "true",
    "server.enableStaticServing": "false",
    "server.fileWatcherType": "none",
    "server.maxUploadSize": "1024",
    "server.showEmailPrompt": "false",  # a first start must not wait for an answer on the terminal
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "type",
}


def home() -> Path:
    """The folder with app.py, pages and assets: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_app", package.parent):
        if (folder / "app.py").is_file() and (folder / "pages").is_dir():
            return folder
    raise CurationError("the app's files are missing from this installation", "install the package again")


def asset(name: str) -> Path:
    """A file of assets/."""
    return home() / "assets" / name


def command(port: int, browser: bool, query: str = "") -> list[str]:
    """The server's command line."""
    # headless always: otherwise Streamlit lays an advertisement for its own tools over the page; we open the browser
    options = {**SAFETY, "server.port": str(port), "server.headless": "true"}
    # an option with several values is given several times; joined by commas it would be one strange host
    flags = [
        f"--{name}={one}" for name, value in options.items() for one in ((value,) if isinstance(value, str) else value)
    ]
    return [sys.executable, "-m", "curation.ui.server", "run", str(home() / "app.py"), *flags]


def check_port(port: int) -> None:
    """Make sure that the server can listen.

    Raises:
        CurationError: if the port is taken, or not for ordinary users.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise CurationError(f"port {port} is for the system only", "curate app --port 8501") from None
        except OSError:
            raise CurationError(f"port {port} is in use", f"curate app --port {port % 65535 + 1}") from None


def serve(workspace: Workspace, *, port: int, browser: bool, query: str = "") -> int:
    """Run the server until it is stopped.

    Args:
        workspace: The app's workspace.
        port: On 127.0.0.1.
        browser: Open a window.
        query: Of the address to open ("?dataset=…").

    Returns:
        Its exit code.

    Raises:
        CurationError: if the port is taken.
    """
    check_port(port)
    environment = {
        **os.environ,
        "CURATION_WORKSPACE": str(workspace.root),
        "CURATION_OPEN": query,
        "CURATION_FOLDER": str(Path.cwd()),
    }
    # the theme is read from .streamlit beside app.py, wherever the command was given
    opener = threading.Timer(OPEN_AFTER_S, webbrowser.open, [f"http://127.0.0.1:{port}/{query}"])
    opener.daemon = True
    if browser:
        opener.start()
    try:
        return subprocess.run(command(port, browser, query), env=environment, cwd=home(), check=False).returncode
    except KeyboardInterrupt:
        return 0
