"""The hot path: requests that are plainly right, answered without a walk through the framework."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from serve.api import rates
from serve.api.deps import PREFIX, Parts
from serve.api.disconnect import attended
from serve.api.problems import refusal
from serve.errors import ServeError
from serve.inference import Queue
from serve.plain import Plain
from serve.users import Scope

_log = structlog.get_logger("serve.hot")
_JSON = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
_SCHEME = b"Bearer "
# A larger body is read in a thread: nobody else shall wait for it.
_LARGE_BYTES = 2**18


@dataclass(frozen=True, slots=True)
class _Path:
    """What stands behind a path: the route that would answer, and what answers in its place."""

    route: BaseRoute
    plain: Plain
    queue: Queue


class Hot:
    """
    Pure ASGI, around the app.

    It steps around the routes because theirs is three quarters of the time that a small request takes. It answers
    predictions only, and only what is right beyond doubt: a token that was verified before, a body that `Plain`
    reads, rows that the model has an answer for. All else goes to the routes as it came, and every refusal is theirs.
    """

    def __init__(self, app: ASGIApp, parts: Parts, routes: Sequence[BaseRoute], *, max_bytes: int) -> None:
        # The routes are those of `serve.api.predict`: logs and metrics name them.
        self._app = app
        self._parts = parts
        self._routes = {getattr(route, "name", ""): route for route in routes}
        self._max_bytes = max_bytes
        self._paths: Mapping[str, _Path] = {}
        self._generation = -1

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        path = self._path(scope)
        caller = self._caller(scope) if path else None
        if path is None or caller is None:
            await self._app(scope, receive, send)
            return
        scope["caller"] = caller
        messages, body = await _received(receive)
        try:
            answer = await self._answer(path, body, scope, receive) if body else None
        except (ServeError, ClientDisconnect) as error:
            scope["route"] = path.route
            response = await refusal(Request(scope), error)
            await response(scope, receive, send)
            return
        except Exception:  # noqa: BLE001  # the routes meet it again, and know how to tell
            _log.exception("the quick way failed")
            answer = None
        if answer is None:
            await self._app(scope, _again(messages, receive), send)
            return
        scope["route"] = path.route
        whole = scope.get("answer_whole")
        if whole and whole(answer):
            return
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _path(self, scope: Connection) -> _Path | None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
            return None
        registry = self._parts.registry
        if self._generation != registry.generation:
            self._generation, self._paths = registry.generation, self._found()
        return self._paths.get(scope["path"])

    def _found(self) -> dict[str, _Path]:
        """What can be asked now, by path."""
        names = {f"{PREFIX}/models/{served.name}/predict": served.name for served in self._parts.registry.all()}
        paths = {}
        for path, name in {f"{PREFIX}/predict": None, **names}.items():
            try:
                model = self._parts.registry.get(name)
            except ServeError:
                continue
            if model.request.plain:
                route = self._routes["predict" if name else "predict_default"]
                paths[path] = _Path(route, model.request.plain, self._parts.inference.queue(model))
        return paths

    def _caller(self, scope: Connection) -> str | None:
        """Who asks, if there is nothing to be said against the request before its body is known."""
        headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]):
            return None
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or int(length) > self._max_bytes:
            return None
        if headers.get(b"content-type") not in _JSON or b"content-encoding" in headers:
            return None
        # A header that came twice is the routes' affair: there is no telling which of the two is meant.
        if len(headers) != len(scope["headers"]):
            return None
        authorization = headers.get(b"authorization", b"")
        if not authorization.startswith(_SCHEME):
            return None
        caller = self._parts.callers.recall(authorization[len(_SCHEME) :].decode("latin-1"))
        return caller.name if caller and Scope.PREDICT in caller.scopes else None

    async def _answer(self, path: _Path, body: bytes, scope: Connection, receive: Receive) -> bytes | None:
        """
        The answer in JSON; None if the routes must see to it.

        Raises:
            RateExceeded: The caller asks too often, or for too many rows.
            Overloaded: Too many rows are waiting for the model.
            DeadlineExceeded: It took too long.
            ClientDisconnect: The caller has gone.
        """
        limits, caller, read = self._parts.rates, scope["caller"], path.plain.read
        if limits.predict:
            left = limits.predict.take(caller)
            if left is None:
                await rates.ask(scope, limits.predict, caller)
            else:
                scope["limits"] = [(limits.predict.policy, left)]
        rows = read(body) if len(body) < _LARGE_BYTES else await self._parts.compute(read, body)
        if rows is None:
            return None
        if limits.rows:
            await rates.ask(scope, limits.rows, caller, len(rows))
        answer = path.queue.submit(rows)
        return await (answer if path.queue.is_quick else attended(receive, answer))


async def _received(receive: Receive) -> tuple[list[Message], bytes]:
    """What came, and the body of it; an empty one if the caller went away."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    if messages[-1]["type"] != "http.request":
        return messages, b""
    return messages, messages[0]["body"] if len(messages) == 1 else b"".join([message["body"] for message in messages])


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Tell a second time what has been received, then go on."""
    waiting = deque(messages)

    async def receive_again() -> Message:
        return waiting.popleft() if waiting else await receive()

    return receive_again
