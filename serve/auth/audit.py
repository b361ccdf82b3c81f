"""What happened to people and their rights: a line of the log, and a row that stays."""

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
    """One thing that happened: `who` did it, to whom or what `subject` names."""

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
    The audit of one deployment. Never give it a secret.

    Args:
        kept_s: How long a row stays; 0 is for ever.
        is_logged: Whether it is told in the log as well: a command has none.
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
        """Keep what happens in a transaction, with it or not at all; the log tells it once it has happened."""
        line = {"who": printable(who, LONGEST_NAME), "address": printable(address, 64), **_plain(facts)}
        subject = printable(subject or who, LONGEST_NAME)
        session.add(
            Entry(
                at=self._clock(),
                event=name,
                who=line["who"],
                address=line["address"],
                subject=subject,
                facts=json.dumps(_plain(facts)),
            )
        )
        if self._is_logged:
            after_commit(session, partial(_log.info, name, subject=subject, **line))

    def tell(self, name: str, *, who: str, address: str = "", **facts: str | int) -> None:
        """A line of the log alone: for what strangers can cause as often as they like."""
        _log.warning(name, who=printable(who, LONGEST_NAME), address=printable(address, 64), **_plain(facts))

    def last(self, most: int, *, user: str = "") -> list[Entry]:
        """The newest entries, oldest first; of one user, if one is named."""
        newest = select(Entry).order_by(Entry.id.desc()).limit(most)
        if user:
            newest = newest.where(or_(Entry.who == user, Entry.subject == user))
        with reading(self._engine) as session:
            return list(reversed(session.scalars(newest).all()))

    def prune(self) -> None:
        """Take away what has been kept long enough."""
        if self._kept_s:
            with writing(self._engine) as session:
                session.execute(delete(Entry).where(Entry.at < self._clock() - self._kept_s))


def printable(text: str, longest: int) -> str:
    """A text of others, bounded and without what a terminal or a log could trip over."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:longest])


def _plain(facts: Mapping[str, str | int]) -> dict[str, str | int]:
    return {name: printable(fact, LONGEST_FACT) if isinstance(fact, str) else fact for name, fact in facts.items()}
