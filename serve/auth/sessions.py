"""Sessions: every login is one, and ends with everything that came of it."""

import hashlib
import time
from collections.abc import Callable, Collection

from sqlalchemy import Double, Engine, ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.auth.audit import Audit
from serve.auth.revocations import Revocations
from serve.errors import SessionNotFound
from serve.storage.database import Base, reading, writing

# Sessions of a user beyond these are let go once none of their tokens counts: scripts log in and never out.
MOST_KEPT = 100


class LoginSession(Base):
    """One session: whose, with which scopes, from where, and until when."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column("scopes", String(1024))
    address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float] = mapped_column(Double)
    used_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)
    access_until: Mapped[float] = mapped_column(Double)


class RefreshToken(Base):
    """One refresh token, by its digest; used ones stay as long as their session, so that a replay is known as one."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    session: Mapped[str] = mapped_column(String(64), ForeignKey("sessions.id", ondelete="CASCADE"))
    used_at: Mapped[float | None] = mapped_column(Double)


class Sessions:
    """
    The sessions of all users. Each call is a short transaction, and blocks: make it in a thread.

    Whoever locks more than one row does it in this order: user, roles, session, refresh token.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        revocations: Revocations,
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._revocations = revocations
        self._audit = audit
        self._clock = clock

    def of(self, user: str) -> list[LoginSession]:
        """The sessions of a user, the newest use first."""
        query = select(LoginSession).where(LoginSession.user == user, LoginSession.expires_at > self._clock())
        with reading(self._engine) as session:
            return list(session.scalars(query.order_by(LoginSession.used_at.desc())))

    def all(self) -> list[LoginSession]:
        """The sessions of everybody."""
        with reading(self._engine) as session:
            query = select(LoginSession).where(LoginSession.expires_at > self._clock())
            return list(session.scalars(query.order_by(LoginSession.user, LoginSession.used_at.desc())))

    def owner(self, refresh_token: str) -> LoginSession | None:
        """The session that a refresh token belongs to."""
        with reading(self._engine) as session:
            found = session.get(RefreshToken, digest_of(refresh_token))
            return session.get(LoginSession, found.session) if found else None

    def end(self, id_: str, *, who: str, address: str, user: str | None = None) -> None:
        """
        End one session; with `user`, only if it is theirs.

        Raises:
            SessionNotFound: There is none of that id, or it is another's.
        """
        with writing(self._engine) as session:
            login = locked(session, id_)
            if login is None or (user is not None and login.user != user):
                raise SessionNotFound(f"there is no session {id_}")
            self._audit.note(session, "session-ended", who=who, address=address, subject=login.user, sid=id_)
            self.close(session, [login])

    def end_all(self, session: Session, users: Collection[str], *, but: str = "") -> int:
        """End every session of these users within a transaction, but for one of them; how many they were."""
        theirs = (
            select(LoginSession)
            .where(LoginSession.user.in_(users), LoginSession.id != but)
            .order_by(LoginSession.id)
            .with_for_update()
        )
        logins = list(session.scalars(theirs.execution_options(populate_existing=True)))
        self.close(session, logins)
        return len(logins)

    def revoke(self, id_: str, until: float, *, who: str, address: str) -> None:
        """Revoke one token that has no session."""
        with writing(self._engine) as session:
            self._revocations.revoke(session, {id_: until})
            self._audit.note(session, "token-revoked", who=who, address=address, token=id_)

    def prune(self) -> None:
        """Take away what has expired; what somebody else is at work on, the next time."""
        with writing(self._engine) as session:
            old = (
                select(LoginSession.id).where(LoginSession.expires_at < self._clock()).with_for_update(skip_locked=True)
            )
            session.execute(delete(LoginSession).where(LoginSession.id.in_(session.scalars(old.limit(1000)).all())))

    def close(self, session: Session, logins: Collection[LoginSession]) -> None:
        """End sessions that a transaction has locked: no token of theirs counts any more."""
        ids = [login.id for login in logins]
        self._revocations.revoke(session, {login.id: login.access_until for login in logins})
        session.execute(delete(LoginSession).where(LoginSession.id.in_(ids)))

    def let_go(self, session: Session, user: str) -> None:
        """Take away the oldest sessions of a user who has many, those whose access tokens have expired."""
        newest = (
            select(LoginSession.id)
            .where(LoginSession.user == user)
            .order_by(LoginSession.used_at.desc())
            .limit(MOST_KEPT)
        )
        old = delete(LoginSession).where(
            LoginSession.user == user, LoginSession.access_until < self._clock(), LoginSession.id.not_in(newest)
        )
        session.execute(old.execution_options(synchronize_session=False))


def locked(session: Session, id_: str) -> LoginSession | None:
    """A session as it is now, and stays until the transaction ends."""
    found = select(LoginSession).where(LoginSession.id == id_).with_for_update()
    return session.scalar(found.execution_options(populate_existing=True))


def digest_of(token: str) -> str:
    """What is kept of a refresh token."""
    # A digest is enough for what is random: there is nothing to guess that a slow one would make dearer.
    return hashlib.sha256(token.encode()).hexdigest()
