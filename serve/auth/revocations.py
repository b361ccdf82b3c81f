"""Revocations of tokens, sessions and API keys: one table for all processes, and a copy in the memory of each."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from sqlalchemy import Double, Engine, String, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.errors import DatabaseUnavailable
from serve.storage import database
from serve.storage.database import Base, after_commit, reading, writing

# Transactions may commit in another order than they began, by up to the duration of the longest. The database aborts
# those that take 15 s, so each poll reads again what was written up to this long before the last one.
OVERLAP_S = 60.0

Announce = Callable[[Mapping[str, float]], None]


class Revocation(Base):
    """The revoked id of a token, a session or a key, kept until all tokens with it have expired."""

    __tablename__ = "revocations"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    revoked_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)


class Revocations:
    """
    Any thread may revoke; `learn` and `any_revoked` belong to one event loop.

    Args:
        announce: Called with the ids that a transaction has revoked, as soon as it is committed.
    """

    def __init__(
        self, engine: Engine, *, announce: Announce | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._announce = announce
        self._clock = clock
        self._until: dict[str, float] = {}
        self._seen_at: float | None = None
        self._is_loaded = False

    def revoke(self, session: Session, until: Mapping[str, float]) -> None:
        """Revoke ids within a transaction, each until all tokens with it have expired."""
        if not until:
            return
        # The clock of the process that verifies may be behind.
        until = {id_: end + OVERLAP_S for id_, end in until.items()}
        insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        revoked_at = database.now(session)
        rows = [{"id": id_, "revoked_at": revoked_at, "expires_at": end} for id_, end in sorted(until.items())]
        # SQLite limits the parameters of one statement.
        for start in range(0, len(rows), 500):
            session.execute(insert(Revocation).values(rows[start : start + 500]).on_conflict_do_nothing())
        if self._announce is not None:
            after_commit(session, partial(self._announce, until))

    def read(self) -> dict[str, float]:
        """
        Return the revocations since the last call; all unexpired ones the first time and after a failure.

        Raises:
            DatabaseUnavailable: The database does not answer; the next call returns all again.
        """
        since, self._seen_at = self._seen_at, None
        with reading(self._engine) as session:
            seen_at = database.now(session)
            query = select(Revocation.id, Revocation.expires_at).where(Revocation.expires_at > self._clock())
            if since is not None:
                # If the database's clock was set back since, later revocations have earlier times.
                query = query.where(Revocation.revoked_at > min(since, seen_at) - OVERLAP_S)
            found = {row.id: row.expires_at for row in session.execute(query)}
        self._seen_at = seen_at
        return found

    def learn(self, found: Mapping[str, float]) -> frozenset[str]:
        """Remember ids, forget expired ones, and return the new ones."""
        new = frozenset(found.keys() - self._until.keys())
        now = self._clock()
        self._until = {id_: until for id_, until in {**self._until, **found}.items() if until > now}
        return new

    def start(self) -> None:
        """Answer `any_revoked` from now on: the revocations of the time before this process are known."""
        self._is_loaded = True

    def any_revoked(self, ids: Iterable[str]) -> bool:
        """
        Return whether one of these ids is revoked.

        Raises:
            DatabaseUnavailable: The revocations of the time before this process have not been read yet.
        """
        if not self._is_loaded:
            raise DatabaseUnavailable("the revocations have not been read yet: the database does not answer")
        return not self._until.keys().isdisjoint(ids)

    def prune(self) -> None:
        """Delete expired revocations."""
        with writing(self._engine) as session:
            session.execute(delete(Revocation).where(Revocation.expires_at < self._clock()))
