"""Around every request: an id, a log line, the metrics, and an answer where the app has none."""

import re
import time
import uuid

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.api.problems import too_large, unexpected
from serve.telemetry import Metrics

UNMATCHED = "unmatched"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))

_log = structlog.get_logger("serve.access")


class Observed:
    """
    Pure ASGI, outermost.

    A caller's own request id is kept where it is one; the response carries it, and so does every log line.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        headers = [*_HEADERS, (b"x-request-id", request_id.encode())]
        started = time.perf_counter()
        status = 0
        replaced = False

        async def observed_send(message: Message) -> None:
            nonlocal status, replaced
            if replaced:
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *headers]
                if _is_plain_refusal(message):
                    await too_large(Request(scope))(scope, receive, send_replaced)
                    replaced = True
                    return
            await send(message)

        async def send_replaced(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        with self._metrics.in_progress.track_inprogress():
            try:
                await self._app(scope, receive, observed_send)
            except Exception:
                _log.exception("request failed", path=scope["path"])
                if status:
                    # Half an answer is out: ending the connection without its last chunk tells the client so.
                    raise
                await unexpected(Request(scope))(scope, receive, observed_send)
            finally:
                self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, took_s: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = _template(scope)
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.latency.labels(method, route).observe(took_s)
        _log.info(
            "request",
            method=method,
            path=scope["path"],
            route=route,
            status=status,
            duration_ms=round(took_s * 1000, 3),
            caller=scope.get("caller"),
            client=scope["client"][0] if scope.get("client") else None,
        )


def _is_plain_refusal(message: Message) -> bool:
    """Whether Starlette refused the body by its Content-Length: it says so in plain text, before any handler."""
    return message["status"] == 413 and (b"content-type", b"text/plain; charset=utf-8") in message["headers"]


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return uuid.uuid4().hex


def _template(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", UNMATCHED)
