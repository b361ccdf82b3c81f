"""Timeouts of connections, checked for all connections together once a second."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Protocol as Interface

# The interval of checks. One timer serves all connections, so a request needs none.
TICK_S = 1.0
# How long the rest of a refused request is discarded, so that closing does not destroy the response on its way.
LINGER_S = 5.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    The timeouts in seconds.

    A body may be slower than `body_bytes_s` for `body_grace_s` in total; faster stretches restore that time.
    """

    headers_s: float = 10
    body_bytes_s: int = 1024
    body_grace_s: float = 10
    reader_s: float = 20
    keep_alive_s: float = 20


class Connection(Interface):
    """What the reaper needs to know of a connection, and how it ends one."""

    @property
    def phase(self) -> "Phase":
        """The current phase of the connection."""

    @property
    def unsent(self) -> int:
        """Bytes in the write buffer of this process."""

    @property
    def taken(self) -> int:
        """Bytes that the client's system has acknowledged; 0 if the system does not count them."""

    def time_out(self) -> None:
        """Refuse the request that did not arrive in time."""

    def close(self) -> None:
        """Close in an orderly way."""

    def cut_off(self) -> None:
        """Abort a response that the client does not read."""

    def abort(self) -> None:
        """Close at once and discard what is still to be sent."""


@dataclass(frozen=True, slots=True)
class Phase:
    """
    A phase of a connection.

    Attributes:
        kind: `idle`, `headers`, `body`, `response` (the server is at work), `lingering`.
        of: What distinguishes this phase from the next one of its kind.
        received: Bytes of bodies so far.
    """

    kind: str
    of: object
    received: int = 0


@dataclass(slots=True)
class Seen:
    """The state of a connection at its last check."""

    phase: Phase = field(default_factory=lambda: Phase("new", None))
    lasted_s: float = 0.0
    left_s: float = 0.0
    unsent: int = 0
    taken: int = 0
    stuck_s: float = 0.0


class ConnectionReaper:
    """
    Closes slow and idle connections of a process.

    It counts its own checks instead of reading a clock, so that a delay of this process is not blamed on clients.
    """

    def __init__(self, timeouts: Timeouts, *, tick_s: float = TICK_S) -> None:
        self._timeouts = timeouts
        self._tick_s = tick_s
        self._seen: dict[Connection, Seen] = {}
        self._is_scheduled = False
        self._spare: list[Connection] = []

    def add(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Check this connection from now on."""
        self._seen[connection] = Seen()
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_later(self._tick_s, self._on_time, loop)

    def remove(self, connection: Connection) -> None:
        """Stop checking a connection that has ended."""
        self._seen.pop(connection, None)

    def spare(self) -> Connection | None:
        """Return the connection that has been idle for longest and has nothing to send, if there is one."""
        if not self._spare:
            # Sorted for many calls at once: thousands of new connections must not cause a sort each.
            found = [(_idle_s(each, seen), each) for each, seen in reversed(self._seen.items()) if _is_idle(each)]
            self._spare = [connection for _, connection in sorted(found, key=itemgetter(0))]
        while self._spare:
            connection = self._spare.pop()
            if connection in self._seen and _is_idle(connection):
                return connection
        return None

    def check(self, connections: Iterable[tuple[Connection, Seen]]) -> None:
        """Check these connections once."""
        for connection, seen in connections:
            if self._is_stuck(connection, seen):
                connection.cut_off()
            else:
                self._check_phase(connection, seen)

    def _on_time(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_scheduled = bool(self._seen)
        self._spare.clear()
        if self._is_scheduled:
            loop.call_later(self._tick_s, self._on_time, loop)
        self.check(list(self._seen.items()))

    def _is_stuck(self, connection: Connection, seen: Seen) -> bool:
        """Return whether the client reads nothing of what is sent to it."""
        unsent, before = connection.unsent, seen.unsent
        seen.unsent = unsent
        if not unsent:
            seen.stuck_s = 0.0
            return False
        # The system accepts more only after much of its buffer was sent, so acknowledged bytes show a slow reader.
        taken, taken_before = connection.taken, seen.taken
        seen.taken = taken
        is_moving = not before or unsent < before or taken > taken_before
        seen.stuck_s = 0.0 if is_moving else seen.stuck_s + self._tick_s
        return seen.stuck_s >= self._timeouts.reader_s

    def _check_phase(self, connection: Connection, seen: Seen) -> None:
        phase, before = connection.phase, seen.phase
        is_same = phase.kind == before.kind and phase.of is before.of
        seen.lasted_s = seen.lasted_s + self._tick_s if is_same else 0.0
        seen.phase = phase
        if phase.kind == "body":
            earned_s = (phase.received - before.received) / self._timeouts.body_bytes_s - self._tick_s
            grace_s = self._timeouts.body_grace_s
            seen.left_s = min(grace_s, seen.left_s + earned_s) if is_same else grace_s
            if seen.left_s < 0:
                connection.time_out()
        elif phase.kind == "headers" and seen.lasted_s >= self._timeouts.headers_s:
            connection.time_out()
        elif phase.kind == "idle" and seen.lasted_s >= self._timeouts.keep_alive_s:
            connection.close()
        elif phase.kind == "lingering" and seen.lasted_s >= LINGER_S and not connection.unsent:
            connection.abort()


def _is_idle(connection: Connection) -> bool:
    return connection.phase.kind == "idle" and not connection.unsent


def _idle_s(connection: Connection, seen: Seen) -> float:
    return seen.lasted_s if seen.phase == connection.phase else 0.0
