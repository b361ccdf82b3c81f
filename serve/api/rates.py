"""Which limit a route is under, and what callers are told of it."""

from dataclasses import dataclass

from starlette.types import Scope

from serve.limits.rate import Rate
from serve.security.lockout import network_of


@dataclass(frozen=True, slots=True)
class Rates:
    """Every limit of this deployment; None is no limit."""

    predict: Rate | None
    batch: Rate | None
    read: Rate | None
    change: Rate | None
    login: Rate | None
    rows: Rate | None


async def ask(scope: Scope, rate: Rate | None, who: str, cost: int = 1) -> None:
    """
    Count a request, once, and note what its answer tells of the limit.

    Raises:
        RateExceeded: There is not so much left.
        LimitsUnavailable: Nobody can tell, and nobody is let in then.
    """
    # One that the hot path has counted may come a second time, through the routes.
    if rate is None or any(policy is rate.policy for policy, _ in scope.get("limits", ())):
        return
    try:
        await rate.ask(who, cost)
    finally:
        note(scope, rate, who)


def note(scope: Scope, rate: Rate, who: str) -> None:
    """Have the answer tell of a limit."""
    scope.setdefault("limits", []).append((rate.policy, rate.remaining(who)))


def address(scope: Scope) -> str:
    """What those who are not recognised yet are counted by."""
    client = scope.get("client")
    return network_of(client[0] if client else "")


def headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """RateLimit-Policy and RateLimit, of every limit that a request was held against."""
    noted = scope.get("limits")
    if not noted:
        return []
    policies, left = noted[0] if len(noted) == 1 else map(b", ".join, zip(*noted, strict=True))
    return [(b"ratelimit-policy", policies), (b"ratelimit", left)]
