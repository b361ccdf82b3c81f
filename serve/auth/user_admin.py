"""What is done to users and roles, with what follows of it: whoever loses something, loses their sessions."""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from serve.auth.audit import Audit
from serve.auth.sessions import Sessions
from serve.auth.users import BUILT_IN, Role, Scope, User, reach
from serve.auth.users.accounts import NAME, locked
from serve.auth.users.roles import NAME as ROLE_NAME
from serve.auth.users.scopes import known, written
from serve.errors import RoleNotFound, UserExists, UserNotFound
from serve.storage.database import reading, writing


class UserAdmin:
    """Changes users and roles, in the name of one `who`. Each call is one transaction, and blocks."""

    def __init__(self, engine: Engine, *, sessions: Sessions, audit: Audit, who: str) -> None:
        self._engine = engine
        self._sessions = sessions
        self._audit = audit
        self._who = who

    def add(
        self, name: str, *, password_hash: str, scopes: Collection[Scope] = (), roles: Collection[str] = ()
    ) -> None:
        """
        Add a user.

        Raises:
            ValueError: The name has characters that a name has not.
            UserExists: The name is taken.
            RoleNotFound: There is no such role.
        """
        if re.fullmatch(NAME, name) is None:
            raise ValueError("a user name has 1 to 64 letters, digits and . _ @ + -")
        user = User(name=name, password_hash=password_hash, scope=written(scopes), created_at=datetime.now(UTC))
        user.roles, user.disabled = " ".join(sorted(roles)), False
        try:
            with writing(self._engine) as session:
                _check(session, roles)
                session.add(user)
                self._note(session, "user-added", name, scopes=user.scope, roles=user.roles)
        except IntegrityError as error:
            raise UserExists(f"there is a user {name!r} already") from error

    def remove(self, name: str) -> int:
        """Take a user away; how many sessions ended with it."""

        def gone(session: Session, user: User) -> None:
            session.delete(user)

        return self._take("user-removed", name, gone)

    def disable(self, name: str) -> int:
        """Nobody logs in by this name any more, until it is enabled; how many sessions ended."""

        def disabled(_session: Session, user: User) -> None:
            user.disabled = True

        return self._take("user-disabled", name, disabled)

    def enable(self, name: str) -> None:
        """The user may log in again."""
        with self._changing(name) as (session, user):
            user.disabled = False
            self._note(session, "user-enabled", name)

    def log_out(self, name: str) -> int:
        """End all sessions of a user; how many there were."""

        def nothing(_session: Session, _user: User) -> None:
            """The sessions are all that ends."""

        return self._take("sessions-ended", name, nothing)

    def set_password(self, name: str, password_hash: str) -> int:
        """Another password; how many sessions ended."""

        def changed(_session: Session, user: User) -> None:
            user.password_hash = password_hash

        return self._take("password-changed", name, changed)

    def set(self, name: str, *, scopes: Collection[Scope] | None = None, roles: Collection[str] | None = None) -> int:
        """
        Other scopes or roles, None leaving what there is; how many sessions ended, none if nothing was taken away.

        Raises:
            UserNotFound: There is no user of that name.
            RoleNotFound: There is no such role.
        """
        with self._changing(name) as (session, user):
            _check(session, roles or ())
            before = reach(session, user, lock=True)
            user.scope = user.scope if scopes is None else written(scopes)
            user.roles = user.roles if roles is None else " ".join(sorted(roles))
            is_less = not before <= reach(session, user, lock=True)
            ended = self._sessions.end_all(session, [name]) if is_less else 0
            self._note(session, "user-changed", name, scopes=user.scope, roles=user.roles, ended=ended)
            return ended

    def roles(self) -> list[Role]:
        """The roles of this deployment, by name; those that are built in are not among them."""
        with reading(self._engine) as session:
            return list(session.scalars(select(Role).order_by(Role.name)))

    def add_role(self, name: str, scopes: Collection[Scope]) -> None:
        """
        Add a role.

        Raises:
            ValueError: The name has characters that a role's has not, or is taken.
        """
        _check_name(name)
        try:
            with writing(self._engine) as session:
                session.add(Role(name=name, scope=written(scopes)))
                self._note(session, "role-added", f"role:{name}", scopes=written(scopes))
        except IntegrityError as error:
            raise ValueError(f"there is a role {name!r} already") from error

    def set_role(self, name: str, scopes: Collection[Scope]) -> int:
        """
        Give a role other scopes; how many sessions ended, none if nothing was taken away.

        Raises:
            ValueError: It is built in.
            RoleNotFound: There is no such role.
        """
        _check_name(name)
        with writing(self._engine) as session:
            role = _locked_role(session, name)
            is_less = not known(role.scope) <= set(scopes)
            role.scope = written(scopes)
            ended = self._end_holders(session, name) if is_less else 0
            self._note(session, "role-set", f"role:{name}", scopes=written(scopes), ended=ended)
            return ended

    def remove_role(self, name: str) -> int:
        """
        Take a role away from everybody who has it; how many sessions ended.

        Raises:
            ValueError: It is built in.
            RoleNotFound: There is no such role.
        """
        _check_name(name)
        with writing(self._engine) as session:
            _locked_role(session, name)
            ended = self._end_holders(session, name)
            for user in _holders(session, name):
                user.roles = " ".join(role for role in user.roles.split() if role != name)
            session.execute(delete(Role).where(Role.name == name))
            self._note(session, "role-removed", f"role:{name}", ended=ended)
            return ended

    def _take(self, event: str, name: str, change: Callable[[Session, User], None]) -> int:
        """Make a change that takes something away."""
        with self._changing(name) as (session, user):
            change(session, user)
            ended = self._sessions.end_all(session, [name])
            self._note(session, event, name, ended=ended)
            return ended

    @contextmanager
    def _changing(self, name: str) -> Iterator[tuple[Session, User]]:
        with writing(self._engine) as session:
            user = locked(session, name, "to write")
            if user is None:
                raise UserNotFound(f"there is no user {name!r}")
            yield session, user

    def _end_holders(self, session: Session, role: str) -> int:
        # The role is locked: who logs in meanwhile waits for it, and finds what it is then.
        return self._sessions.end_all(session, [user.name for user in _holders(session, role)])

    def _note(self, session: Session, event: str, subject: str, **facts: str | int) -> None:
        self._audit.note(session, event, who=self._who, address="", subject=subject, **facts)


def _locked_role(session: Session, name: str) -> Role:
    role = session.scalar(select(Role).where(Role.name == name).with_for_update())
    if role is None:
        raise RoleNotFound(f"there is no role {name!r}")
    return role


def _holders(session: Session, role: str) -> list[User]:
    """Those who have a role, their roles compared word by word."""
    some = session.scalars(select(User).where(User.roles.contains(role, autoescape=True)).order_by(User.name))
    return [user for user in some if role in user.roles.split()]


def _check(session: Session, roles: Collection[str]) -> None:
    ours = session.scalars(select(Role.name).where(Role.name.in_(roles)).with_for_update(read=True)).all()
    unknown = sorted(set(roles) - BUILT_IN.keys() - set(ours))
    if unknown:
        raise RoleNotFound(f"no such role: {' '.join(unknown)}; python -m serve roles list")


def _check_name(name: str) -> None:
    if name in BUILT_IN:
        raise ValueError(f"{name} is built in; give a role of your own another name")
    if re.fullmatch(ROLE_NAME, name) is None:
        raise ValueError(
            "the name of a role has 1 to 64 small letters, digits and . _ -, and begins with one of the first"
        )
