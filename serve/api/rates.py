"""The limits of routes, and the headers that report them to callers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serve.api.context import RequestContext
from serve.auth.lockout import network_of
from serve.limits.rate import Rate


@dataclass(frozen=True, slots=True)
class Rates:
    """All limits of this deployment; None is no limit."""

    predict: Rate | None
    batch: Rate | None
    read: Rate | None
    change: Rate | None
    login: Rate | None
    rows: Rate | None


async def ask(context: RequestContext, rate: Rate | None, who: str, cost: int = 1) -> None:
    """
    Count a request against a limit, and note the limit for the headers of the response.

    Raises:
        RateExceeded: The caller has used up the limit.
        LimitsUnavailable: The request cannot be counted, and this limit lets no uncounted one pass.
    """
    if rate is None:
        return
    try:
        await rate.ask(who, cost)
    finally:
        note(context, rate, who)


def take(context: RequestContext, rate: Rate, who: str) -> bool:
    """Count a request if the caller's allowance suffices, and note the limit; if not, `ask` must count it."""
    remaining = rate.take(who)
    if remaining is None:
        return False
    context.limits.append((rate.policy, remaining))
    return True


def note(context: RequestContext, rate: Rate, who: str) -> None:
    """Note a limit for the headers of the response."""
    context.limits.append((rate.policy, rate.remaining(who)))


def address(scope: Mapping[str, Any]) -> str:
    """Return the network that unauthenticated requests are counted by."""
    client = scope.get("client")
    return network_of(client[0] if client else "")


def headers(context: RequestContext) -> list[tuple[bytes, bytes]]:
    """Return RateLimit-Policy and RateLimit for all limits that the request was counted against."""
    limits = context.limits
    if not limits:
        return []
    policies, left = limits[0] if len(limits) == 1 else map(b", ".join, zip(*limits, strict=True))
    return [(b"ratelimit-policy", policies), (b"ratelimit", left)]
