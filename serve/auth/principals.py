"""Principals: the users and machines that requests come from, and their permissions."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """A permission; OAuth calls it a scope."""

    PREDICT = "predict"
    BATCH = "batch"
    MODELS_READ = "models:read"
    METRICS_READ = "metrics:read"


ALL_PERMISSIONS = frozenset(Permission)


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller with their permissions; `session` is the login that their token belongs to, empty without one."""

    name: str
    permissions: frozenset[Permission]
    session: str = ""

    def owns(self, user: str) -> bool:
        """Return whether this is the local user of that name; a key or an external token may have an equal name."""
        return bool(self.session) and self.name == user


@dataclass(frozen=True, slots=True)
class Verified:
    """
    A valid token or API key.

    Attributes:
        since: When it becomes valid, in seconds since the epoch.
        until: When it expires.
        ids: The ids by which it can be revoked: its own, that of its session or API key, and that of its signing key.
        own: The id that no other token has; empty for API keys, which their bearers cannot revoke by id.
    """

    principal: Principal
    since: float
    until: float
    ids: frozenset[str]
    own: str = ""


def known_permissions(scope: str) -> frozenset[Permission]:
    """Return the permissions of a scope as OAuth writes it; those that this version does not know are ignored."""
    return frozenset(Permission(name) for name in scope.split() if name in ALL_PERMISSIONS)


def parse_permissions(scope: str) -> frozenset[Permission]:
    """
    Return the permissions that an administrator has typed.

    Raises:
        ValueError: One of them does not exist.
    """
    unknown = sorted(set(scope.split()) - ALL_PERMISSIONS)
    if unknown:
        raise ValueError(f"no such scope: {' '.join(unknown)}; the scopes are {' '.join(sorted(ALL_PERMISSIONS))}")
    return known_permissions(scope)


def scope_of(permissions: Iterable[Permission]) -> str:
    """Return permissions as OAuth 2 writes a scope, in order."""
    return " ".join(sorted(permissions))
