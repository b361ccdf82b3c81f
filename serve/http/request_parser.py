"""
The parsing of requests: uvicorn's, with limits, and without whatever a proxy might read differently.

llhttp, which parses, checks lengths and line ends strictly. Refused here is what it accepts although it makes no sense
for this server, or although two parsers might read it differently.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from serve.errors import HeadersTooLarge, MalformedRequest, WireError
from serve.http.wire import CONNECTION, HOST, Bounds, Connection, fault

# Requests that one connection may send before their responses.
MAX_AHEAD = 100

_VERSIONS = frozenset({"1.1", "1.0"})
_CHECKED = frozenset({b"host", b"transfer-encoding", b"expect"})


class RequestParser(HttpToolsProtocol):
    """The receiving half of a connection; `Protocol` refuses, discards and answers."""

    write_whole: Callable[[object, bytes, bytes], bool]
    will_close: Callable[[object], bool]
    _refuse: Callable[[WireError], None]
    _discard: Callable[[int], None]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Bounds,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._bounds = bounds
        self._host: bytes | None = None
        self._known_host = self._known_url = b" "
        self._head_bytes = 0
        self._framed_bytes = 0
        self._counted: object = None
        self._piece_bytes = bounds.header_bytes
        self._max_headers = bounds.headers
        self._received = 0
        self._ignores_input = False
        self._write_whole = self.write_whole
        self._will_close = self.will_close

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            self._discard(len(data))
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
        # Outside of the try, so that an error is not attributed to the upgrade.
        self._ignore_upgrade(rest)

    def _count(self, size: int) -> None:
        """Count the bytes of an incomplete request, without those of a request before it."""
        is_new, self._counted = self._counted is not self.scope, self.scope
        if self._is_in_head:
            self._head_bytes = max(1, self._head_size()) if is_new else self._head_bytes + size
            if self._head_bytes > self._bounds.header_bytes:
                self._refuse(HeadersTooLarge())
        elif is_new or self._head_bytes:
            self._head_bytes, self._framed_bytes, self._received = 0, 0, 0
        else:
            # A client may send its body in very small chunks, each with its own framing.
            self._framed_bytes += size
            if self._framed_bytes > self._bounds.header_bytes + 9 * self._received:
                self._refuse(MalformedRequest("the framing of the body is larger than the body"))

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Parse the request as if it had not asked for another protocol, as a server may."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(MalformedRequest("CONNECT is not supported: this server is no proxy"))
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join([b"%b %b HTTP/%b" % (method, self.url, version), *lines, b"", rest]))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _CHECKED:
            if name == b"host" and self._host is None:
                self._host = value
            else:
                self._check_header(name, value)
        self.headers.append((name, value))

    def _check_header(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            raise MalformedRequest("the request has more than one Host header")
        if name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue" and self.parser.get_http_version() == "1.1"
        elif value.strip(b" \t").lower() != b"chunked" or self.parser.get_http_version() != "1.1":
            raise MalformedRequest("the Transfer-Encoding must be chunked, and HTTP/1.0 has none")

    def on_headers_complete(self) -> None:
        # A head that came in one piece is no larger than a piece may be.
        is_large = self._head_bytes and self._head_size() > self._bounds.header_bytes
        if is_large or len(self.headers) > self._max_headers:
            raise HeadersTooLarge
        if self.parser.should_upgrade():
            return
        if len(self.pipeline) >= MAX_AHEAD:
            raise MalformedRequest("too many requests were sent before their responses")
        if self._host != self._known_host or self.url != self._known_url:
            self._check_head()
        super().on_headers_complete()
        scope: Any = self.scope
        scope[CONNECTION] = Connection(self._write_whole, self._will_close)
        if scope["http_version"] not in _VERSIONS:
            self._refuse(MalformedRequest("the version must be HTTP/1.1 or HTTP/1.0"))
        # Trailers after the body must not be taken for headers.
        self.headers = []

    def _check_head(self) -> None:
        """Check the target and the host, once for each pair on a connection."""
        if self._host is None:
            if self.parser.get_http_version() != "1.0":
                raise MalformedRequest("the request has no Host header")
        elif not HOST.fullmatch(self._host):
            raise MalformedRequest("invalid Host header")
        if not self.url.startswith(b"/") or b"#" in self.url:
            raise MalformedRequest("the target must be a path")
        if self._host is not None:
            self._known_host, self._known_url = self._host, self.url

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            self._discard(len(body))
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._host = None
        if self._is_in_head:
            # The request asks for another protocol and is parsed again.
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()

    @property
    def _is_in_head(self) -> bool:
        return self.scope is not None and "method" not in self.scope
