"""Roles: sets of scopes that have a name, so that what a group of users may do is changed in one place."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from serve.auth.users.accounts import User
from serve.auth.users.scopes import ALL_SCOPES, Scope, known
from serve.storage.database import Base

NAME = r"[a-z0-9][a-z0-9._-]{0,63}"

_CALLER = frozenset({Scope.PREDICT, Scope.BATCH, Scope.MODELS_READ})

# In the code and not in the table: what `admin` reaches grows with the code, by no migration.
BUILT_IN: Mapping[str, frozenset[Scope]] = MappingProxyType(
    {"caller": _CALLER, "operator": _CALLER | {Scope.METRICS_READ}, "admin": ALL_SCOPES}
)


class Role(Base):
    """A role that this deployment made."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column("scopes", String(1024))


def reach(session: Session, user: User, *, lock: bool = False) -> frozenset[Scope]:
    """
    What a user may do now: their own scopes, and those of their roles.

    With `lock` the roles stay what they are until the transaction ends.
    """
    names = user.roles.split()
    found = select(Role).where(Role.name.in_(names)).order_by(Role.name)
    ours = session.scalars(found.with_for_update(read=True) if lock else found).all()
    built_in = [BUILT_IN[name] for name in names if name in BUILT_IN]
    return known(user.scope).union(*built_in, *(known(role.scope) for role in ours))
