"""A database with users, and logins whose hashes are counted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from serve.auth.grants import Grants
from serve.auth.lockout import Lockout
from serve.auth.login import Login
from serve.auth.passwords import Passwords
from serve.auth.principals import Permission
from serve.auth.security_store import SecurityStore
from serve.errors import BadCredentials, LockedOut
from tests.support.deployment import PASSWORD
from tests.unit.serve.auth.test_tokens import tokens

WEAK = {"memory_kib": 1024, "passes": 1}


class Counted(Passwords):
    """Counts the verified hashes, and calls `meanwhile` after each."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.verified = 0
        self.meanwhile: Callable[[], object] = int

    def verify(self, password: str, hashed: str | None) -> bool:
        self.verified += 1
        matches = super().verify(password, hashed)
        self.meanwhile()
        return matches


@dataclass
class World:
    """A database with users, their logins, and a clock."""

    engine: Engine
    passwords: Counted = field(default_factory=lambda: Counted(**WEAK))
    now: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        self.records = SecurityStore(self.engine, audit_days=0)
        self.admin = self.records.user_admin("test")
        grants = Grants(self.records, tokens(), refresh_ttl_s=60)
        self.lockout = Lockout(self.engine, most=5, most_of_address=6, window_s=900, clock=lambda: self.now)
        self.login = Login(self.records, passwords=self.passwords, grants=grants, lockout=self.lockout)

    def user(self, name: str, passwords: Passwords | None = None) -> None:
        """Add a user with the common password."""
        hashed = (passwords or self.passwords).hash(PASSWORD)
        self.admin.add(name, password_hash=hashed, permissions=[Permission.PREDICT])

    def fails(self, name: str, password: str = "wrong horse", address: str = "192.0.2.1") -> int:
        """Return 0 for a login with wrong credentials, or the seconds of a lock-out."""
        try:
            self.login.grant(name, password, "", address=address)
        except BadCredentials:
            return 0
        except LockedOut as error:
            return error.retry_after_s
        raise AssertionError("it did not fail")
