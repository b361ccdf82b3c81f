"""Keys for machines: long, random, shown once, and kept as a digest."""

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
from serve.auth.principals import Principal, Verified
from serve.auth.revocations import Revocations
from serve.auth.users import Scope
from serve.auth.users.scopes import known, written
from serve.errors import KeyNotFound, Unauthenticated
from serve.storage.database import Base, reading, writing

PREFIX = "sepal_"
NAME = r"[A-Za-z0-9._-]{1,64}"
LONGEST_LIFE_S = 366 * 86_400
_FORM = re.compile(r"sepal_([0-9a-f]{16})_([0-9a-f]{64})")


class Key(Base):
    """One key; its secret is with its owner only."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column("scopes", String(1024))
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)
    revoked_at: Mapped[float | None] = mapped_column(Double)


class Keys:
    """The keys of all machines. Each call blocks: make it in a thread."""

    def __init__(
        self, engine: Engine, *, revocations: Revocations, audit: Audit, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._revocations = revocations
        self._audit = audit
        self._clock = clock

    def create(self, name: str, scopes: Iterable[Scope], *, life_s: float, who: str) -> str:
        """
        A new key; this is the only time that anybody sees it.

        Raises:
            ValueError: The name has characters that a name has not, or it would live too long, or for nothing.
        """
        if re.fullmatch(NAME, name) is None:
            raise ValueError("the name of a key has 1 to 64 letters, digits and . _ -")
        if not 0 < life_s <= LONGEST_LIFE_S:
            raise ValueError(f"a key lives a minute at least, and {LONGEST_LIFE_S // 86_400} days at most")
        now, id_, secret, scope = self._clock(), secrets.token_hex(8), secrets.token_hex(32), written(scopes)
        if not scope:
            raise ValueError("a key needs a scope")
        key = Key(id=id_, name=name, digest=_digest(secret), scope=scope, created_at=now, expires_at=now + life_s)
        with writing(self._engine) as session:
            session.add(key)
            self._audit.note(session, "key-created", who=who, subject=f"key:{name}", key=id_, scopes=scope)
        return f"{PREFIX}{id_}_{secret}"

    def verify(self, bearer: str) -> Verified:
        """
        What a key says.

        Raises:
            Unauthenticated: It does not count; the reason is not told.
            DatabaseUnavailable: Nobody can say.
        """
        id_, secret = parse(bearer)
        with reading(self._engine) as session:
            key = session.get(Key, id_)
        if key is None or not hmac.compare_digest(key.digest, _digest(secret)):
            raise Unauthenticated("unknown key")
        if key.revoked_at is not None:
            raise Unauthenticated("revoked")
        if not self._clock() < key.expires_at:
            raise Unauthenticated("expired")
        return Verified(Principal(f"key:{key.name}", known(key.scope)), 0.0, key.expires_at, frozenset({key.id}))

    def give_up(self, bearer: str) -> None:
        """
        Revoke a key by having it, as whoever finds one that has leaked can do; what is none is passed over.

        Raises:
            DatabaseUnavailable: Nobody can.
        """
        with suppress(Unauthenticated, KeyNotFound):
            name = self.verify(bearer).principal.name
            self.revoke(parse(bearer)[0], who=name)

    def all(self) -> list[Key]:
        """Every key, the oldest first."""
        with reading(self._engine) as session:
            return list(session.scalars(select(Key).order_by(Key.created_at)))

    def revoke(self, id_: str, *, who: str) -> Key:
        """
        A key counts no more, here at once and elsewhere within seconds.

        Raises:
            KeyNotFound: There is none of that id, or it was revoked before.
        """
        with writing(self._engine) as session:
            key = session.scalar(select(Key).where(Key.id == id_, Key.revoked_at.is_(None)).with_for_update())
            if key is None:
                raise KeyNotFound(f"no valid key has the id {id_!r}; python -m serve keys list")
            key.revoked_at = self._clock()
            self._revocations.revoke(session, {id_: key.expires_at})
            self._audit.note(session, "key-revoked", who=who, subject=f"key:{key.name}", key=id_)
        return key


def parse(bearer: str) -> tuple[str, str]:
    """
    The id and the secret of a key.

    Raises:
        Unauthenticated: It has not the form of one.
    """
    found = _FORM.fullmatch(bearer)
    if found is None:
        raise Unauthenticated("malformed key")
    return found[1], found[2]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
