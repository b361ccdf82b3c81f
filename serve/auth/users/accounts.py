"""Users: a name, a password hash, roles and scopes."""

from datetime import datetime
from typing import Literal

from sqlalchemy import Boolean, DateTime, Double, Engine, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.storage.database import Base, reading

NAME = r"[A-Za-z0-9._@+-]{1,64}"


class User(Base):
    """One who may log in."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    scope: Mapped[str] = mapped_column("scopes", String(1024), default="")
    roles: Mapped[str] = mapped_column(String(1024), default="")
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_login_at: Mapped[float | None] = mapped_column(Double)


class Users:
    """The users' table, to be read; `serve.auth.user_admin` changes it. Each call blocks: make it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, name: str) -> User | None:
        """The user of that name, detached from the database."""
        with reading(self._engine) as session:
            return session.get(User, name)

    def all(self) -> list[User]:
        """Every user, by name."""
        with reading(self._engine) as session:
            return list(session.scalars(select(User).order_by(User.name)))


def locked(session: Session, name: str, lock: Literal["to read", "to write"]) -> User | None:
    """The user of that name as they are now, and stay until the transaction ends."""
    found = select(User).where(User.name == name).with_for_update(read=lock == "to read")
    return session.scalar(found.execution_options(populate_existing=True))
