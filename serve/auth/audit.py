"""The audit: logins and changes of users, roles and keys, as log lines and as rows of a table."""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from sqlalchemy import Double, Engine, String, Text, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.storage.database import Base, after_commit, reading, writing

DAY_S = 86_400
LONGEST_NAME = 128
LONGEST_FACT = 256

_log = structlog.get_logger("serve.audit")


class Entry(Base):
    """An event: `who` did it, to the user or key that `subject` names."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float] = mapped_column(Double)
    event: Mapped[str] = mapped_column(String(64))
    who: Mapped[str] = mapped_column(String(LONGEST_NAME))
    address: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(LONGEST_NAME))
    facts: Mapped[str] = mapped_column(Text)


class Audit:
    """
    The audit of one deployment. Callers must not pass secrets.

    Args:
        kept_s: Delete rows after this many seconds; 0 keeps them for ever.
        is_logged: Whether events are written to the log too; commands have no log.
    """

    def __init__(
        self, engine: Engine, *, kept_s: float, is_logged: bool = True, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._kept_s = kept_s
        self._is_logged = is_logged
        self._clock = clock

    def note(
        self, session: Session, name: str, *, who: str, address: str = "", subject: str = "", **facts: str | int
    ) -> None:
        """Store an event within a transaction, and log it once the transaction is committed."""
        line = {"who": printable(who, LONGEST_NAME), "address": printable(address, 64)}
        line["subject"] = printable(subject or who, LONGEST_NAME)
        safe = _printable_facts(facts)
        session.add(Entry(at=self._clock(), event=name, facts=json.dumps(safe), **line))
        if self._is_logged:
            after_commit(session, partial(_log.info, name, **line, **safe))

    def log(self, name: str, *, who: str, address: str = "", **facts: str | int) -> None:
        """Log an event without storing it, since strangers can cause it as often as they like."""
        _log.warning(name, who=printable(who, LONGEST_NAME), address=printable(address, 64), **_printable_facts(facts))

    def last(self, most: int, *, user: str = "") -> list[Entry]:
        """Return the newest entries, oldest first; with `user`, only those by or about that user."""
        newest = select(Entry).order_by(Entry.id.desc()).limit(most)
        if user:
            newest = newest.where(or_(Entry.who == user, Entry.subject == user))
        with reading(self._engine) as session:
            return list(reversed(session.scalars(newest).all()))

    def prune(self) -> None:
        """Delete rows that are older than `kept_s`."""
        if self._kept_s:
            with writing(self._engine) as session:
                session.execute(delete(Entry).where(Entry.at < self._clock() - self._kept_s))


def printable(text: str, longest: int) -> str:
    """Return a text from outside, cut and without characters that a terminal or a log might interpret."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:longest])


def _printable_facts(facts: Mapping[str, str | int]) -> dict[str, str | int]:
    return {name: printable(fact, LONGEST_FACT) if isinstance(fact, str) else fact for name, fact in facts.items()}
