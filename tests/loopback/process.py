"""A server in a process of its own, started and asked from a test or a benchmark."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]


class Loopback:
    """A running server.

    Args:
        port: 0 = a free one.
        script: The words of `script.Script`.

    Attributes:
        address: "http://127.0.0.1:PORT/v1".
    """

    def __init__(self, *, port: int = 0, **script: Any) -> None:
        self.script = script
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.loopback", "--script", "-", "--port", str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert self._process.stdin and self._process.stdout
        # the secret, if any, goes this way: the arguments of a process can be read by everybody
        self._process.stdin.write(json.dumps(script) + "\n")
        self._process.stdin.flush()
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError(f"the loopback server did not start, exit code {self._process.wait()}")
        self.host = self.address.removeprefix("http://").removesuffix("/v1")

    @property
    def pid(self) -> int:
        """Of the server's process."""
        return self._process.pid

    def stats(self, *, texts: bool = False) -> dict[str, Any]:
        """Counts so far; with `texts` also how often each text was seen and replied to."""
        return self._ask("GET", "/stats?texts=1" if texts else "/stats")

    def reset(self) -> None:
        """Forget all counts, also how often texts were seen."""
        self._ask("POST", "/reset")

    def tell(self, **script: Any) -> None:
        """Change words of the script from now on."""
        self.script = {**self.script, **script}
        self._ask("POST", "/script", self.script)

    def connection(self, **words: Any) -> dict[str, Any]:
        """An entry of the connections file that means this server."""
        return {"kind": "openai", "address": self.address, "model": "loopback", "timeout": 10, **words}

    def write_connections(self, path: Path, name: str = "judge", **words: Any) -> Path:
        """A connections file in which a name means this server."""
        import yaml

        path.write_text(yaml.safe_dump({name: self.connection(**words)}), "utf-8")
        return path

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        asked = http.client.HTTPConnection(self.host, timeout=20)
        try:
            asked.request(method, path, None if body is None else json.dumps(body))
            reply = asked.getresponse()
            found: dict[str, Any] = json.loads(reply.read())
            if reply.status != 200:
                raise ValueError(found)
            return found
        finally:
            asked.close()

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
