"""From a name and a password to a session, and to another password."""

import time
from collections.abc import Callable

from sqlalchemy import Engine

from serve.auth.audit import Audit
from serve.auth.grants import Granted, Grants, narrowed
from serve.auth.lockout import Attempt, Lockout
from serve.auth.passwords import Passwords
from serve.auth.sessions import Sessions
from serve.auth.users import User, reach
from serve.auth.users.accounts import locked
from serve.errors import BadCredentials, LockedOut, ScopeRefused, WrongPassword
from serve.storage.database import writing


class Login:
    """
    Recognises users. Blocks for the time of a password hash: call it in a thread.

    Whoever is refused costs the same, in hashes as in the database, whether the name is unknown, disabled or known.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        passwords: Passwords,
        grants: Grants,
        sessions: Sessions,
        lockout: Lockout,
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._passwords = passwords
        self._grants = grants
        self._sessions = sessions
        self._lockout = lockout
        self._audit = audit
        self._clock = clock

    def grant(self, name: str, password: str, scope: str, *, address: str) -> Granted:
        """
        A session with the scopes that were asked for, or with all that the user has.

        Raises:
            BadCredentials: The name and the password do not belong together.
            LockedOut: Too many have been wrong.
            ScopeRefused: More was asked for than the user has.
        """
        attempt, hashed = self._recognised(name, password, address)
        newer = self._passwords.hash(password) if self._passwords.is_outdated(hashed) else hashed
        refused: ScopeRefused | None = None
        with writing(self._engine) as session:
            user = self._unchanged(locked(session, name, "to write"), hashed)
            self._lockout.forgive(session, attempt)
            try:
                scopes = narrowed(scope, reach(session, user, lock=True))
            except ScopeRefused as error:
                refused = error
                self._audit.note(session, "scope-refused", who=name, address=address, asked=scope)
            else:
                user.password_hash, user.last_login_at = newer, self._clock()
                granted = self._grants.open(session, user, scopes, address=address)
                self._audit.note(session, "login", who=name, address=address)
        if refused:
            # Raised out here: the password was right, and this attempt is no failure.
            raise refused
        return granted

    def change_password(self, name: str, old: str, new: str, *, session_id: str, address: str) -> None:
        """
        Another password, for whoever knows the one so far; all other sessions of the user end.

        Raises:
            WrongPassword: The old one is not the user's.
            LockedOut: Too many have been wrong.
            ValueError: The new one is too short or too long.
        """
        try:
            attempt, hashed = self._recognised(name, old, address)
            newer = self._passwords.hash(new)
            with writing(self._engine) as session:
                user = self._unchanged(locked(session, name, "to write"), hashed)
                self._lockout.forgive(session, attempt)
                user.password_hash = newer
                ended = self._sessions.end_all(session, [name], but=session_id)
                self._audit.note(session, "password-changed", who=name, address=address, ended=ended)
        except BadCredentials as error:
            raise WrongPassword from error

    def _recognised(self, name: str, password: str, address: str) -> tuple[Attempt, str]:
        """The attempt that has been counted, and the hash that the password belongs to."""
        with writing(self._engine) as session:
            attempt = self._lockout.reserve(session, name, address)
            user = session.get(User, name)
        if isinstance(attempt, LockedOut):
            self._audit.tell("login-locked", who=name, address=address)
            raise attempt
        matches = self._passwords.verify(password, user.password_hash if user else None)
        if user is not None and matches and not user.disabled:
            return attempt, user.password_hash
        with writing(self._engine) as session:
            self._audit.note(session, "login-refused", who=name, address=address)
            if attempt.is_last:
                self._audit.note(session, "locked-out", who=name, address=address)
        raise BadCredentials

    def _unchanged(self, user: User | None, hashed: str) -> User:
        """The user, unless something was changed while the password was being hashed."""
        if user is None or user.disabled or user.password_hash != hashed:
            raise BadCredentials
        return user
