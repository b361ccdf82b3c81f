"""How long the server waits for whom, and the one look a second at every connection that finds out."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Protocol as Interface

# How often connections are looked at. One timer serves all of them: a request sets none.
TICK_S = 1.0
# How long the rest of a refused request is thrown away, so that closing does not destroy the answer on its way.
LINGER_S = 5.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    What is waited for; all times in seconds.

    A body may be slower than `body_bytes_s` for `body_grace_s` at a time, and earns that time back by being quicker.
    """

    headers_s: float = 10
    body_bytes_s: int = 1024
    body_grace_s: float = 10
    reader_s: float = 20
    keep_alive_s: float = 20


class Connection(Interface):
    """What a connection tells of itself, and what it does when it took too long."""

    @property
    def phase(self) -> "Phase":
        """What is going on at this moment."""

    @property
    def unsent(self) -> int:
        """Bytes that wait here until the system takes them."""

    @property
    def taken(self) -> int:
        """Bytes that have arrived at the client so far; 0 where nobody counts them."""

    def time_out(self) -> None:
        """Refuse the request that does not come."""

    def close(self) -> None:
        """Close what nobody uses."""

    def cut_off(self) -> None:
        """Give up an answer of which nothing is taken."""

    def abort(self) -> None:
        """Let go at once, whatever is still to be sent."""


@dataclass(frozen=True, slots=True)
class Phase:
    """
    One stretch in the life of a connection.

    Attributes:
        kind: `idle`, `headers`, `body`, `answer` (it is our turn), `lingering`.
        of: What tells this stretch from the next of its kind.
        received: Bytes of bodies so far.
    """

    kind: str
    of: object
    received: int = 0


@dataclass(slots=True)
class Seen:
    """What was found out about one connection at the last looks."""

    phase: Phase = field(default_factory=lambda: Phase("new", None))
    lasted_s: float = 0.0
    left_s: float = 0.0
    unsent: int = 0
    taken: int = 0
    stuck_s: float = 0.0


class ConnectionReaper:
    """
    Looks at every connection of a process once a second.

    It counts its own looks instead of reading a clock: while the process itself was held up, nobody else was slow.
    """

    def __init__(self, patience: Timeouts, *, tick_s: float = TICK_S) -> None:
        self._patience = patience
        self._tick_s = tick_s
        self._seen: dict[Connection, Seen] = {}
        self._is_looking = False
        self._spare: list[Connection] = []

    def add(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Look at this one too, from now on."""
        self._seen[connection] = Seen()
        if not self._is_looking:
            self._is_looking = True
            loop.call_later(self._tick_s, self._on_time, loop)

    def remove(self, connection: Connection) -> None:
        """It has ended."""
        self._seen.pop(connection, None)

    def spare(self) -> Connection | None:
        """The connection that has had no request for longest and has nothing to send, if there is one."""
        if not self._spare:
            # For many at once: who opens connections by the thousand shall not have all of them sorted for each.
            found = [(_idle_s(each, seen), each) for each, seen in reversed(self._seen.items()) if _is_idle(each)]
            self._spare = [connection for _, connection in sorted(found, key=itemgetter(0))]
        while self._spare:
            connection = self._spare.pop()
            if connection in self._seen and _is_idle(connection):
                return connection
        return None

    def look(self, connections: Iterable[tuple[Connection, Seen]]) -> None:
        """One look at these."""
        for connection, seen in connections:
            if self._is_stuck(connection, seen):
                connection.cut_off()
            else:
                self._judge(connection, seen)

    def _on_time(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_looking = bool(self._seen)
        self._spare.clear()
        if self._is_looking:
            loop.call_later(self._tick_s, self._on_time, loop)
        self.look(list(self._seen.items()))

    def _is_stuck(self, connection: Connection, seen: Seen) -> bool:
        """Whether the client takes nothing of what is sent to it."""
        unsent, before = connection.unsent, seen.unsent
        seen.unsent = unsent
        if not unsent:
            seen.stuck_s = 0.0
            return False
        # The system takes more from us only when much of what it holds is gone: a client may read all the while.
        taken, taken_before = connection.taken, seen.taken
        seen.taken = taken
        is_moving = not before or unsent < before or taken > taken_before
        seen.stuck_s = 0.0 if is_moving else seen.stuck_s + self._tick_s
        return seen.stuck_s >= self._patience.reader_s

    def _judge(self, connection: Connection, seen: Seen) -> None:
        phase, before = connection.phase, seen.phase
        is_same = phase.kind == before.kind and phase.of is before.of
        seen.lasted_s = seen.lasted_s + self._tick_s if is_same else 0.0
        seen.phase = phase
        if phase.kind == "body":
            earned_s = (phase.received - before.received) / self._patience.body_bytes_s - self._tick_s
            grace_s = self._patience.body_grace_s
            seen.left_s = min(grace_s, seen.left_s + earned_s) if is_same else grace_s
            if seen.left_s < 0:
                connection.time_out()
        elif phase.kind == "headers" and seen.lasted_s >= self._patience.headers_s:
            connection.time_out()
        elif phase.kind == "idle" and seen.lasted_s >= self._patience.keep_alive_s:
            connection.close()
        elif phase.kind == "lingering" and seen.lasted_s >= LINGER_S and not connection.unsent:
            connection.abort()


def _is_idle(connection: Connection) -> bool:
    return connection.phase.kind == "idle" and not connection.unsent


def _idle_s(connection: Connection, seen: Seen) -> float:
    return seen.lasted_s if seen.phase == connection.phase else 0.0
