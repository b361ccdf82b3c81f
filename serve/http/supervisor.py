"""The parent process: it listens on the port, starts the workers, and replaces those that end."""

import errno
import json
import os
import select
import signal
import socket
import subprocess  # nosec B404  # runs this very Python on our own module
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import structlog

from artifacts.child import module_command

# A worker that ended sooner than this is started again after a pause, which doubles each time up to the longest.
_SHORT_LIFE_S = 10.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
# A worker whose event loop has been blocked for this long is killed.
_SILENCE_S = 30.0
_CHECK_S = 0.2
_BACKLOG = 2048
# How long a worker may need to end after the deadline of its requests.
_END_S = 10.0

Report: TypeAlias = dict[str, Any]

_log = structlog.get_logger("serve.http.supervisor")


class Worker:
    """One worker process, and the socket over which it reports: a line of JSON, or an empty one as a heartbeat."""

    def __init__(self, listeners: Sequence[socket.socket], folder: str) -> None:
        self.channel, theirs = socket.socketpair()
        descriptors = [theirs.fileno(), *(listener.fileno() for listener in listeners)]
        with theirs:
            self.process = subprocess.Popen(  # nosec B603  # no shell, and the command has no input of callers
                module_command("serve.app.worker", folder, *descriptors),
                pass_fds=descriptors,
                # Ctrl-C in a terminal reaches the supervisor alone, which passes it on.
                process_group=0,
            )
        self.channel.setblocking(False)
        self.began = self.heard = time.monotonic()
        self.is_serving = self.is_ending = False
        self._rest = b""

    def listen(self) -> list[Report]:
        """Return the reports since the last time."""
        try:
            received = self.channel.recv(65536)
        except (BlockingIOError, ConnectionResetError):
            return []
        if received:
            self.heard = time.monotonic()
        *lines, self._rest = (self._rest + received).split(b"\n")
        reports: list[Report] = [json.loads(line) for line in lines if line]
        self.is_serving |= any("serving" in report for report in reports)
        self.is_ending |= any("ending" in report for report in reports)
        return reports

    @property
    def hangs(self) -> bool:
        """Whether its event loop is blocked."""
        return self.is_serving and not self.is_ending and time.monotonic() - self.heard > _SILENCE_S

    def close(self) -> None:
        """Close the socket of a worker that has ended."""
        self.channel.close()


class _Place:
    """The place of one worker and of those that replace it."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.starts_at = 0.0
        self._short_lives = 0

    def leave(self, worker: Worker) -> float:
        """Note that the worker has ended, and return the seconds until the next one starts."""
        is_short = time.monotonic() - worker.began < _SHORT_LIFE_S
        self._short_lives = self._short_lives + 1 if is_short else 0
        # No pause after the first crash, which may have been a single event.
        doubled = _FIRST_PAUSE_S * 2.0 ** min(self._short_lives - 2, 10)
        pause_s = min(_LONGEST_PAUSE_S, doubled) if self._short_lives > 1 else 0.0
        self.worker, self.starts_at = None, time.monotonic() + pause_s
        return pause_s


class Supervisor:
    """Keeps a number of workers running until a signal ends them all."""

    def __init__(
        self, start: Callable[[], Worker], *, workers: int, shutdown_s: float, on_serving: Callable[[Report], None]
    ) -> None:
        """
        Prepare to start workers.

        Args:
            start: Starts a worker.
            workers: The number of workers.
            shutdown_s: How long requests in flight may take to finish at shutdown.
            on_serving: Called with what the first worker reports once it serves.
        """
        self._start = start
        self._places = [_Place() for _ in range(workers)]
        self._shutdown_s = shutdown_s
        self._on_serving = on_serving
        self._has_served = False
        self._signals: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _frame: self._signals.append(received))

    def run(self, listeners: Sequence[socket.socket]) -> int:
        """
        Run until a signal comes, and return the exit code.

        A worker that ends by itself before any has served is a start that failed: its exit code is returned.
        """
        failed = 0
        while not self._signals and not failed:
            failed = self._check_workers()
        # New connections are refused from now on, instead of waiting in a queue that no process reads.
        for listener in listeners:
            listener.close()
        self._stop()
        return failed

    def _check_workers(self) -> int:
        for place in self._places:
            if place.worker is None and time.monotonic() >= place.starts_at:
                place.worker = self._start()
        self._listen()
        for place in self._places:
            if place.worker and (code := place.worker.process.poll()) is not None:
                self._listen()
                if code > 0 and not self._has_served:
                    return code
                self._replace(place, place.worker, code)
            elif place.worker and place.worker.hangs:
                _log.error("worker hangs", pid=place.worker.process.pid, silent_s=_SILENCE_S)
                place.worker.process.kill()
        return 0

    def _replace(self, place: _Place, worker: Worker, code: int) -> None:
        worker.close()
        pause_s = place.leave(worker)
        ended = {"signal": signal.Signals(-code).name} if code < 0 else {"exit_code": code}
        _log.error("worker ended", pid=worker.process.pid, **ended, restart_in_s=pause_s)

    def _listen(self) -> None:
        channels = {place.worker.channel: place.worker for place in self._places if place.worker}
        readable, _, _ = select.select(list(channels), [], [], _CHECK_S)
        for channel in readable:
            for report in channels[channel].listen():
                if "serving" in report and not self._has_served:
                    self._has_served = True
                    self._on_serving(report["serving"])

    def _stop(self) -> None:
        """End all workers gracefully; a second Ctrl-C ends them at once, and the deadline kills them."""
        workers = [place.worker for place in self._places if place.worker]
        _send(workers, signal.SIGTERM)
        seen, deadline = len(self._signals), time.monotonic() + self._shutdown_s + _END_S
        while any(worker.process.poll() is None for worker in workers):
            if signal.SIGINT in self._signals[max(seen, 1) :]:
                _send(workers, signal.SIGINT)
                seen = len(self._signals)
            if time.monotonic() > deadline:
                _send(workers, signal.SIGKILL)
            time.sleep(0.02)
        for worker in workers:
            worker.close()


def _send(workers: Sequence[Worker], number: int) -> None:
    for worker in workers:
        # `Popen.send_signal` does nothing if the process has ended.
        worker.process.send_signal(number)


def bind(host: str, port: int) -> list[socket.socket]:
    """
    Listen on all addresses of a host; connections wait in the system's queue until a worker accepts them.

    Raises:
        OSError: An address is not of this machine, or its port is taken.
    """
    bound: list[socket.socket] = []
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    try:
        for family, address in addresses:
            # For port 0 the system chooses a port, which all addresses share.
            chosen = bound[0].getsockname()[1] if bound else port
            bound += _listener(family, (address[0], chosen, *address[2:]), is_needed=len(addresses) == 1)
    except OSError:
        for listener in bound:
            listener.close()
        raise
    if not bound:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    return bound


def _listener(family: int, address: tuple[Any, ...], *, is_needed: bool) -> list[socket.socket]:
    """Open one socket, or none if the system lacks the address, as a container without IPv6 lacks that of localhost."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if is_needed or error.errno != errno.EADDRNOTAVAIL:
            raise
        return []
    return [listener]
