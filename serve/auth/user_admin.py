"""Administration of users and roles; a user who loses a permission also loses their sessions."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from serve.auth.audit import Audit
from serve.auth.principals import Permission, known_permissions, scope_of
from serve.auth.sessions import Sessions
from serve.auth.users import BUILT_IN, NAME, ROLE_NAME, Role, User, lock_user, permissions_of
from serve.errors import RoleNotFound, UserExists, UserNotFound
from serve.storage.database import reading, writing


class UserAdmin:
    """
    Reads and changes users and roles; the audit names `who` did it.

    Each call is one transaction, and blocks. Those that end sessions return how many.
    """

    def __init__(self, engine: Engine, *, sessions: Sessions, audit: Audit, who: str) -> None:
        self._engine = engine
        self._sessions = sessions
        self._audit = audit
        self._who = who

    def find(self, name: str) -> User | None:
        """Return the user of that name, detached from the database."""
        with reading(self._engine) as session:
            return session.get(User, name)

    def users(self) -> list[User]:
        """Return all users, by name."""
        with reading(self._engine) as session:
            return list(session.scalars(select(User).order_by(User.name)))

    def add(
        self, name: str, *, password_hash: str, permissions: Collection[Permission] = (), roles: Collection[str] = ()
    ) -> None:
        """
        Add a user.

        Raises:
            ValueError: The name is invalid.
            UserExists: The name is taken.
            RoleNotFound: There is no such role.
        """
        if re.fullmatch(NAME, name) is None:
            raise ValueError("a user name has 1 to 64 letters, digits and . _ @ + -")
        user = User(name=name, password_hash=password_hash, scope=scope_of(permissions), created_at=datetime.now(UTC))
        user.roles, user.disabled = " ".join(sorted(roles)), False
        try:
            with writing(self._engine) as session:
                _check_roles(session, roles)
                session.add(user)
                self._note(session, "user-added", name, scopes=user.scope, roles=user.roles)
        except IntegrityError as error:
            raise UserExists(f"there is a user {name!r} already") from error

    def remove(self, name: str) -> int:
        """Remove a user."""
        with self._changing(name) as (session, user):
            session.delete(user)
            return self._end_sessions(session, "user-removed", name)

    def disable(self, name: str) -> int:
        """Refuse the logins of a user until they are enabled."""
        with self._changing(name) as (session, user):
            user.disabled = True
            return self._end_sessions(session, "user-disabled", name)

    def enable(self, name: str) -> None:
        """Accept the logins of a user again."""
        with self._changing(name) as (session, user):
            user.disabled = False
            self._note(session, "user-enabled", name)

    def log_out(self, name: str) -> int:
        """End all sessions of a user."""
        with self._changing(name) as (session, _):
            return self._end_sessions(session, "sessions-ended", name)

    def set_password(self, name: str, password_hash: str) -> int:
        """Set a new password."""
        with self._changing(name) as (session, user):
            user.password_hash = password_hash
            return self._end_sessions(session, "password-changed", name)

    def set(
        self, name: str, *, permissions: Collection[Permission] | None = None, roles: Collection[str] | None = None
    ) -> int:
        """
        Set other permissions or roles; None leaves them unchanged, and sessions end only if a permission is lost.

        Raises:
            UserNotFound: There is no user of that name.
            RoleNotFound: There is no such role.
        """
        with self._changing(name) as (session, user):
            _check_roles(session, roles or ())
            before = permissions_of(session, user)
            user.scope = user.scope if permissions is None else scope_of(permissions)
            user.roles = user.roles if roles is None else " ".join(sorted(roles))
            is_less = not before <= permissions_of(session, user)
            ended = self._sessions.end_all(session, [name]) if is_less else 0
            self._note(session, "user-changed", name, scopes=user.scope, roles=user.roles, ended=ended)
            return ended

    def roles(self) -> list[Role]:
        """Return the roles of this deployment by name, without the built-in ones."""
        with reading(self._engine) as session:
            return list(session.scalars(select(Role).order_by(Role.name)))

    def add_role(self, name: str, permissions: Collection[Permission]) -> None:
        """
        Add a role.

        Raises:
            ValueError: The name is invalid or taken.
        """
        _check_role_name(name)
        try:
            with writing(self._engine) as session:
                session.add(Role(name=name, scope=scope_of(permissions)))
                self._note(session, "role-added", f"role:{name}", scopes=scope_of(permissions))
        except IntegrityError as error:
            raise ValueError(f"there is a role {name!r} already") from error

    def set_role(self, name: str, permissions: Collection[Permission]) -> int:
        """
        Set other permissions of a role; sessions end only if a permission is lost.

        Raises:
            ValueError: The role is built in.
            RoleNotFound: There is no such role.
        """
        with self._changing_role(name) as (session, role):
            is_less = not known_permissions(role.scope) <= set(permissions)
            role.scope = scope_of(permissions)
            ended = self._sessions.end_all(session, [user.name for user in _holders(session, name)]) if is_less else 0
            self._note(session, "role-set", f"role:{name}", scopes=role.scope, ended=ended)
            return ended

    def remove_role(self, name: str) -> int:
        """
        Remove a role, also from all users who have it.

        Raises:
            ValueError: The role is built in.
            RoleNotFound: There is no such role.
        """
        with self._changing_role(name) as (session, role):
            holders = _holders(session, name)
            ended = self._sessions.end_all(session, [user.name for user in holders])
            for user in holders:
                user.roles = " ".join(other for other in user.roles.split() if other != name)
            session.execute(delete(Role).where(Role.name == role.name))
            self._note(session, "role-removed", f"role:{name}", ended=ended)
            return ended

    @contextmanager
    def _changing(self, name: str) -> Iterator[tuple[Session, User]]:
        with writing(self._engine) as session:
            user = lock_user(session, name, "to write")
            if user is None:
                raise UserNotFound(f"there is no user {name!r}; python -m serve users list")
            yield session, user

    @contextmanager
    def _changing_role(self, name: str) -> Iterator[tuple[Session, Role]]:
        """Lock a role: a login that happens meanwhile waits, and then sees the changed role."""
        _check_role_name(name)
        with writing(self._engine) as session:
            role = session.scalar(select(Role).where(Role.name == name).with_for_update())
            if role is None:
                raise RoleNotFound(f"there is no role {name!r}; python -m serve roles list")
            yield session, role

    def _end_sessions(self, session: Session, event: str, name: str) -> int:
        ended = self._sessions.end_all(session, [name])
        self._note(session, event, name, ended=ended)
        return ended

    def _note(self, session: Session, event: str, subject: str, **facts: str | int) -> None:
        self._audit.note(session, event, who=self._who, address="", subject=subject, **facts)


def _holders(session: Session, role: str) -> list[User]:
    """Return the users who have a role; roles are compared word by word."""
    similar = session.scalars(select(User).where(User.roles.contains(role, autoescape=True)).order_by(User.name))
    return [user for user in similar if role in user.roles.split()]


def _check_roles(session: Session, roles: Collection[str]) -> None:
    ours = session.scalars(select(Role.name).where(Role.name.in_(roles)).with_for_update(read=True)).all()
    unknown = sorted(set(roles) - BUILT_IN.keys() - set(ours))
    if unknown:
        raise RoleNotFound(f"no such role: {' '.join(unknown)}; python -m serve roles list")


def _check_role_name(name: str) -> None:
    if name in BUILT_IN:
        raise ValueError(f"the role {name} is built in; choose another name")
    if re.fullmatch(ROLE_NAME, name) is None:
        raise ValueError("a role name has 1 to 64 small letters, digits and . _ -, and begins with a letter or a digit")
