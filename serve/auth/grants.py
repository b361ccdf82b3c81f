"""OAuth grants: a login opens a session, and a refresh token, which is valid once, continues it."""

import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from serve.auth.principals import Permission, known_permissions, scope_of
from serve.auth.security_store import SecurityStore
from serve.auth.sessions import LoginSession, RefreshToken, digest_of, lock_session
from serve.auth.tokens import LEEWAY_S, Issued, Tokens
from serve.auth.users import User, lock_user, permissions_of
from serve.errors import GrantRefused, ScopeRefused
from serve.storage.database import reading, writing


@dataclass(frozen=True, slots=True)
class Granted:
    """The tokens of a login or a refresh."""

    access: Issued
    refresh_token: str
    refresh_expires_in_s: int


class Grants:
    """Opens and continues sessions. Each call blocks: call it in a thread."""

    def __init__(
        self,
        records: SecurityStore,
        tokens: Tokens,
        *,
        refresh_ttl_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._tokens = tokens
        self._refresh_ttl_s = refresh_ttl_s
        self._clock = clock

    def open(
        self,
        session: Session,
        user: User,
        permissions: Collection[Permission],
        *,
        address: str,
        ttl_s: int | None = None,
    ) -> Granted:
        """Open a session for an authenticated user whom this transaction has locked."""
        now, id_ = self._clock(), secrets.token_hex(16)
        issued = self._tokens.issue(user.name, permissions, session=id_, ttl_s=ttl_s)
        until = now + issued.expires_in_s + LEEWAY_S
        ends_at = now + self._refresh_ttl_s
        login = LoginSession(
            id=id_, user=user.name, scope=scope_of(permissions), address=address[:64], created_at=now, used_at=now
        )
        login.expires_at, login.access_until = max(ends_at, until), until
        session.add(login)
        session.flush()
        self._records.sessions.prune_user(session, user.name)
        return Granted(issued, _new_token(session, id_), self._refresh_ttl_s)

    def issue_for_admin(self, name: str, *, ttl_s: int) -> Issued:
        """Issue an access token with all permissions of a user to an administrator, who has the database."""
        with writing(self._records.engine) as session:
            user = lock_user(session, name, "to write")
            assert user is not None
            self._records.audit.note(session, "token-handed-out", who=name)
            return self.open(session, user, permissions_of(session, user), address="", ttl_s=ttl_s).access

    def refresh(self, token: str, scope: str, *, address: str) -> Granted:
        """
        Exchange a refresh token for new tokens; one that was used before ends its session.

        Raises:
            GrantRefused: The refresh token is invalid.
            ScopeRefused: A requested scope is not the session's.
        """
        digest = digest_of(token)
        # Read first: guesses of strangers must not take the lock under which SQLite writes.
        with reading(self._records.engine) as session:
            found = session.get(RefreshToken, digest)
            login = session.get(LoginSession, found.session) if found else None
        if login is None:
            raise GrantRefused("unknown refresh token")
        with writing(self._records.engine) as session:
            granted = self._exchanged(session, login, digest, scope, address)
        # Raised after the commit, so that an ended session stays ended.
        if granted is None:
            raise GrantRefused("session ended")
        return granted

    def _exchanged(
        self, session: Session, login: LoginSession, digest: str, scope: str, address: str
    ) -> Granted | None:
        user = lock_user(session, login.user, "to read")
        permissions = permissions_of(session, user) & known_permissions(login.scope) if user else frozenset()
        now, current = self._clock(), lock_session(session, login.id)
        if current is None or now >= current.expires_at:
            return None
        is_enabled = user is not None and not user.disabled
        if user is None or not is_enabled or not _claim(session, digest, now):
            event = "refresh-replayed" if is_enabled else "session-ended"
            self._records.audit.note(session, event, who=current.user, address=address, sid=current.id)
            self._records.sessions.close(session, [current])
            return None
        issued = self._tokens.issue(user.name, requested(scope, permissions), session=current.id)
        current.used_at = now
        current.access_until = max(current.access_until, now + issued.expires_in_s + LEEWAY_S)
        return Granted(issued, _new_token(session, current.id), int(current.expires_at - now))


def requested(scope: str, permissions: frozenset[Permission]) -> frozenset[Permission]:
    """
    Return the permissions of a requested scope, or all of these if it is empty.

    Raises:
        ScopeRefused: The scope has more than these permissions.
    """
    wanted = set(scope.split())
    if not wanted <= permissions:
        raise ScopeRefused("the requested scope has more than the user has")
    return frozenset(map(Permission, wanted)) or permissions


def _claim(session: Session, digest: str, now: float) -> bool:
    """Mark a refresh token as used, and return whether this is its first use, which only one concurrent use can be."""
    unused = update(RefreshToken).where(RefreshToken.digest == digest, RefreshToken.used_at.is_(None))
    result = session.execute(unused.values(used_at=now).execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def _new_token(session: Session, id_: str) -> str:
    token = secrets.token_urlsafe(32)
    session.add(RefreshToken(digest=digest_of(token), session=id_))
    return token
