"""Which limit a route is under, and what callers are told of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serve.api.context import RequestContext
from serve.auth.lockout import network_of
from serve.limits.rate import Rate


@dataclass(frozen=True, slots=True)
class Rates:
    """Every limit of this deployment; None is no limit."""

    predict: Rate | None
    batch: Rate | None
    read: Rate | None
    change: Rate | None
    login: Rate | None
    rows: Rate | None


async def ask(context: RequestContext, rate: Rate | None, who: str, cost: int = 1) -> None:
    """
    Count a request, once, and note what its answer tells of the limit.

    Raises:
        RateExceeded: There is not so much left.
        LimitsUnavailable: Nobody can tell, and nobody is let in then.
    """
    if rate is None:
        return
    try:
        await rate.ask(who, cost)
    finally:
        note(context, rate, who)


def note(context: RequestContext, rate: Rate, who: str) -> None:
    """Have the answer tell of a limit."""
    context.limits.append((rate.policy, rate.remaining(who)))


def address(scope: Mapping[str, Any]) -> str:
    """What those who are not recognised yet are counted by."""
    client = scope.get("client")
    return network_of(client[0] if client else "")


def headers(context: RequestContext) -> list[tuple[bytes, bytes]]:
    """RateLimit-Policy and RateLimit, of every limit that a request was held against."""
    limits = context.limits
    if not limits:
        return []
    policies, left = limits[0] if len(limits) == 1 else map(b", ".join, zip(*limits, strict=True))
    return [(b"ratelimit-policy", policies), (b"ratelimit", left)]
