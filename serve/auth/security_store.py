"""What server and command line both write down: sessions, keys, revocations, and the audit of it."""

from dataclasses import dataclass

from sqlalchemy import Engine

from serve.auth.audit import DAY_S, Audit
from serve.auth.keys import Keys
from serve.auth.revocations import Announce, Revocations
from serve.auth.sessions import Sessions
from serve.auth.user_admin import UserAdmin


@dataclass(frozen=True, slots=True)
class SecurityStore:
    """The records of one database, joined."""

    engine: Engine
    audit: Audit
    revocations: Revocations
    sessions: Sessions
    keys: Keys

    @classmethod
    def of(cls, engine: Engine, *, audit_days: int, announce: Announce | None = None) -> "SecurityStore":
        """Those of a database; `announce` is told what this process revokes, where it serves anybody."""
        audit = Audit(engine, kept_s=audit_days * DAY_S, is_logged=announce is not None)
        revocations = Revocations(engine, announce=announce)
        sessions = Sessions(engine, revocations=revocations, audit=audit)
        keys = Keys(engine, revocations=revocations, audit=audit)
        return cls(engine, audit, revocations, sessions, keys)

    def user_admin(self, who: str) -> UserAdmin:
        """What changes users and roles, in somebody's name."""
        return UserAdmin(self.engine, sessions=self.sessions, audit=self.audit, who=who)
