"""Connections to the HTTP protocol without a network: a transport in memory, and an app that reports what it reads."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from uvicorn.config import Config
from uvicorn.server import ServerState

from serve.errors import WireError
from serve.http.protocol import Protocol
from serve.http.timeouts import ConnectionReaper, Timeouts
from serve.http.wire import CONNECTION, Bounds, Connection

BOUNDS = Bounds(header_bytes=1024, headers=10, connections=2)
TIMEOUTS = Timeouts(headers_s=10, body_bytes_s=1024, body_grace_s=5, reader_s=20, keep_alive_s=15)
T = TypeVar("T")


class Transport(asyncio.Transport):
    """Records what is written, and how the connection is ended."""

    def __init__(self) -> None:
        # A TCP socket that is not connected has all options that the protocol reads and sets.
        self.socket = socket.socket()
        super().__init__({"socket": self.socket})
        self.written = b""
        self.events: list[str] = []
        self.unsent = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.events.append("eof")

    def close(self) -> None:
        self.events.append("close")

    def abort(self) -> None:
        self.events.append("abort")

    def is_closing(self) -> bool:
        return not {"close", "abort"}.isdisjoint(self.events)

    def pause_reading(self) -> None:
        self.events.append("pause")

    def resume_reading(self) -> None:
        self.events.append("resume")

    def get_write_buffer_size(self) -> int:
        return self.unsent


@dataclass
class App:
    """
    Answers each request with its body, or with the text of its refusal, as soon as `go` is set.

    Attributes:
        is_early: Whether requests are answered without their body being read.
        starts_first: Whether the head of the response is sent before the body is read.
    """

    is_early: bool = False
    starts_first: bool = False
    scopes: list[Any] = field(default_factory=list)
    refusals: list[WireError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await self.go.wait()
        if self.starts_first:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        body, is_connected = b"", True
        connection: Connection = scope[CONNECTION]
        while is_connected and not self.is_early and connection.refusal is None:
            message = await receive()
            is_connected = message["type"] == "http.request"
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if connection.refusal is not None:
            self.refusals.append(connection.refusal.error)
            connection.refusal.admit()
            status, body = 400, str(connection.refusal.error).encode()
        else:
            status = 200
        if not self.starts_first:
            headers = [(b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Client:
    """One connection to the app, and the other ones of the same server."""

    def __init__(self, app: App, *, bounds: Bounds = BOUNDS, neighbour: "Client | None" = None) -> None:
        self.app = app
        self.state: ServerState = neighbour.state if neighbour else ServerState()
        self.reaper: ConnectionReaper = neighbour.reaper if neighbour else ConnectionReaper(TIMEOUTS)
        self.transport = Transport()
        config = Config(app, lifespan="off", log_config=None)
        loop = asyncio.get_running_loop()
        self.protocol = Protocol(config, self.state, {}, loop, bounds=bounds, reaper=self.reaper)
        self.protocol.connection_made(self.transport)

    @property
    def events(self) -> list[str]:
        """How the connection was paused and ended."""
        return self.transport.events

    @property
    def written(self) -> bytes:
        """All responses so far."""
        return self.transport.written

    async def send(self, *pieces: bytes) -> bytes:
        """Deliver pieces as the network would, and return what is written once the app has done what it can."""
        for piece in pieces:
            self.protocol.data_received(piece)
        await self.settle()
        return self.written

    async def settle(self) -> None:
        """Let the tasks of the app run until they wait: none of them waits for anything but this loop."""
        for _ in range(20):
            await asyncio.sleep(0)


def connected(test: Callable[[Client], Awaitable[T]], *, bounds: Bounds = BOUNDS, **app: Any) -> T:
    """Run a test with a connection to a new app, and end the connection afterwards."""

    async def run() -> T:
        client = Client(App(**app), bounds=bounds)
        try:
            return await test(client)
        finally:
            if client.protocol in client.state.connections:
                client.protocol.connection_lost(None)
            client.app.go.set()
            await client.settle()
            client.transport.socket.close()

    return asyncio.run(run())
