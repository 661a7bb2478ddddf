"""A chat server on this machine that speaks the OpenAI protocol and misbehaves as told.

From a shell:

    python -m tests.loopback --port 8000 --judge length --latency 0.5

From a test, by the fixture `loopback` of tests/conftest.py, which also makes the connection "judge" mean this server:

    def test_it(loopback):
        server = loopback(judge="length", faults=[{"fault": "500", "share": 0.1}])
        ...
        assert server.stats()["calls"] == 10

What a script may say is in `script.py`, the faults in `faults.py`, the judges in `judges.py`.
"""

from tests.loopback.process import Loopback

__all__ = ["Loopback"]
