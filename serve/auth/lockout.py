"""Failed logins: counted for a name and for an address, whichever process they came to, and the lock that follows."""

import ipaddress
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Double, Engine, String, delete, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.errors import LockedOut
from serve.storage.database import Base, writing

# An address locks itself before its failures can lock so many names.
NAMES_PER_ADDRESS = 6
# The half of an IPv6 address that a provider hands out to one customer.
_NETWORK_BITS = 64


class Failure(Base):
    """One attempt that failed, or that is not decided yet, under one of its keys."""

    __tablename__ = "failures"

    id: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(String(128))
    at: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that may be tried; `is_last`: if it fails, the next one is locked out."""

    id: str
    name: str
    is_last: bool


class Lockout:
    """
    Counts an attempt as failed before it is made, so that a thousand at once are no more than a thousand in turn.

    Args:
        most: Failures of a name within the window; the next attempt is refused.
        most_of_address: The same for an address, of IPv6 its /64.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        most: int,
        most_of_address: int,
        window_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._most = most
        self._most_of_address = most_of_address
        self._window_s = window_s
        self._clock = clock

    def reserve(self, session: Session, name: str, address: str) -> Attempt | LockedOut:
        """
        Count one attempt more; an unknown name is counted like any other.

        Returns:
            The attempt, or the error where there were too many and this one is not counted: for the caller to raise
            once the transaction is committed.
        """
        limits = {_of_name(name): self._most, _of_address(address): self._most_of_address}
        now, id_ = self._clock(), secrets.token_hex(8)
        _take_turns(session, sorted(limits))
        # Counted while a clock was ahead: from now on, and not until the clock gets there, it is one window.
        ahead = update(Failure).where(Failure.key.in_(limits), Failure.at > now).values(at=now)
        session.execute(ahead.execution_options(synchronize_session=False))
        times = {key: self._times(session, key, now) for key in limits}
        # Free again once so many have left the window that one more fits.
        waits = [times[key][-most] + self._window_s - now for key, most in limits.items() if len(times[key]) >= most]
        if waits:
            return LockedOut(retry_after_s=max(1, math.ceil(max(waits))))
        session.add_all(Failure(attempt=id_, key=key, at=now) for key in limits)
        return Attempt(id_, name, any(len(times[key]) + 1 == most for key, most in limits.items()))

    def forgive(self, session: Session, attempt: Attempt) -> None:
        """It did not fail: the name begins anew, and the address has one failure less."""
        # Not anew: whoever has one account would try those of others for ever.
        session.execute(delete(Failure).where(Failure.attempt == attempt.id))
        session.execute(delete(Failure).where(Failure.key == _of_name(attempt.name)))

    def prune(self) -> None:
        """Take away what has left the window."""
        with writing(self._engine) as session:
            old = select(Failure.id).where(Failure.at < self._clock() - self._window_s)
            ids = session.scalars(old.with_for_update(skip_locked=True).limit(10_000)).all()
            session.execute(delete(Failure).where(Failure.id.in_(ids)))

    def _times(self, session: Session, key: str, now: float) -> list[float]:
        within = select(Failure.at).where(Failure.key == key, Failure.at > now - self._window_s)
        return list(session.scalars(within.order_by(Failure.at)))


def _of_name(name: str) -> str:
    return f"name {name}"


def _of_address(address: str) -> str:
    return f"address {network_of(address)}"


def network_of(address: str) -> str:
    """What those who come from an address are counted by: of IPv6, whose owner has a whole network, its /64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        # A proxy may say what it likes.
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
    return str(parsed)


def _take_turns(session: Session, keys: list[str]) -> None:
    """Whoever counts under one of these keys waits for the others; in order, so that nobody waits in a circle."""
    if session.get_bind().dialect.name == "postgresql":
        for key in keys:
            session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 7305424))"), {"key": key})
