"""The data that the layers of a request share."""

from typing import Any

from serve.api.context import RequestContext, context_of, put


def test_every_layer_gets_the_same_context() -> None:
    """It is an entry of the scope."""
    scope: dict[str, Any] = {}
    context = RequestContext("order-66")

    put(scope, context)

    assert context_of(scope) is context


def test_a_request_that_bypassed_the_outermost_layer_has_an_empty_context() -> None:
    """It is created once, and cannot send a response in one step."""
    scope: dict[str, Any] = {}

    context = context_of(scope)

    assert context_of(scope) is context
    assert (context.request_id, context.caller, context.respond(b"{}")) == ("", None, False)
