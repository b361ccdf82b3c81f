"""The limits of requests, and the headers that report them."""

import asyncio
from typing import Any

import pytest
from limits import parse

from serve.api import rates
from serve.api.context import RequestContext
from serve.errors import LimitsUnavailable, RateExceeded
from serve.limits.counters import LocalCounter
from serve.limits.rate import Rate
from serve.limits.redis_counter import RedisCounter


def rate(name: str, text: str = "2/minute") -> Rate:
    """Return a limit at the beginning of a minute."""
    return Rate(name, parse(text), LocalCounter(), clock=lambda: 1_800_000_000.0)


def test_a_request_is_counted_and_its_limit_noted() -> None:
    """The header has what is left after it."""
    context, limit = RequestContext("r"), rate("read")

    asyncio.run(rates.ask(context, limit, "ada"))

    assert context.limits == [(b'"read";q=2;w=60', b'"read";r=1;t=60')]


def test_a_refused_request_has_the_headers_too() -> None:
    """A client learns from them when it may try again."""
    context, limit = RequestContext("r"), rate("read")

    with pytest.raises(RateExceeded):
        asyncio.run(rates.ask(context, limit, "ada", cost=3))

    assert context.limits == [(b'"read";q=2;w=60', b'"read";r=2;t=60')]


def test_a_request_that_cannot_be_counted_has_the_headers_too() -> None:
    """A strict limit refuses it."""

    async def test() -> RequestContext:
        context, lost = RequestContext("r"), RedisCounter("redis://127.0.0.1:1/0", wait_s=1)
        try:
            with pytest.raises(LimitsUnavailable):
                await rates.ask(context, Rate("change", parse("2/minute"), lost), "ada")
        finally:
            await lost.close()
        return context

    context = asyncio.run(test())

    assert [policy for policy, _ in context.limits] == [b'"change";q=2;w=60']


def test_without_a_limit_nothing_is_counted() -> None:
    """None is no limit, and there is no header."""
    context = RequestContext("r")

    asyncio.run(rates.ask(context, None, "ada", cost=10**9))

    assert context.limits == []
    assert rates.headers(context) == []


def test_all_limits_of_a_request_are_one_header_each() -> None:
    """Their policies and what is left are lists in the same order."""
    context = RequestContext("r")
    for name in ("predict", "rows"):
        rates.note(context, rate(name, "10/minute"), "ada")

    assert rates.headers(context) == [
        (b"ratelimit-policy", b'"predict";q=10;w=60, "rows";q=10;w=60'),
        (b"ratelimit", b'"predict";r=10;t=1, "rows";r=10;t=1'),
    ]


def test_a_single_limit_is_a_header_without_a_list() -> None:
    """The noted bytes are used as they are."""
    context = RequestContext("r", limits=[(b"a", b"b")])

    assert rates.headers(context) == [(b"ratelimit-policy", b"a"), (b"ratelimit", b"b")]


@pytest.mark.parametrize(
    ("scope", "network"),
    [
        ({"client": ("192.0.2.1", 5)}, "192.0.2.1"),
        ({"client": ("2001:db8::1", 5)}, "2001:db8::/64"),
        ({"client": None}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_requests_without_a_token_are_counted_by_network(scope: dict[str, Any], network: str) -> None:
    """An IPv6 address counts with its /64, and requests without an address together."""
    assert rates.address(scope) == network
