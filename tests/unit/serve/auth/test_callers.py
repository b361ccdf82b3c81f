"""Authentication of callers, and its memory of verified tokens."""

import asyncio
from typing import Any

import pytest

from serve.auth.callers import Callers
from serve.auth.principals import Principal
from serve.auth.tokens import LEEWAY_S
from serve.errors import Unauthenticated
from tests.unit.serve.auth.test_tokens import GOOD, NOW, signed, tokens


class Clock:
    """A time that a test sets."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def callers(clock: Clock | None = None, **other: Any) -> Callers:
    """Return the authentication of the deployment under test."""
    clock = clock or Clock()
    return Callers(tokens(clock=clock), clock=clock, **other)


def verify(ours: Callers, token: str) -> Principal:
    """Return the principal of a token."""
    return asyncio.run(ours.verify(token))


def test_a_token_is_verified_once() -> None:
    """A verified token is recalled without a check of its signature, until it is forgotten."""
    ours = callers()
    token, other = signed(GOOD), signed({**GOOD, "jti": "1"})

    assert ours.recall(token) is None
    verified = verify(ours, token)
    verify(ours, other)

    assert ours.recall(token) is verified
    assert verify(ours, token) is verified
    ours.forget({"0", "unheard of"})
    assert ours.recall(token) is None
    assert ours.recall(other) is not None


@pytest.mark.parametrize("offset", [-1, 0, LEEWAY_S - 1, LEEWAY_S, LEEWAY_S + 1])
@pytest.mark.parametrize("claim", ["exp", "nbf"])
def test_a_remembered_token_ends_when_a_fresh_one_would(claim: str, offset: int) -> None:
    """At every second around its begin and end, a remembered token is valid exactly if a new verification succeeds."""
    clock = Clock()
    ours, token = callers(clock), signed({**GOOD, "exp": NOW + 600})
    verify(ours, token)
    clock.now = NOW + 600 + offset if claim == "exp" else NOW - offset

    def counts(callers_of_now: Callers) -> bool:
        try:
            return verify(callers_of_now, token).name == "ada"
        except Unauthenticated:
            return False

    assert counts(ours) == counts(callers(clock)) == (offset < LEEWAY_S or (claim, offset) == ("nbf", LEEWAY_S))


def test_an_invalid_token_is_not_remembered() -> None:
    """A refused token takes no memory."""
    ours, refused = callers(), signed({**GOOD, "aud": "elsewhere"})

    with pytest.raises(Unauthenticated):
        verify(ours, refused)

    assert ours.recall(refused) is None


def test_the_memory_is_bounded() -> None:
    """The oldest token is forgotten for a new one, and is valid when it is verified again."""
    ours = callers(most_remembered=2)
    first, second, third = (signed({**GOOD, "jti": str(number)}) for number in range(3))

    for token in (first, second, third):
        verify(ours, token)

    assert ours.recall(first) is None
    assert None not in {ours.recall(second), ours.recall(third)}
    assert verify(ours, first).name == "ada"
