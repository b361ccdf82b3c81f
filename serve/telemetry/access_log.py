"""The access log: one line per request, several lines per write."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from select import PIPE_BUF
from typing import TextIO

_log = logging.getLogger("serve.access")

# Longer values are cut, as in all other lines of the log.
_LONGEST_VALUE = 512
# How long a line may wait for others: people who watch the log would notice a longer delay.
WAIT_S = 0.2


class AccessLog:
    """
    Writes JSON lines in the form of `configure_logging`, at a tenth of its cost.

    A write has whole lines and at most as many bytes as a pipe takes atomically, so the lines of several workers
    never mix. Belongs to one event loop.
    """

    def __init__(
        self, stream: TextIO, *, clock: Callable[[], float] = time.time, wait_s: float = WAIT_S, most: int = PIPE_BUF
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._wait_s = wait_s
        self._most = most
        self._lines: list[str] = []
        self._size = 0
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._second, self._stamp = -1, ""

    def write(
        self,
        *,
        method: str,
        path: str,
        route: str,
        status: int,
        duration_ms: float,
        caller: str | None,
        client: str | None,
        request_id: str,
        refused: str | None = None,
    ) -> None:
        """Add the line of a request; `refused` is the reason why its token is invalid."""
        what, whose = _what(method, path, route, status), _whose(caller, client)
        if refused:
            whose = f'{whose}, "refused": {_text(refused)}'
        line = (
            f'{what}, "duration_ms": {duration_ms:.3f}, {whose}, "event": "request", "request_id": "{request_id}", '
            f'"logger": "serve.access", "level": "info", "timestamp": "{self._timestamp()}"}}\n'
        )
        if self._size + len(line) > self._most:
            self.flush()
        self._lines.append(line)
        self._size += len(line)
        if self._is_closed:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._on_time)

    def flush(self) -> None:
        """Write all waiting lines."""
        text = "".join(self._lines)
        self._lines.clear()
        self._size = 0
        if not text:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # The reader of the log is gone, which must not fail a request.
            _log.exception("lines of the access log were lost")

    def close(self) -> None:
        """Write all waiting lines, and later ones immediately, because the event loop is ending."""
        self._is_closed = True
        self.flush()

    def _on_time(self) -> None:
        self._timer = None
        self.flush()

    def _timestamp(self) -> str:
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{int((now - second) * 1e6):06d}Z"


@lru_cache(maxsize=1024)
def _what(method: str, path: str, route: str, status: int) -> str:
    return f'{{"method": "{method}", "path": {_text(path)}, "route": {_text(route)}, "status": {status}'


@lru_cache(maxsize=1024)
def _whose(caller: str | None, client: str | None) -> str:
    return f'"caller": {_text(caller)}, "client": {_text(client)}'


def _text(value: str | None) -> str:
    """Encode as ASCII JSON, so that a line has as many bytes as characters."""
    if value is None:
        return "null"
    return encode_basestring_ascii(value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…")
