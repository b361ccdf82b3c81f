"""Who may ask: names, password hashes and scopes."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import DateTime, Engine, String, select
from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.database import Base
from serve.errors import DatabaseUnavailable, UserExists

NAME = r"[A-Za-z0-9._@+-]{1,64}"


class Scope(StrEnum):
    """What a token may reach."""

    PREDICT = "predict"
    BATCH = "batch"
    MODELS_READ = "models:read"
    METRICS_READ = "metrics:read"


ALL_SCOPES = frozenset(Scope)


class User(Base):
    """One who may ask for tokens."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    scope: Mapped[str] = mapped_column("scopes", String(1024))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    @property
    def scopes(self) -> frozenset[Scope]:
        """The scopes as a set; one that this version does not know any more counts for nothing."""
        return frozenset(Scope(scope) for scope in self.scope.split() if scope in ALL_SCOPES)


class Users:
    """The users' table. Each call is a short transaction of its own, and blocks: call it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, name: str) -> User | None:
        """The user of that name, detached from the database."""
        with self._session() as session:
            return session.get(User, name)

    def all(self) -> list[User]:
        """Every user, by name."""
        with self._session() as session:
            return list(session.scalars(select(User).order_by(User.name)))

    def add(self, name: str, *, password_hash: str, scopes: Iterable[Scope]) -> None:
        """
        Add a user.

        Raises:
            ValueError: The name has characters that a name has not.
            UserExists: The name is taken.
        """
        user = _user(name, password_hash, scopes)
        try:
            with self._session(writes=True) as session, session.begin():
                session.add(user)
        except IntegrityError as error:
            raise UserExists(f"there is a user {name!r} already") from error

    def put(self, name: str, *, password_hash: str, scopes: Iterable[Scope]) -> None:
        """Set a user's password and scopes, whether the user is there or not."""
        with self._session(writes=True) as session, session.begin():
            known = session.get(User, name)
            if known is None:
                session.add(_user(name, password_hash, scopes))
            else:
                known.password_hash, known.scope = password_hash, " ".join(sorted(scopes))

    def remove(self, name: str) -> bool:
        """Take a user away; False if there was none of that name."""
        with self._session(writes=True) as session, session.begin():
            known = session.get(User, name)
            if known is not None:
                session.delete(known)
            return known is not None

    @contextmanager
    def _session(self, *, writes: bool = False) -> Iterator[Session]:
        try:
            with Session(self._engine.execution_options(sepal_writes=writes), expire_on_commit=False) as session:
                yield session
        except IntegrityError:
            raise
        except (DatabaseError, InterfaceError, PoolTimeout) as error:
            raise DatabaseUnavailable("the database does not answer") from error


def _user(name: str, password_hash: str, scopes: Iterable[Scope]) -> User:
    if re.fullmatch(NAME, name) is None:
        raise ValueError("a user name has 1 to 64 letters, digits and . _ @ + -")
    scope = " ".join(sorted(scopes))
    return User(name=name, password_hash=password_hash, scope=scope, created_at=datetime.now(UTC))
