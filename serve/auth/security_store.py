"""The tables of security, which server and command line share: sessions, API keys, revocations and the audit."""

from dataclasses import dataclass

from sqlalchemy import Engine

from serve.auth.api_keys import ApiKeys
from serve.auth.audit import DAY_S, Audit
from serve.auth.revocations import Announce, Revocations
from serve.auth.sessions import Sessions
from serve.auth.user_admin import UserAdmin


@dataclass(frozen=True, slots=True)
class SecurityStore:
    """The tables of one database."""

    engine: Engine
    audit: Audit
    revocations: Revocations
    sessions: Sessions
    api_keys: ApiKeys

    @classmethod
    def of(cls, engine: Engine, *, audit_days: int, announce: Announce | None = None) -> "SecurityStore":
        """Open the tables of a database; a server passes `announce`, which is called with what this process revokes."""
        audit = Audit(engine, kept_s=audit_days * DAY_S, is_logged=announce is not None)
        revocations = Revocations(engine, announce=announce)
        sessions = Sessions(engine, revocations=revocations, audit=audit)
        api_keys = ApiKeys(engine, revocations=revocations, audit=audit)
        return cls(engine, audit, revocations, sessions, api_keys)

    def user_admin(self, who: str) -> UserAdmin:
        """Return the administration of users and roles; the audit names `who`."""
        return UserAdmin(self.engine, sessions=self.sessions, audit=self.audit, who=who)
