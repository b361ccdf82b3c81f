"""API keys for machines: long, random, shown once, and stored as a digest."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from sqlalchemy import Double, Engine, String, select
from sqlalchemy.orm import Mapped, mapped_column

from serve.auth.audit import Audit
from serve.auth.principals import Permission, Principal, Verified, known_permissions, scope_of
from serve.auth.revocations import Revocations
from serve.errors import KeyNotFound, Unauthenticated
from serve.storage.database import Base, reading, writing

PREFIX = "sepal_"
NAME = r"[A-Za-z0-9._-]{1,64}"
LONGEST_LIFE_S = 366 * 86_400
_FORM = re.compile(r"sepal_([0-9a-f]{16})_([0-9a-f]{64})")


class ApiKey(Base):
    """An API key; only its owner has its secret."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column("scopes", String(1024))
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)
    revoked_at: Mapped[float | None] = mapped_column(Double)


class ApiKeys:
    """All API keys. Each call blocks: call it in a thread."""

    def __init__(
        self, engine: Engine, *, revocations: Revocations, audit: Audit, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._revocations = revocations
        self._audit = audit
        self._clock = clock

    def create(self, name: str, permissions: Iterable[Permission], *, life_s: float, who: str) -> str:
        """
        Create a key and return it; it is not stored and cannot be shown again.

        Raises:
            ValueError: The name or the lifetime is invalid, or there is no permission.
        """
        if re.fullmatch(NAME, name) is None:
            raise ValueError("a key name has 1 to 64 letters, digits and . _ -")
        if not 0 < life_s <= LONGEST_LIFE_S:
            raise ValueError(f"a key must expire after 1 minute to {LONGEST_LIFE_S // 86_400} days")
        now, id_, secret, scope = self._clock(), secrets.token_hex(8), secrets.token_hex(32), scope_of(permissions)
        if not scope:
            raise ValueError("a key needs at least one scope")
        key = ApiKey(id=id_, name=name, digest=_digest(secret), scope=scope, created_at=now, expires_at=now + life_s)
        with writing(self._engine) as session:
            session.add(key)
            self._audit.note(session, "key-created", who=who, subject=f"key:{name}", key=id_, scopes=scope)
        return f"{PREFIX}{id_}_{secret}"

    def verify(self, bearer: str) -> Verified:
        """
        Verify a key.

        Raises:
            Unauthenticated: The key is invalid; the client does not learn why.
            DatabaseUnavailable: The database does not answer.
        """
        id_, secret = parse(bearer)
        with reading(self._engine) as session:
            key = session.get(ApiKey, id_)
        if key is None or not hmac.compare_digest(key.digest, _digest(secret)):
            raise Unauthenticated("unknown key")
        if key.revoked_at is not None:
            raise Unauthenticated("revoked")
        if not self._clock() < key.expires_at:
            raise Unauthenticated("expired")
        return Verified(
            Principal(f"key:{key.name}", known_permissions(key.scope)), 0.0, key.expires_at, frozenset({key.id})
        )

    def revoke_own(self, bearer: str) -> None:
        """
        Revoke the key that the caller presents, as anyone who finds a leaked one may; ignore an invalid key.

        Raises:
            DatabaseUnavailable: The database does not answer.
        """
        with suppress(Unauthenticated, KeyNotFound):
            name = self.verify(bearer).principal.name
            self.revoke(parse(bearer)[0], who=name)

    def all(self) -> list[ApiKey]:
        """Return all keys, the oldest first."""
        with reading(self._engine) as session:
            return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at)))

    def revoke(self, id_: str, *, who: str) -> ApiKey:
        """
        Revoke a key, at once in this process and within seconds in all others.

        Raises:
            KeyNotFound: There is no key of that id, or it is revoked already.
        """
        with writing(self._engine) as session:
            key = session.scalar(select(ApiKey).where(ApiKey.id == id_, ApiKey.revoked_at.is_(None)).with_for_update())
            if key is None:
                raise KeyNotFound(f"no valid key has the id {id_!r}; python -m serve keys list")
            key.revoked_at = self._clock()
            self._revocations.revoke(session, {id_: key.expires_at})
            self._audit.note(session, "key-revoked", who=who, subject=f"key:{key.name}", key=id_)
        return key


def parse(bearer: str) -> tuple[str, str]:
    """
    Split a key into its id and its secret.

    Raises:
        Unauthenticated: The key is malformed.
    """
    found = _FORM.fullmatch(bearer)
    if found is None:
        raise Unauthenticated("malformed key")
    return found[1], found[2]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
