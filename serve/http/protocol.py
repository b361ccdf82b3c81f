"""
HTTP/1.1 on the wire: uvicorn's protocol, with limits, and without the readings that a proxy might not share.

What is refused here has no route yet. It goes to the app all the same, with a `refusal` in its connection, so that it
is answered, logged and counted where everything else is.
"""

import asyncio
import socket
import struct
from typing import Any

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from serve.errors import HeadersTooLarge, MalformedRequest, TooManyConnections, TooSlow, WireError
from serve.http.timeouts import ConnectionReaper, Phase
from serve.http.wire import CONNECTION, HOST, Bounds, Connection, Refusal, acknowledged, fault

# Requests that one connection may send ahead of their answers.
MAX_AHEAD = 100
# How much of a body that nobody wants any more is thrown away, so that the connection can be used again; and how much
# when it is closed over it, since many clients write everything before they read the first word of the answer.
UNWANTED_BYTES = 2**20
UNWANTED_AT_THE_END_BYTES = 2**27

_RESET = struct.pack("ii", 1, 0)
_VERSIONS = frozenset({"1.1", "1.0"})
_JUDGED = frozenset({b"host", b"transfer-encoding", b"expect"})

_log = structlog.get_logger("serve.http.protocol")


class _Outgoing:
    """The transport as uvicorn sees it; closing is the protocol's affair."""

    __slots__ = ("_protocol", "is_closing", "write")

    def __init__(self, protocol: "Protocol", transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self.is_closing = transport.is_closing
        self.write = transport.write

    def close(self) -> None:
        """Close, in good order."""
        self._protocol.close()


class Protocol(HttpToolsProtocol):
    """
    One connection.

    llhttp, which parses, takes lengths and line ends strictly; refused besides are whatever it lets through that has
    no business here or that two readers might read differently.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Bounds,
        watch: ConnectionReaper,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._bounds = bounds
        self._watch = watch
        self._wire: asyncio.Transport
        self._host: bytes | None = None
        self._known_host = self._known_url = b" "
        self._head_bytes = 0
        self._framed_bytes = 0
        self._counted: object = None
        self._piece_bytes = bounds.header_bytes
        self._max_headers = bounds.headers
        self._received = 0
        self._unwanted = 0
        self._is_deaf = False
        self._is_closing = False
        self._write_whole = self.write_whole
        self._will_close = self.will_close

    # --- the transport ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._wire = transport
        self.transport = _Outgoing(self, transport)  # type: ignore[assignment]  # all that uvicorn uses of it
        is_full = len(self.connections) > self._bounds.connections
        spare = self._watch.spare() if is_full else None
        self._watch.add(self, self.loop)
        if spare is not None:
            spare.close()
        elif is_full:
            self._refuse(TooManyConnections())

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._watch.remove(self)
        for cycle, _ in self.pipeline:
            cycle.disconnected = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            self._throw_away(len(data))
            return
        if len(data) > self._piece_bytes:
            for start in range(0, len(data), self._piece_bytes):
                self.data_received(data[start : start + self._piece_bytes])
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self._refuse(fault(error, data))
            return
        else:
            cycle: RequestResponseCycle | None = self.cycle
            if cycle is None or cycle.more_body or "method" not in self.scope:
                self._count(len(data))
            return
        # Out here, for what goes wrong now does not come of the upgrade.
        self._ignore_upgrade(rest)

    def _count(self, size: int) -> None:
        """What came of a request that is not whole. Nothing is counted twice, and what came before it not at all."""
        is_new, self._counted = self._counted is not self.scope, self.scope
        if self._is_in_head:
            self._head_bytes = max(1, self._told_bytes()) if is_new else self._head_bytes + size
            if self._head_bytes > self._bounds.header_bytes:
                self._refuse(HeadersTooLarge())
        elif is_new or self._head_bytes:
            self._head_bytes, self._framed_bytes, self._received = 0, 0, 0
        else:
            # A client may send its body in very small pieces, and there is something around each.
            self._framed_bytes += size
            if self._framed_bytes > self._bounds.header_bytes + 9 * self._received:
                self._refuse(MalformedRequest("there is more around the body than in it"))

    def _told_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read the request as if it had not asked for another protocol, which a server is free to do."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(MalformedRequest("this is no proxy"))
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join([b"%b %b HTTP/%b" % (method, self.url, version), *lines, b"", rest]))

    # --- the parser ---

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _JUDGED:
            if name == b"host" and self._host is None:
                self._host = value
            else:
                self._judge(name, value)
        self.headers.append((name, value))

    def _judge(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            raise MalformedRequest("there is more than one Host")
        if name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue" and self.parser.get_http_version() == "1.1"
        elif value.strip(b" \t").lower() != b"chunked" or self.parser.get_http_version() != "1.1":
            raise MalformedRequest("the only Transfer-Encoding is chunked, and HTTP/1.0 has none")

    def on_headers_complete(self) -> None:
        # A head that came in one piece is no larger than a piece.
        is_large = self._head_bytes and self._told_bytes() > self._bounds.header_bytes
        if is_large or len(self.headers) > self._max_headers:
            raise HeadersTooLarge
        if self.parser.should_upgrade():
            return
        if len(self.pipeline) >= MAX_AHEAD:
            raise MalformedRequest("too many requests were sent ahead")
        if self._host != self._known_host or self.url != self._known_url:
            self._check_head()
        super().on_headers_complete()
        scope: Any = self.scope
        scope[CONNECTION] = Connection(self._write_whole, self._will_close)
        if scope["http_version"] not in _VERSIONS:
            self._refuse(MalformedRequest("the version is neither HTTP/1.1 nor HTTP/1.0"))
        # What comes behind a body is no header of the request, whatever it says.
        self.headers = []

    def _check_head(self) -> None:
        """Once for each target and host that a connection asks for."""
        if self._host is None:
            if self.parser.get_http_version() != "1.0":
                raise MalformedRequest("there is no Host")
        elif not HOST.fullmatch(self._host):
            raise MalformedRequest("the Host is none")
        if not self.url.startswith(b"/") or b"#" in self.url:
            raise MalformedRequest("the target must be a path")
        if self._host is not None:
            self._known_host, self._known_url = self._host, self.url

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            self._throw_away(len(body))
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._host = None
        if self._is_in_head:
            # It asks for another protocol, and is read again.
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()

    # --- the answers ---

    def write_whole(self, scope: object, head: bytes, body: bytes) -> bool:
        """
        Write an answer of status 200 at once, as uvicorn's `send` does in two steps and with a look at every header.

        Args:
            scope: Of the request.
            head: Lines of valid headers, `Content-Length` among them, each with its end.
            body: As long as that says.

        Returns:
            Whether it was written; if not, nothing was, and it must go the ordinary way.
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
        """Return whether more of the body is still to come than is read after a response, so that this one says so."""
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
            # Whether the client sends the body that it announced, now that it has its answer, nobody can tell.
            self.close()

    def shutdown(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._is_closing = True
            self._wire.close()
        else:
            self.cycle.keep_alive = False

    def close(self) -> None:
        """Close; if something of a request may be on its way, only after it came: else it would undo the answer."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._is_deaf or (self.cycle is not None and self.cycle.more_body):
            self._is_deaf = True
            self.flow.resume_reading()
            self._wire.write_eof()
        else:
            self._wire.close()

    def cut_off(self) -> None:
        """Give up an answer of which nothing is taken."""
        self._cut_off("the client takes nothing of it")

    def _cut_off(self, reason: str) -> None:
        _log.warning("answer cut short", reason=reason, request_id=self.cycle.scope.get("request_id"))
        self.abort()

    def abort(self) -> None:
        """Let go at once; the system, too, shall not go on offering what nobody takes."""
        self._is_closing = True
        self._wire.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._wire.abort()

    def _throw_away(self, size: int) -> None:
        self._unwanted += size
        if not self._is_deaf and self._unwanted > UNWANTED_BYTES:
            self.close()
        elif self._unwanted > UNWANTED_AT_THE_END_BYTES:
            self.abort()

    # --- what is refused, and who is waited for ---

    def time_out(self) -> None:
        """The request did not come in time."""
        self._refuse(TooSlow())

    def _refuse(self, error: WireError) -> None:
        """Tell the client why, after the answers that are still due, and hear no more of it."""
        if self._is_deaf:
            return
        self._is_deaf = True
        cycle = self.cycle
        if self.scope is None or self._is_in_head or not cycle.more_body:
            self._refuse_head(error)
        elif cycle.response_complete:
            self.abort()
        elif cycle.response_started:
            self._cut_off(str(error))
        else:
            # To whoever reads the body, the client is gone.
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
    def _is_in_head(self) -> bool:
        return self.scope is not None and "method" not in self.scope

    @property
    def unsent(self) -> int:
        """Bytes that wait here until the system takes them."""
        return self._wire.get_write_buffer_size()

    @property
    def taken(self) -> int:
        """Bytes that have arrived at the client so far; 0 where nobody counts them."""
        return acknowledged(self._wire.get_extra_info("socket"))

    @property
    def phase(self) -> Phase:
        """What is going on at this moment."""
        if self._is_closing:
            return Phase("lingering", None)
        if self._is_deaf:
            return Phase("answer", None)
        if self._is_in_head:
            return Phase("headers", self.scope)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None:
            return Phase("idle", None)
        if cycle.more_body:
            return Phase("answer" if self.flow.read_paused else "body", cycle, self._received)
        return Phase("idle" if cycle.response_complete else "answer", cycle)
