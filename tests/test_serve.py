"""The server listens on 127.0.0.1 only and passes every safety option itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from curation import serve
from curation.core.errors import CurationError
from curation.workspace import Workspace


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def handshake(port: int, host: str) -> int:
    """Status that a WebSocket request with this Host header gets: 101 = let in."""
    lines = (
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(wire.recv(64).split()[1])


def test_command_line_carries_all_safety_options():
    line = " ".join(serve.command(8501, browser=False))
    for option in (
        "address=127.0.0.1",
        "allowedHosts=localhost",
        "enableXsrfProtection=true",
        "gatherUsageStats=false",
        "showEmailPrompt=false",
    ):
        assert option in line


def test_socket_is_on_loopback_even_in_an_empty_folder(tmp_path):
    port = free_port()
    environment = {**os.environ, "CURATION_WORKSPACE": str(tmp_path / "ws")}
    server = subprocess.Popen(serve.command(port, browser=False), cwd=tmp_path, env=environment)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).read()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError("the server did not start")
        listening = {c.laddr.ip for c in psutil.net_connections() if c.status == "LISTEN" and c.laddr.port == port}
        assert listening == {"127.0.0.1"}
        assert handshake(port, f"127.0.0.1:{port}") == 101
        assert handshake(port, f"localhost:{port}") == 101
        assert handshake(port, "evil.example") == 403
    finally:
        server.terminate()
        server.wait(20)


def test_taken_port_is_told(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CurationError, match="in use"):
            serve.serve(Workspace.open(tmp_path / "ws"), port=taken.getsockname()[1], browser=False)


def test_app_process_loads_no_torch():
    code = "import sys, curation.ui.session, curation.jobs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
