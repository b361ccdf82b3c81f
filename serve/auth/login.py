"""Login by name and password, and changes of the password."""

import time
from collections.abc import Callable

from serve.auth.grants import Granted, Grants, requested
from serve.auth.lockout import Attempt, Lockout
from serve.auth.passwords import Passwords
from serve.auth.security_store import SecurityStore
from serve.auth.users import User, lock_user, permissions_of
from serve.errors import BadCredentials, LockedOut, ScopeRefused, WrongPassword
from serve.storage.database import writing


class Login:
    """
    Authenticates users. Blocks for the time of a password hash: call it in a thread.

    A refused login takes the same hashes and queries whether the name is unknown, disabled or known.
    """

    def __init__(
        self,
        records: SecurityStore,
        *,
        passwords: Passwords,
        grants: Grants,
        lockout: Lockout,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._passwords = passwords
        self._grants = grants
        self._lockout = lockout
        self._clock = clock

    def grant(self, name: str, password: str, scope: str, *, address: str) -> Granted:
        """
        Open a session with the requested scopes, or with all that the user has.

        Raises:
            BadCredentials: The name or the password is wrong.
            LockedOut: Too many logins have failed.
            ScopeRefused: A requested scope is not the user's.
        """
        attempt, hashed = self._authenticated(name, password, address)
        newer = self._passwords.hash(password) if self._passwords.is_outdated(hashed) else hashed
        refused: ScopeRefused | None = None
        with writing(self._records.engine) as session:
            user = self._unchanged(lock_user(session, name, "to write"), hashed)
            self._lockout.forgive(session, attempt)
            try:
                permissions = requested(scope, permissions_of(session, user))
            except ScopeRefused as error:
                refused = error
                self._records.audit.note(session, "scope-refused", who=name, address=address, asked=scope)
            else:
                user.password_hash, user.last_login_at = newer, self._clock()
                granted = self._grants.open(session, user, permissions, address=address)
                self._records.audit.note(session, "login", who=name, address=address)
        if refused:
            # Raised after the commit: the password was right, so the attempt must not count as failed.
            raise refused
        return granted

    def change_password(self, name: str, old: str, new: str, *, session_id: str, address: str) -> None:
        """
        Change the password of a user who knows the old one; all of their other sessions end.

        Raises:
            WrongPassword: The old password is wrong.
            LockedOut: Too many logins have failed.
            ValueError: The new password is too short or too long.
        """
        try:
            attempt, hashed = self._authenticated(name, old, address)
            newer = self._passwords.hash(new)
            with writing(self._records.engine) as session:
                user = self._unchanged(lock_user(session, name, "to write"), hashed)
                self._lockout.forgive(session, attempt)
                user.password_hash = newer
                ended = self._records.sessions.end_all(session, [name], but=session_id)
                self._records.audit.note(session, "password-changed", who=name, address=address, ended=ended)
        except BadCredentials as error:
            raise WrongPassword from error

    def _authenticated(self, name: str, password: str, address: str) -> tuple[Attempt, str]:
        """Return the counted attempt and the stored hash, which the password matches."""
        with writing(self._records.engine) as session:
            attempt = self._lockout.reserve(session, name, address)
            user = session.get(User, name)
        if isinstance(attempt, LockedOut):
            self._records.audit.log("login-locked", who=name, address=address)
            raise attempt
        matches = self._passwords.verify(password, user.password_hash if user else None)
        if user is not None and matches and not user.disabled:
            return attempt, user.password_hash
        with writing(self._records.engine) as session:
            self._records.audit.note(session, "login-refused", who=name, address=address)
            if attempt.is_last:
                self._records.audit.note(session, "locked-out", who=name, address=address)
        raise BadCredentials

    def _unchanged(self, user: User | None, hashed: str) -> User:
        """Return the user if they were not changed while the password was hashed."""
        if user is None or user.disabled or user.password_hash != hashed:
            raise BadCredentials
        return user
