"""
HTTP/1.1: uvicorn's protocol with limits, refusals and an orderly close.

What is refused here has no route yet. It still goes to the app, with a `refusal` in its connection, so that it is
answered, logged and counted where everything else is.
"""

import asyncio
import socket
import struct
from typing import Any

import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from serve.errors import TooManyConnections, TooSlow, WireError
from serve.http.request_parser import RequestParser
from serve.http.timeouts import ConnectionReaper, Phase
from serve.http.wire import CONNECTION, Bounds, Connection, Refusal, acknowledged

# How much of a body that is no longer needed is discarded so that the connection can be reused; and how much before it
# is closed, since many clients send everything before they read the first byte of the response.
UNWANTED_BYTES = 2**20
UNWANTED_AT_THE_END_BYTES = 2**27

_RESET = struct.pack("ii", 1, 0)

_log = structlog.get_logger("serve.http.protocol")


class _Outgoing:
    """The transport that uvicorn sees; the protocol decides when to close it."""

    __slots__ = ("_protocol", "is_closing", "write")

    def __init__(self, protocol: "Protocol", transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self.is_closing = transport.is_closing
        self.write = transport.write

    def close(self) -> None:
        """Close in an orderly way."""
        self._protocol.close()


class Protocol(RequestParser):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Bounds,
        reaper: ConnectionReaper,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop, bounds=bounds)
        self._reaper = reaper
        self._wire: asyncio.Transport
        self._unwanted = 0
        self._is_closing = False
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._wire = transport
        self.transport = _Outgoing(self, transport)  # type: ignore[assignment]  # has all that uvicorn uses
        is_full = len(self.connections) > self._bounds.connections
        spare = self._reaper.spare() if is_full else None
        self._reaper.add(self, self.loop)
        if spare is not None:
            spare.close()
        elif is_full:
            self._refuse(TooManyConnections())

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._reaper.remove(self)
        # uvicorn only marks the newest request; the running one may be an earlier one, which others were sent after.
        for cycle in (self._running, *(waiting for waiting, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def write_whole(self, scope: object, head: bytes, body: bytes) -> bool:
        """
        Write a response of status 200 in one step; uvicorn's `send` takes two, and checks every header.

        Args:
            scope: Of the request.
            head: The lines of valid headers with their line ends, including `Content-Length`.
            body: Of that length.

        Returns:
            Whether it was written; if not, nothing was, and it must be sent by `send`.
        """
        cycle = self.cycle
        is_plain = cycle.scope is scope and cycle.keep_alive and not cycle.more_body
        if not is_plain or cycle.response_started or cycle.disconnected or self.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        first = b"".join([b"%b: %b\r\n" % header for header in self.server_state.default_headers])
        self._wire.write(b"HTTP/1.1 200 OK\r\n%b%b\r\n%b" % (first, head, body))
        cycle.message_event.set()
        cycle.on_response()
        return True

    def will_close(self, scope: object) -> bool:
        """Return whether more of the body is missing than is discarded later, so that the response says `close`."""
        cycle = self.cycle
        if cycle.scope is not scope or not cycle.more_body:
            return False
        length = next((value for name, value in cycle.scope["headers"] if name == b"content-length"), b"0")
        return int(length) - self._received > UNWANTED_BYTES

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._unwanted = 0
        if self._is_closing:
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.cycle.more_body and self.expect_100_continue:
            # It is unknown whether the client will send the announced body, now that it has its response.
            self.close()

    def shutdown(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._is_closing = True
            self._wire.close()
        else:
            self.cycle.keep_alive = False

    def close(self) -> None:
        """Close, but receive the rest of a request first: a reset by unread data would destroy the response."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._ignores_input or (self.cycle is not None and self.cycle.more_body):
            self._ignores_input = True
            self.flow.resume_reading()
            self._wire.write_eof()
        else:
            self._wire.close()

    def cut_off(self) -> None:
        """Abort a response that the client does not read."""
        self._cut_off("the client does not read it")

    def _cut_off(self, reason: str) -> None:
        _log.warning("answer cut short", reason=reason, request_id=self.cycle.scope.get("request_id"))
        self.abort()

    def abort(self) -> None:
        """Close at once and discard what the system still has to send."""
        self._is_closing = True
        self._wire.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._wire.abort()

    def _discard(self, size: int) -> None:
        self._unwanted += size
        if not self._ignores_input and self._unwanted > UNWANTED_BYTES:
            self.close()
        elif self._unwanted > UNWANTED_AT_THE_END_BYTES:
            self.abort()

    def time_out(self) -> None:
        """Refuse the request that did not arrive in time."""
        self._refuse(TooSlow())

    def _refuse(self, error: WireError) -> None:
        """Send an error after the responses that are still due, and ignore further input."""
        if self._ignores_input:
            return
        self._ignores_input = True
        cycle = self.cycle
        if self.scope is None or self._is_in_head or not cycle.more_body:
            self._refuse_head(error)
        elif cycle.response_complete:
            self.abort()
        elif cycle.response_started:
            self._cut_off(str(error))
        else:
            # For the reader of the body, the client has disconnected.
            connection: Connection = cycle.scope[CONNECTION]  # type: ignore[literal-required]  # an extension
            connection.refusal = Refusal(error, cycle)
            cycle.disconnected = True
            cycle.message_event.set()

    def _refuse_head(self, error: WireError) -> None:
        if not self._is_in_head:
            self.on_message_begin()
        path = self.url.partition(b"?")[0].decode("latin-1")
        scope: Any = self.scope
        scope.update(method="", path=path, raw_path=b"", query_string=b"")
        scope[CONNECTION] = Connection(refusal=Refusal(error))
        self.headers.clear()
        before = self.cycle
        self.cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        self.cycle.more_body = False
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))

    @property
    def unsent(self) -> int:
        """Bytes in the write buffer of this process."""
        return self._wire.get_write_buffer_size()

    @property
    def taken(self) -> int:
        """Bytes that the client's system has acknowledged; 0 if the system does not count them."""
        return acknowledged(self._wire.get_extra_info("socket"))

    @property
    def phase(self) -> Phase:
        """The current phase of the connection."""
        if self._is_closing:
            return Phase("lingering", None)
        if self._ignores_input:
            return Phase("response", None)
        if self._is_in_head:
            return Phase("headers", self.scope)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None:
            return Phase("idle", None)
        if cycle.more_body:
            return Phase("response" if self.flow.read_paused else "body", cycle, self._received)
        return Phase("idle" if cycle.response_complete else "response", cycle)
