"""The whole app in this process, without a socket: the cost of a request without its transport."""

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any, Self

import uvloop
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.types import Message, Scope

from artifacts import Store
from serve.api.deps import PREFIX, Services
from serve.app.root import create_app
from serve.app.security import make_tokens
from serve.auth.principals import ALL_PERMISSIONS
from serve.settings import Settings
from serve.storage import database
from serve.telemetry.logs import configure_logging
from train import publish
from train.recipes import all_recipes

MODELS = ("iris", "penguins")


def publish_models(store: Store) -> None:
    """Publish the models of these benchmarks, without the evaluation of their recipes."""
    for name in MODELS:
        recipe = all_recipes()[name]
        X, y = recipe.load()
        publish(recipe.estimator().fit(X, y), X, y, name=name, labels=recipe.labels, store=store)


def body(store: Store, model: str, *, rows: int) -> bytes:
    """Return the body of a request that repeats the examples of a model."""
    examples = store.manifest(model, 1).examples.instances
    chosen = [examples[row % len(examples)] for row in range(rows)]
    return json.dumps({"instances": chosen}, separators=(",", ":")).encode()


class App:
    """The app that `python -m serve run` serves, on uvloop; its access log goes to a file."""

    def __init__(self, folder: Path, store: Store) -> None:
        secret = SecretStr("x" * 32)
        settings = Settings(_env_file=None, artifacts=store.root, state=folder, secret_key=secret)
        self._log = (folder / "access.log").open("w")
        configure_logging(level="info", form="json", stream=self._log)
        database.prepare(settings.database)
        self._app = create_app(settings)
        self.tokens = make_tokens(settings)
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.services = _services(self._app)
        self.token = self.tokens.issue("developer", ALL_PERMISSIONS).token

    def __enter__(self) -> Self:
        self._runner.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._end())
        self._runner.close()
        # No log handler may keep the file, which is closed next.
        logging.basicConfig(handlers=[logging.StreamHandler(sys.stderr)], force=True)
        self._log.close()

    def request(self, model: str, sent: bytes, *, times: int = 1) -> bytes:
        """
        Send one body several times, one after the other.

        Returns:
            The last response.

        Raises:
            ValueError: It was an error.
        """
        return self._runner.run(self._request(model, sent, times))

    async def _start(self) -> None:
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._lifespan = asyncio.create_task(self._run_lifespan(scope))
        await self._to_app.put({"type": "lifespan.startup"})
        if (message := await self._from_app.get())["type"] != "lifespan.startup.complete":
            raise ValueError(message)

    async def _run_lifespan(self, scope: Scope) -> None:
        await self._app(scope, self._to_app.get, self._from_app.put)

    async def _end(self) -> None:
        await self._to_app.put({"type": "lifespan.shutdown"})
        await self._lifespan

    async def _request(self, model: str, sent: bytes, times: int) -> bytes:
        for _ in range(times):
            exchange = _Exchange(sent)
            await self._app(_scope(model, sent, token=self.token), exchange.receive, exchange.send)
        if exchange.status != 200:
            raise ValueError(exchange.response.decode())
        return exchange.response


class _Exchange:
    """The body of one request, and its response."""

    def __init__(self, sent: bytes) -> None:
        self._sent: bytes | None = sent
        self.status = 0
        self.response = b""

    async def receive(self) -> Message:
        """Return the body once, then wait, like a client that waits for its response."""
        if self._sent is None:
            await asyncio.Event().wait()
        message = {"type": "http.request", "body": self._sent, "more_body": False}
        self._sent = None
        return message

    async def send(self, message: Message) -> None:
        """Keep the response."""
        self.status = message.get("status", self.status)
        self.response += message.get("body", b"")


def _scope(model: str, sent: bytes, *, token: str) -> Scope:
    """Return the scope that uvicorn creates for a request of wrk."""
    path = f"{PREFIX}/models/{model}/predict"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(sent)),
            (b"authorization", b"Bearer " + token.encode()),
        ],
        "state": {},
    }


def _services(app: Any) -> Services:
    """Return the services of the app; each wrapper around the app has it as `_app`."""
    while not isinstance(app, FastAPI):
        app = vars(app)["_app"]
    services: Services = app.state.services
    return services
