"""What does not count any more, although it has not expired: one table for all processes, and the memory of each."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from sqlalchemy import Double, Engine, String, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.errors import DatabaseUnavailable
from serve.storage import database
from serve.storage.database import Base, after_commit, reading, writing

# Transactions commit in another order than they began, by as much as the longest takes. The database ends those that
# take 15 s; whatever was written so much earlier than the last look is looked at again.
OVERLAP_S = 60.0

Announce = Callable[[Mapping[str, float]], None]


class Revocation(Base):
    """An id of a token, of a session or of a key, until whatever bears it has expired."""

    __tablename__ = "revocations"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    revoked_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)


def _unheard(_found: Mapping[str, float]) -> None:
    """A command's process serves nobody who would have to know."""


class Revocations:
    """
    Written to by any thread; remembered, and asked, on one event loop.

    Args:
        announce: Told in this process what a transaction revoked, as soon as it is committed.
    """

    def __init__(
        self, engine: Engine, *, announce: Announce | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._announce = announce or _unheard
        self._clock = clock
        self._until: dict[str, float] = {}
        self._seen_at: float | None = None
        self._is_loaded = False

    def revoke(self, session: Session, until: Mapping[str, float]) -> None:
        """Revoke ids, each until the time that its bearer has expired anyway, with the transaction or not at all."""
        if not until:
            return
        # Whoever verifies it may have a clock that is a little behind.
        until = {id_: end + OVERLAP_S for id_, end in until.items()}
        insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        revoked_at = database.now(session)
        rows = [{"id": id_, "revoked_at": revoked_at, "expires_at": end} for id_, end in sorted(until.items())]
        # As many parameters as SQLite takes in one statement, and then some.
        for start in range(0, len(rows), 500):
            session.execute(insert(Revocation).values(rows[start : start + 500]).on_conflict_do_nothing())
        after_commit(session, partial(self._announce, until))

    def read(self) -> dict[str, float]:
        """
        What others revoked since the last look; everything that still counts, the first time and after a failure.

        Raises:
            DatabaseUnavailable: The database does not answer; the next look is at everything again.
        """
        since, self._seen_at = self._seen_at, None
        with reading(self._engine) as session:
            seen_at = database.now(session)
            query = select(Revocation.id, Revocation.expires_at).where(Revocation.expires_at > self._clock())
            if since is not None:
                # Where the database's clock was set back since, what was revoked after that seems older.
                query = query.where(Revocation.revoked_at > min(since, seen_at) - OVERLAP_S)
            found = {row.id: row.expires_at for row in session.execute(query)}
        self._seen_at = seen_at
        return found

    def learn(self, found: Mapping[str, float]) -> frozenset[str]:
        """Remember ids, forget those whose time is over, and say which are new."""
        new = frozenset(found.keys() - self._until.keys())
        now = self._clock()
        self._until = {id_: until for id_, until in {**self._until, **found}.items() if until > now}
        return new

    def start(self) -> None:
        """From now on it is known what was revoked before this process began."""
        self._is_loaded = True

    def hold(self, ids: Iterable[str]) -> bool:
        """
        Whether one of these ids is revoked.

        Raises:
            DatabaseUnavailable: What was revoked before this process began has not been read yet.
        """
        if not self._is_loaded:
            raise DatabaseUnavailable("what was revoked is not known yet: the database does not answer")
        return not self._until.keys().isdisjoint(ids)

    def prune(self) -> None:
        """Take away what has expired."""
        with writing(self._engine) as session:
            session.execute(delete(Revocation).where(Revocation.expires_at < self._clock()))
