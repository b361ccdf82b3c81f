"""Who asks, whichever way they were recognised."""

from dataclasses import dataclass

from serve.auth.users import Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and how far they may reach; `session` is the login that a token came of, empty where there is none."""

    name: str
    scopes: frozenset[Scope]
    session: str = ""

    def owns(self, user: str) -> bool:
        """Whether this is that very user of ours, and nobody else who is called so."""
        return bool(self.session) and self.name == user


@dataclass(frozen=True, slots=True)
class Verified:
    """
    What a token or a key was found to say.

    Attributes:
        since: Seconds since the epoch, from when on it says so.
        until: From when on it no longer does.
        ids: What it can be revoked by: its own id, its login's or key's, and that of what signed it.
        own: The first of these, which is nobody else's; empty of keys: who brings one cannot revoke it.
    """

    principal: Principal
    since: float
    until: float
    ids: frozenset[str]
    own: str = ""
