"""The data that the layers of one request share, under one key of its ASGI scope."""

from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import Scope

from serve.http.wire import Connection

_KEY = "sepal"


def cannot_respond(_content: bytes) -> bool:
    """Send nothing: the default of `RequestContext.respond`."""
    return False


@dataclass(slots=True)
class RequestContext:
    """
    One request.

    Attributes:
        headers: By name; of a header that was sent twice, the last.
        connection: The connection that it was received on.
        caller: The name of the authenticated caller; None before.
        permissions: Those of the caller.
        limits: The policy of each limit that applies, and what is left of it.
        refused: Why its token was refused, for the access log.
        is_public: Whether caches may keep the response, which has its own header for them.
        respond: Sends a whole JSON body with status 200 in one step; returns False if the connection cannot.
    """

    request_id: str
    headers: dict[bytes, bytes] = field(default_factory=dict)
    connection: Connection = field(default_factory=Connection)
    caller: str | None = None
    permissions: frozenset[str] = frozenset()
    limits: list[tuple[bytes, bytes]] = field(default_factory=list)
    refused: str | None = None
    is_public: bool = False
    respond: Callable[[bytes], bool] = cannot_respond


def put(scope: Scope, context: RequestContext) -> None:
    """Attach its context to a request."""
    scope[_KEY] = context


def context_of(scope: Scope) -> RequestContext:
    """Return the context of a request; it is empty if the request bypassed the outermost layer of the app."""
    context: RequestContext | None = scope.get(_KEY)
    if context is None:
        context = scope[_KEY] = RequestContext("")
    return context
