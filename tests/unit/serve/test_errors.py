"""The errors of the server: their messages and facts."""

from collections.abc import Iterator

import pytest

from serve.errors import (
    BadCredentials,
    InputError,
    InvalidRows,
    LockedOut,
    ModelNotFound,
    Overloaded,
    RateExceeded,
    ScopeMissing,
    ServeError,
    Unauthenticated,
    UserExists,
)


def all_errors(error: type[ServeError] = ServeError) -> Iterator[type[ServeError]]:
    """Yield every class of error."""
    yield error
    for child in error.__subclasses__():
        yield from all_errors(child)


@pytest.mark.parametrize("kind", [kind for kind in all_errors() if kind.message], ids=lambda kind: kind.__name__)
def test_a_fixed_message_is_lower_case_and_has_no_full_stop(kind: type[ServeError]) -> None:
    """It is a part of a sentence, as those of the errors with arguments are."""
    assert kind.message[0].islower()
    assert not kind.message.endswith(".")


def test_a_message_replaces_the_fixed_one() -> None:
    """An error can be raised with a message that replaces the fixed one."""
    assert str(Overloaded()) == Overloaded.message
    assert str(UserExists("there is a user 'ada' already")) == "there is a user 'ada' already"


def test_the_reason_of_a_refused_token_is_not_in_the_message() -> None:
    """The reason is an attribute for the log, and not a part of the message."""
    assert (str(Unauthenticated("expired")), Unauthenticated("expired").reason) == (Unauthenticated.message, "expired")
    assert (str(BadCredentials()), BadCredentials().reason) == (BadCredentials.message, "")


@pytest.mark.parametrize(("total", "words"), [(1, "1 error in"), (2, "2 errors in")])
def test_invalid_rows_are_counted(total: int, words: str) -> None:
    """The list may have fewer entries."""
    listed = [InputError(0, "age", "null", "expected a number, got null")]

    error = InvalidRows(listed, total=total, code="null")

    assert str(error).startswith(words)
    assert (error.errors, error.total, error.code) == (listed, total, "null")


@pytest.mark.parametrize(("cost", "part"), [(1, "in 60 s; try again"), (4, "in 60 s; this request has 4; try again")])
def test_a_rate_limit_names_the_cost_of_a_request_with_several_rows(cost: int, part: str) -> None:
    """A request counts once by itself."""
    error = RateExceeded("rows", limit=5, window_s=60, cost=cost, retry_after_s=17)

    assert part in str(error)
    assert error.retry_after_s == 17


def test_errors_carry_their_facts() -> None:
    """Errors have the attributes that a response needs in addition to the message."""
    assert ScopeMissing(["batch"]).scopes == ["batch"]
    assert LockedOut(retry_after_s=3).retry_after_s == 3
    assert (ModelNotFound("no such model").hint(), ModelNotFound("x", hint=lambda: "; y").hint()) == ("", "; y")
