"""The limits of HTTP requests, and the connection data that protocol and app share."""

import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPMethod

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from serve.errors import MalformedRequest, MethodUnknown, WireError

# RFC 9112, section 3.2, and RFC 3986, section 3.2.2: a name, an IPv4 address or an IPv6 address, and a port.
HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_UNKNOWN_METHOD = re.compile(rb"([A-Z]{1,32}) [/*]")
# Where `struct tcp_info` of linux/tcp.h has tcpi_bytes_acked.
_ACKNOWLEDGED = struct.Struct("120xQ")

_log = structlog.get_logger("serve.http.wire")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest head of a request, and the number of connections."""

    header_bytes: int = 16 * 2**10
    headers: int = 100
    connections: int = 1000


# The key of the ASGI scope under which a request's connection is found.
CONNECTION = "sepal.connection"


def _cannot(_scope: object, _head: bytes = b"", _body: bytes = b"") -> bool:
    return False


@dataclass(slots=True)
class Connection:
    """
    What the app may use of the connection of a request.

    Attributes:
        write_whole: Writes a response of status 200 in one step, see `Protocol.write_whole`.
        will_close: Returns whether the response should say `Connection: close`, see `Protocol.will_close`.
        refusal: Why the request was refused before the app saw it, or while it reads the body.
    """

    write_whole: Callable[[object, bytes, bytes], bool] = _cannot
    will_close: Callable[[object], bool] = _cannot
    refusal: "Refusal | None" = None


@dataclass(slots=True)
class Refusal:
    """Why a request was refused, and the cycle through which the app sends its error response."""

    error: WireError
    cycle: RequestResponseCycle | None = field(default=None, repr=False)

    def admit(self) -> None:
        """Allow the error response, the last one of the connection."""
        if self.cycle is not None:
            self.cycle.disconnected = False
            self.cycle.keep_alive = False


def acknowledged(connection: socket.socket) -> int:
    """Return the bytes that the other side has acknowledged; 0 if the system does not count them."""
    if not hasattr(socket, "TCP_INFO"):  # pragma: no cover  # Linux has it
        return 0
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
    return int(_ACKNOWLEDGED.unpack(info)[0]) if len(info) == _ACKNOWLEDGED.size else 0


def fault(error: httptools.HttpParserError, data: bytes) -> WireError:
    """Convert an error of the parser to one of ours."""
    cause: BaseException | None = error.__context__
    if isinstance(cause, WireError):
        # Drop the traceback: its frames refer to the connection, and the cycle would wait for the garbage collector.
        cause.__context__ = None
        return cause.with_traceback(None)
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        named = _UNKNOWN_METHOD.match(data)
        if named and named[1].decode() not in HTTPMethod.__members__:
            return MethodUnknown()
    if cause is not None and not isinstance(cause, httptools.HttpParserError):
        _log.error("request failed", exc_info=cause)
    return MalformedRequest("the request is not valid HTTP/1.1 (RFC 9112)")
