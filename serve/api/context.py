"""What the layers of one request share, under one key of its ASGI scope."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from serve.http.wire import Connection

_KEY = "sepal"


def cannot_respond(_content: bytes) -> bool:
    """Respond to nothing: what a connection does that writes no whole responses."""
    return False


@dataclass(slots=True)
class RequestContext:
    """
    One request, from its first byte to its line of the access log.

    Attributes:
        headers: By name; of a header that came twice, the last.
        connection: What it came over.
        caller: Who sent it, once that is verified.
        permissions: What the caller may do.
        limits: The policy of each limit that it was counted under, and what is left of it.
        refused: Why its token was refused, for the access log.
        is_public: Whether its response may be kept by caches, and says itself for how long.
        respond: Sends a whole JSON body with status 200 in one step; False if the connection cannot.
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
    """Return the context of a request; one that came around the app's outermost layer has an empty one."""
    found: Any = scope.get(_KEY)
    if found is None:
        found = scope[_KEY] = RequestContext("")
    context: RequestContext = found
    return context
