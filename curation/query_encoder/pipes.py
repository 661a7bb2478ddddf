"""Lines through pipes, with a limit on the wait."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

READ_BYTES = 1 << 16


def readable(fd: int, seconds: float) -> bool:
    """Waits until there is something to read, or the end; false after so many seconds, at once for 0 or less."""
    waiting = select.poll()  # unlike `select`, it takes file descriptors above 1023
    waiting.register(fd, select.POLLIN)
    return seconds > 0 and bool(waiting.poll(1000 * seconds))


def lines(fd: int, idle: float) -> Iterator[bytes]:
    """Lines as they come, without their end; stops at the end of the file, or after `idle` seconds without any."""
    held = b""
    while readable(fd, idle):
        more = os.read(fd, READ_BYTES)
        if not more:
            return
        *whole, held = (held + more).split(b"\n")
        yield from whole
