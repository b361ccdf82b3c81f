"""The tables of security, which server and command line share: sessions, API keys, revocations and the audit."""

from sqlalchemy import Engine

from serve.auth.api_keys import ApiKeys
from serve.auth.audit import DAY_S, Audit
from serve.auth.revocations import Announce, Revocations
from serve.auth.sessions import Sessions
from serve.auth.user_admin import UserAdmin


class SecurityStore:
    """The tables of one database; a server passes `announce`, which is called with what this process revokes."""

    def __init__(self, engine: Engine, *, audit_days: int, announce: Announce | None = None) -> None:
        self.engine = engine
        self.audit = Audit(engine, kept_s=audit_days * DAY_S, is_logged=announce is not None)
        self.revocations = Revocations(engine, announce=announce)
        self.sessions = Sessions(engine, revocations=self.revocations, audit=self.audit)
        self.api_keys = ApiKeys(engine, revocations=self.revocations, audit=self.audit)

    def user_admin(self, who: str) -> UserAdmin:
        """Return the administration of users and roles; the audit names `who`."""
        return UserAdmin(self.engine, sessions=self.sessions, audit=self.audit, who=who)
