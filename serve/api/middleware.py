"""Give every request an id, a line of the access log, and its metrics."""

import os
import re
import time
from collections.abc import Awaitable, Iterator

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.api import rates
from serve.api.context import RequestContext, cannot_respond, put
from serve.api.problems import problem_of, too_large
from serve.errors import ServeError
from serve.http.wire import CONNECTION, Connection, Refusal
from serve.telemetry.access_log import AccessLog
from serve.telemetry.logs import REQUEST_ID
from serve.telemetry.metrics import Metrics

UNMATCHED = "unmatched"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# Browsers neither guess the type of a response nor keep it. Pages have their own policy.
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_WHOLE = b"".join(
    [
        b"content-length: %d\r\ncontent-type: application/json\r\n",
        *(b"%b: %b\r\n" % header for header in _HEADERS),
        b"%bx-request-id: %b\r\n",
    ]
)
# A public response has its own header for caches.
_PUBLIC_HEADERS = _HEADERS[:1]
# A client that gets this sends its next request on another connection, where it is not lost.
_CLOSE = ((b"connection", b"close"),)

_log = structlog.get_logger("serve.access")


class RequestMiddleware:
    """
    The outermost layer, pure ASGI.

    A valid request id of the client is kept; the response has it, and so does every log line.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, access_log: AccessLog | None, is_direct: bool = True) -> None:
        # Only without a layer between this one and the endpoint: it may add headers to responses.
        self._is_direct = is_direct
        self._app = app
        self._metrics = metrics
        self._log_request = access_log.write if access_log else _log_line
        self._ids = _new_ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        sent = headers.get(b"x-request-id")
        request_id = sent.decode() if sent and _REQUEST_ID.fullmatch(sent) else next(self._ids)
        context = RequestContext(request_id, headers, scope.get(CONNECTION) or Connection())
        put(scope, context)
        REQUEST_ID.set(context.request_id)
        exchange = _Exchange(scope, receive, send, context)
        if self._is_direct:
            context.respond = exchange.respond
        started = time.perf_counter()
        self._metrics.begin()
        try:
            if context.connection.refusal is None:
                await self._app(scope, receive, exchange.send)
            if context.connection.refusal is not None:
                await exchange.refuse(context.connection.refusal)
        except Exception as error:  # noqa: BLE001  # every exception ends here, in the log
            # The response was sent, or a part of it. Returning leaves a part incomplete: the server closes the
            # connection without the last chunk, so that the client detects it.
            _log_failure(error)
        finally:
            # Without this reference cycle the request is freed at once, not by the garbage collector.
            context.respond = cannot_respond
            self._record(scope, context, exchange.status, time.perf_counter() - started)

    def _record(self, scope: Scope, context: RequestContext, status: int, took_s: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self._metrics.end(method, route, status, took_s)
        client = scope.get("client")
        self._log_request(
            method=method,
            path=scope["path"],
            route=route,
            status=status,
            duration_ms=took_s * 1000,
            caller=context.caller,
            client=client[0] if client else None,
            request_id=context.request_id,
            refused=context.refused,
        )


def _log_line(*, duration_ms: float, refused: str | None, **line: str | float | None) -> None:
    more = {"refused": refused} if refused else {}
    _log.info("request", duration_ms=round(duration_ms, 3), **line, **more)


class _Exchange:
    """One response."""

    __slots__ = ("_context", "_is_replaced", "_receive", "_scope", "_send", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send, context: RequestContext) -> None:
        self.status = 0
        self._context = context
        self._scope = scope
        self._receive = receive
        self._send = send
        self._is_replaced = False

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the app, unless the response is replaced."""
        if message["type"] == "http.response.start":
            if self._context.connection.refusal is not None:
                self._is_replaced = True
                return _nothing()
            if _is_starlettes_413(message):
                self._is_replaced = True
                return too_large(Request(self._scope))(self._scope, self._receive, self._forward)
            return self._forward(message)
        return _nothing() if self._is_replaced else self._send(message)

    def respond(self, content: bytes) -> bool:
        """Send status 200 with this JSON in one step; return False if the connection cannot."""
        context = self._context
        limits = context.limits
        if len(limits) == 1:
            lines = b"ratelimit-policy: %b\r\nratelimit: %b\r\n" % limits[0]
        else:
            lines = b"".join([b"%b: %b\r\n" % header for header in rates.headers(context)])
        head = _WHOLE % (len(content), lines, context.request_id.encode())
        if not context.connection.write_whole(self._scope, head, content):
            return False
        self.status = 200
        return True

    async def refuse(self, refusal: Refusal) -> None:
        """Answer a request that the app has not received completely, unless its response has begun."""
        if not self.status:
            refusal.admit()
            response = await problem_of(Request(self._scope), refusal.error)
            await response(self._scope, self._receive, self._forward)

    def _forward(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            context = self._context
            request_id = (b"x-request-id", context.request_id.encode())
            headers = _PUBLIC_HEADERS if context.is_public else _HEADERS
            ends = _CLOSE if context.connection.will_close(self._scope) else ()
            message["headers"] = [*message["headers"], *headers, *rates.headers(context), request_id, *ends]
        return self._send(message)


async def _nothing() -> None:
    """Drop a message of a response that was replaced."""


def _log_failure(error: Exception) -> None:
    cause = error.__cause__
    if isinstance(cause, ServeError):
        _log.warning("answer cut short", reason=str(cause))
    else:
        _log.error("request failed", exc_info=error)


def _is_starlettes_413(message: Message) -> bool:
    """Return whether Starlette refused the body by its Content-Length, which it does in text/plain."""
    return message["status"] == 413 and (b"content-type", b"text/plain; charset=utf-8") in message["headers"]


def _new_ids() -> Iterator[str]:
    """Generate unpredictable ids: 128 random bits of the operating system each, read for many at once."""
    while True:
        digits = os.urandom(4096).hex()
        yield from (digits[start : start + 32] for start in range(0, len(digits), 32))
