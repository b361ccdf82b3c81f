"""Grants: what a login opens and a refresh token prolongs; each refresh token counts once."""

import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import Engine, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from serve.auth.audit import Audit
from serve.auth.sessions import LoginSession, RefreshToken, Sessions, digest_of, locked
from serve.auth.tokens import LEEWAY_S, Issued, Tokens
from serve.auth.users import Scope, User, accounts, reach
from serve.auth.users.scopes import known, written
from serve.errors import GrantRefused, ScopeRefused
from serve.storage.database import reading, writing


@dataclass(frozen=True, slots=True)
class Granted:
    """What a login or a refresh hands out."""

    access: Issued
    refresh_token: str
    refresh_expires_in_s: int


class Grants:
    """Opens sessions and goes on with them. `refresh` blocks: call it in a thread."""

    def __init__(
        self,
        engine: Engine,
        tokens: Tokens,
        *,
        sessions: Sessions,
        audit: Audit,
        refresh_ttl_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._tokens = tokens
        self._sessions = sessions
        self._audit = audit
        self._refresh_ttl_s = refresh_ttl_s
        self._clock = clock

    def open(
        self, session: Session, user: User, scopes: Collection[Scope], *, address: str, ttl_s: int | None = None
    ) -> Granted:
        """A new session for a user who was recognised, and whom the transaction has locked."""
        now, id_ = self._clock(), secrets.token_hex(16)
        issued = self._tokens.issue(user.name, scopes, session=id_, ttl_s=ttl_s)
        until = now + issued.expires_in_s + LEEWAY_S
        ends_at = now + self._refresh_ttl_s
        login = LoginSession(
            id=id_, user=user.name, scope=written(scopes), address=address[:64], created_at=now, used_at=now
        )
        login.expires_at, login.access_until = max(ends_at, until), until
        session.add(login)
        session.flush()
        self._sessions.let_go(session, user.name)
        return Granted(issued, _new_token(session, id_), self._refresh_ttl_s)

    def hand_out(self, name: str, *, ttl_s: int) -> Issued:
        """An access token with all that a user may do, for whoever has the database in hand."""
        with writing(self._engine) as session:
            user = accounts.locked(session, name, "to write")
            assert user is not None
            self._audit.note(session, "token-handed-out", who=name)
            return self.open(session, user, reach(session, user, lock=True), address="", ttl_s=ttl_s).access

    def refresh(self, token: str, scope: str, *, address: str) -> Granted:
        """
        New tokens for a refresh token that was not used before; one that was ends its session.

        Raises:
            GrantRefused: It is not one, or does not count any more.
            ScopeRefused: More scope was asked for than the session has.
        """
        digest = digest_of(token)
        # Strangers' guesses shall not even take the lock under which SQLite writes.
        with reading(self._engine) as session:
            found = session.get(RefreshToken, digest)
            login = session.get(LoginSession, found.session) if found else None
        if login is None:
            raise GrantRefused("unknown refresh token")
        with writing(self._engine) as session:
            granted = self._exchanged(session, login, digest, scope, address)
        # Raised out here: what ended, ended for good.
        if granted is None:
            raise GrantRefused("session ended")
        return granted

    def _exchanged(
        self, session: Session, login: LoginSession, digest: str, scope: str, address: str
    ) -> Granted | None:
        user = accounts.locked(session, login.user, "to read")
        scopes = reach(session, user, lock=True) & known(login.scope) if user else frozenset()
        now, current = self._clock(), locked(session, login.id)
        if current is None or now >= current.expires_at:
            return None
        if user is None or user.disabled:
            self._audit.note(session, "session-ended", who=current.user, address=address, sid=current.id)
            self._sessions.close(session, [current])
            return None
        if not _claimed(session, digest, now):
            self._audit.note(session, "refresh-replayed", who=current.user, address=address, sid=current.id)
            self._sessions.close(session, [current])
            return None
        issued = self._tokens.issue(user.name, narrowed(scope, scopes), session=current.id)
        current.used_at = now
        current.access_until = max(current.access_until, now + issued.expires_in_s + LEEWAY_S)
        return Granted(issued, _new_token(session, current.id), int(current.expires_at - now))


def narrowed(asked: str, scopes: frozenset[Scope]) -> frozenset[Scope]:
    """
    The scopes that were asked for, or all that there are to have.

    Raises:
        ScopeRefused: More was asked for.
    """
    wanted = set(asked.split())
    if not wanted <= scopes:
        raise ScopeRefused("more scope was asked for than the user has")
    return frozenset(map(Scope, wanted)) or scopes


def _claimed(session: Session, digest: str, now: float) -> bool:
    """Whether this use of a refresh token is its first: of any number at once, one is."""
    unused = update(RefreshToken).where(RefreshToken.digest == digest, RefreshToken.used_at.is_(None))
    result = session.execute(unused.values(used_at=now).execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def _new_token(session: Session, id_: str) -> str:
    token = secrets.token_urlsafe(32)
    session.add(RefreshToken(digest=digest_of(token), session=id_))
    return token
