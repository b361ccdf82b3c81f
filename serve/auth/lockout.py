"""Lock-out: failed logins are counted per name and per address, for all processes together."""

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

# An address locks itself before its failures can lock this many names.
NAMES_PER_ADDRESS = 6
# The part of an IPv6 address that identifies one customer of a provider.
_NETWORK_BITS = 64


class Failure(Base):
    """An attempt that failed or is not decided yet, counted under its name or its address."""

    __tablename__ = "failures"

    id: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(String(128))
    at: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that may be tried; if one with `is_last` fails, the next one is locked out."""

    id: str
    name: str
    is_last: bool


class Lockout:
    """
    Counts an attempt as failed before it is made, so that concurrent attempts are limited like consecutive ones.

    Args:
        most: Failures of one name within the window, after which attempts are refused.
        most_of_address: The same for an address, or for the /64 network of an IPv6 address.
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
        Count one more attempt; unknown names are counted like all others.

        Returns:
            The attempt; or, if there were too many, the error for the caller to raise once the transaction is
            committed, and the attempt is not counted.
        """
        limits = {_of_name(name): self._most, _of_address(address): self._most_of_address}
        now, id_ = self._clock(), secrets.token_hex(8)
        _lock_keys(session, sorted(limits))
        # Attempts counted while a clock was ahead: their window begins now, not when the clock gets there.
        ahead = update(Failure).where(Failure.key.in_(limits), Failure.at > now).values(at=now)
        session.execute(ahead.execution_options(synchronize_session=False))
        times = {key: self._times(session, key, now) for key in limits}
        # The wait ends when enough attempts have left the window.
        waits = [times[key][-most] + self._window_s - now for key, most in limits.items() if len(times[key]) >= most]
        if waits:
            return LockedOut(retry_after_s=max(1, math.ceil(max(waits))))
        session.add_all(Failure(attempt=id_, key=key, at=now) for key in limits)
        return Attempt(id_, name, any(len(times[key]) + 1 == most for key, most in limits.items()))

    def forgive(self, session: Session, attempt: Attempt) -> None:
        """Uncount an attempt that succeeded: the name starts from zero, and the address has one failure less."""
        # The address does not start from zero: an attacker with one account could then try others for ever.
        session.execute(delete(Failure).where(Failure.attempt == attempt.id))
        session.execute(delete(Failure).where(Failure.key == _of_name(attempt.name)))

    def prune(self) -> None:
        """Delete attempts that have left the window."""
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
    """Return the network that an address is counted by: an IPv6 address by its /64, which one customer owns."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        # A proxy may report anything.
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
    return str(parsed)


def _lock_keys(session: Session, keys: list[str]) -> None:
    """Let one transaction at a time count under each key; the order of keys excludes a deadlock."""
    if session.get_bind().dialect.name == "postgresql":
        for key in keys:
            session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 7305424))"), {"key": key})
