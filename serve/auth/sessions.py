"""Sessions: every login opens one, and all of its tokens become invalid when it ends."""

import hashlib
import time
from collections.abc import Callable, Collection

from sqlalchemy import Double, Engine, ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.auth.audit import Audit
from serve.auth.revocations import Revocations
from serve.errors import SessionNotFound
from serve.storage.database import Base, reading, writing

# More sessions of one user are deleted once their access tokens have expired: scripts log in and never log out.
MOST_KEPT = 100


class LoginSession(Base):
    """A session: its user, scope, address and times."""

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
    """The digest of a refresh token; used ones are kept as long as their session, so that a replay is detected."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    session: Mapped[str] = mapped_column(String(64), ForeignKey("sessions.id", ondelete="CASCADE"))
    used_at: Mapped[float | None] = mapped_column(Double)


class Sessions:
    """
    The sessions of all users. Each call is a short transaction, and blocks: call it in a thread.

    Rows are always locked in this order: user, roles, session, refresh token.
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

    def all(self, user: str | None = None) -> list[LoginSession]:
        """Return the sessions of a user, or of all users, the last used ones first."""
        query = select(LoginSession).where(LoginSession.expires_at > self._clock())
        if user is not None:
            query = query.where(LoginSession.user == user)
        with reading(self._engine) as session:
            return list(session.scalars(query.order_by(LoginSession.user, LoginSession.used_at.desc())))

    def owner(self, refresh_token: str) -> LoginSession | None:
        """Return the session that a refresh token belongs to."""
        with reading(self._engine) as session:
            found = session.get(RefreshToken, digest_of(refresh_token))
            return session.get(LoginSession, found.session) if found else None

    def end(self, id_: str, *, who: str, address: str, user: str | None = None) -> None:
        """
        End one session; with `user`, only if it is theirs.

        Raises:
            SessionNotFound: There is no session of that id, or it belongs to another user.
        """
        with writing(self._engine) as session:
            login = lock_session(session, id_)
            if login is None or (user is not None and login.user != user):
                raise SessionNotFound(f"there is no session {id_}")
            self._audit.note(session, "session-ended", who=who, address=address, subject=login.user, sid=id_)
            self.close(session, [login])

    def end_all(self, session: Session, users: Collection[str], *, but: str = "") -> int:
        """End all sessions of these users, except one, within a transaction, and return how many."""
        query = select(LoginSession).where(LoginSession.user.in_(users), LoginSession.id != but)
        locking = query.order_by(LoginSession.id).with_for_update().execution_options(populate_existing=True)
        logins = list(session.scalars(locking))
        self.close(session, logins)
        return len(logins)

    def revoke(self, id_: str, until: float, *, who: str, address: str) -> None:
        """Revoke one token that has no session."""
        with writing(self._engine) as session:
            self._revocations.revoke(session, {id_: until})
            self._audit.note(session, "token-revoked", who=who, address=address, token=id_)

    def prune(self) -> None:
        """Delete expired sessions; those that another transaction has locked are deleted the next time."""
        old = select(LoginSession.id).where(LoginSession.expires_at < self._clock()).with_for_update(skip_locked=True)
        with writing(self._engine) as session:
            session.execute(delete(LoginSession).where(LoginSession.id.in_(session.scalars(old.limit(1000)).all())))

    def close(self, session: Session, logins: Collection[LoginSession]) -> None:
        """End sessions that this transaction has locked, and revoke their tokens."""
        self._revocations.revoke(session, {login.id: login.access_until for login in logins})
        session.execute(delete(LoginSession).where(LoginSession.id.in_([login.id for login in logins])))

    def prune_user(self, session: Session, user: str) -> None:
        """Delete the oldest sessions of a user who has many, if their access tokens have expired."""
        theirs = select(LoginSession.id).where(LoginSession.user == user)
        newest = theirs.order_by(LoginSession.used_at.desc()).limit(MOST_KEPT)
        old = delete(LoginSession).where(
            LoginSession.user == user, LoginSession.access_until < self._clock(), LoginSession.id.not_in(newest)
        )
        session.execute(old.execution_options(synchronize_session=False))


def lock_session(session: Session, id_: str) -> LoginSession | None:
    """Return the current state of a session, locked until the transaction ends."""
    query = select(LoginSession).where(LoginSession.id == id_).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def digest_of(token: str) -> str:
    """Return the stored digest of a random token."""
    # A fast digest suffices for random tokens: they cannot be guessed, so a slow one would protect nothing.
    return hashlib.sha256(token.encode()).hexdigest()
