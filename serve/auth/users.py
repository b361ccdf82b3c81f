"""The tables of users and roles."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from sqlalchemy import Boolean, DateTime, Double, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.auth.principals import ALL_PERMISSIONS, Permission, known_permissions
from serve.storage.database import Base

NAME = r"[A-Za-z0-9._@+-]{1,64}"
ROLE_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"

_CALLER = frozenset({Permission.PREDICT, Permission.BATCH, Permission.MODELS_READ})

# In the code and not in the table: new permissions become part of `admin` without a migration.
BUILT_IN: Mapping[str, frozenset[Permission]] = MappingProxyType(
    {"caller": _CALLER, "operator": _CALLER | {Permission.METRICS_READ}, "admin": ALL_PERMISSIONS}
)


class User(Base):
    """A user who may log in."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    scope: Mapped[str] = mapped_column("scopes", String(1024), default="")
    roles: Mapped[str] = mapped_column(String(1024), default="")
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_login_at: Mapped[float | None] = mapped_column(Double)


class Role(Base):
    """A named set of permissions of this deployment."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column("scopes", String(1024))


def lock_user(session: Session, name: str, lock: Literal["to read", "to write"]) -> User | None:
    """Return the current user of that name, locked until the transaction ends."""
    query = select(User).where(User.name == name).with_for_update(read=lock == "to read")
    return session.scalar(query.execution_options(populate_existing=True))


def permissions_of(session: Session, user: User) -> frozenset[Permission]:
    """Return the permissions of a user, their own and those of their roles, which stay locked for the transaction."""
    names = user.roles.split()
    query = select(Role).where(Role.name.in_(names)).order_by(Role.name).with_for_update(read=True)
    built_in = [BUILT_IN[name] for name in names if name in BUILT_IN]
    ours = [known_permissions(role.scope) for role in session.scalars(query)]
    return known_permissions(user.scope).union(*built_in, *ours)
