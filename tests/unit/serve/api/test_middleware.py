"""The outermost layer: request ids, headers, the access log, and responses of its own."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from serve.api.context import context_of
from serve.api.middleware import RequestMiddleware
from serve.errors import HeadersTooLarge, InvalidInput, ServeError
from serve.http.wire import CONNECTION, Connection, Refusal
from serve.telemetry.metrics import Metrics

OK: Message = {"type": "http.response.start", "status": 200, "headers": []}
BODY: Message = {"type": "http.response.body", "body": b"{}"}


class Client:
    """Sends requests to an app behind the middleware, and keeps what it receives."""

    def __init__(self, app: ASGIApp) -> None:
        self.metrics = Metrics()
        self.messages: list[Message] = []
        self.lines: list[Any] = []
        self._app = RequestMiddleware(app, metrics=self.metrics, access_log=None)

    def send(self, method: str = "GET", *headers: tuple[bytes, bytes], connection: Connection | None = None) -> None:
        """Send a request."""

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            self.messages.append(message)

        request = {"type": "http", "method": method, "path": "/x", "headers": list(headers), CONNECTION: connection}
        with capture_logs() as lines:
            asyncio.run(self._app(request, receive, send))
        self.lines = lines

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Those of the response."""
        return dict(self.messages[0]["headers"])


def responding(*messages: Message, error: Exception | None = None) -> ASGIApp:
    """Return an app that sends messages, then raises."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))
        if error:
            raise error

    return app


@pytest.mark.parametrize(("sent", "is_kept"), [(b"order-66", True), (b'a"b', False), (b"x" * 65, False), (b"", False)])
def test_a_valid_request_id_is_kept(sent: bytes, is_kept: bool) -> None:
    """Any other is replaced by 128 random bits, in the response and in the log."""
    client = Client(responding(OK, BODY))

    client.send("GET", (b"x-request-id", sent))

    kept = client.headers[b"x-request-id"]
    assert (kept == sent) is is_kept
    assert is_kept or re.fullmatch(rb"[0-9a-f]{32}", kept)
    assert client.lines[0]["request_id"] == kept.decode()


def test_a_response_has_the_headers_of_security() -> None:
    """Browsers neither guess its type nor keep it; a public response says itself how long it may be kept."""

    async def public(scope: Scope, _receive: Receive, send: Send) -> None:
        context_of(scope).is_public = True
        await send(dict(OK))

    private, open_to_caches = Client(responding(OK, BODY)), Client(public)
    private.send()
    open_to_caches.send()

    assert (private.headers[b"x-content-type-options"], private.headers[b"cache-control"]) == (b"nosniff", b"no-store")
    assert b"cache-control" not in open_to_caches.headers


def test_an_unknown_method_is_no_label() -> None:
    """Clients cannot create an unlimited number of time series."""
    client = Client(responding(OK, BODY))

    client.send("BREW")

    value = client.metrics.registry.get_sample_value
    labels = {"method": "other", "route": "unmatched", "status": "200"}
    assert client.lines[0]["method"] == "other"
    client.metrics.settle()
    assert value("sepal_requests_total", labels) == 1


def _failing(cause: ServeError | None) -> Exception:
    error = RuntimeError("the stream failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(("cause", "event"), [(None, "request failed"), (InvalidInput("c", "x"), "answer cut short")])
def test_an_exception_ends_in_the_log(cause: ServeError | None, event: str) -> None:
    """Mistakes of the client are a warning, all others an error; the response remains incomplete."""
    client = Client(responding(OK, error=_failing(cause)))

    client.send()

    assert [line["event"] for line in client.lines] == [event, "request"]
    assert len(client.messages) == 1


def test_a_request_that_was_refused_on_the_wire_is_a_problem() -> None:
    """The app does not get it."""
    client = Client(responding(error=AssertionError("the app was called")))

    client.send(connection=Connection(refusal=Refusal(HeadersTooLarge())))

    assert client.messages[0]["status"] == client.lines[0]["status"] == 431


def test_a_request_that_is_refused_while_its_body_is_read_is_a_problem() -> None:
    """The response of the app is replaced."""
    connection = Connection()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        connection.refusal = Refusal(HeadersTooLarge())
        await send(dict(OK))
        await send(dict(BODY))

    client = Client(app)
    client.send(connection=connection)

    assert [message.get("status") for message in client.messages] == [431, None]


def test_a_413_of_starlette_is_a_problem() -> None:
    """Its own response is text/plain."""
    plain = {**OK, "status": 413, "headers": [(b"content-type", b"text/plain; charset=utf-8")]}
    client = Client(responding(plain, BODY))

    client.send()

    assert client.messages[0]["status"] == 413
    assert client.headers[b"content-type"] == b"application/problem+json"
    assert b"body-too-large" in client.messages[1]["body"]


@pytest.mark.parametrize("limits", [0, 1, 2])
@pytest.mark.parametrize("can", [True, False])
def test_a_whole_response_is_written_in_one_step(can: bool, limits: int) -> None:
    """It has the same headers, including those of the limits; if the connection cannot, nothing is sent."""
    sent: list[bool] = []
    written: list[bytes] = []

    def write_whole(_scope: object, head: bytes, content: bytes) -> bool:
        written.extend([head, content])
        return can

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        context_of(scope).limits += [(b"policy", b"left")] * limits
        sent.append(context_of(scope).respond(b"{}"))

    client = Client(app)
    client.send("POST", (b"x-request-id", b"order-66"), connection=Connection(write_whole=write_whole))

    head, content = written
    assert (sent, content) == ([can], b"{}")
    assert b"content-length: 2\r\n" in head
    assert b"x-request-id: order-66\r\n" in head
    assert (b"ratelimit-policy: " + b", ".join([b"policy"] * limits) in head) is (limits > 0)
    assert client.lines[0]["status"] == (200 if can else 0)


def test_other_protocols_pass_through() -> None:
    """The lifespan of the app has no request id."""
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    none: Callable[..., Any] = lambda: None  # noqa: E731  # neither is called
    asyncio.run(RequestMiddleware(app, metrics=Metrics(), access_log=None)({"type": "lifespan"}, none, none))

    assert seen == ["lifespan"]
