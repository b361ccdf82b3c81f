"""The limits of requests, and the errors of the parser in our words."""

import socket

import httptools
import pytest
from structlog.testing import capture_logs

from serve.errors import HeadersTooLarge, MalformedRequest, MethodUnknown
from serve.http.wire import HOST, Connection, Refusal, acknowledged, fault


@pytest.mark.parametrize(
    ("host", "is_valid"),
    [
        (b"example.com", True),
        (b"example.com:8000", True),
        (b"127.0.0.1", True),
        (b"[::1]:8000", True),
        (b"", False),
        (b"example.com/path", False),
        (b"user@example.com", False),
        (b"example.com:", False),
        (b"example.com:123456", False),
        (b"a b", False),
        (b"[::1", False),
    ],
)
def test_hosts(host: bytes, *, is_valid: bool) -> None:
    """A host is a name or an address with an optional port."""
    assert (HOST.fullmatch(host) is not None) is is_valid


def parser_error(data: bytes, protocol: object = None) -> httptools.HttpParserError:
    """Return the error of the parser for these bytes."""
    with pytest.raises(httptools.HttpParserError) as error:
        httptools.HttpRequestParser(protocol or object()).feed_data(data)
    return error.value


def test_an_unknown_method_is_distinguished_from_invalid_http() -> None:
    """A word of capitals before a path is a method; everything else is no HTTP."""
    for data, kind in ((b"BREW / HTTP/1.1\r\n", MethodUnknown), (b"\x16\x03\x01\x02", MalformedRequest)):
        assert type(fault(parser_error(data), data)) is kind


class Refusing:
    """A protocol whose callback raises an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_header(self, _name: bytes, _value: bytes) -> None:
        raise self.error


def test_an_error_of_a_callback_is_returned() -> None:
    """Our own error is returned without its traceback; another one is logged, and the request is malformed."""
    data = b"GET / HTTP/1.1\r\nA: b\r\n\r\n"

    ours = fault(parser_error(data, Refusing(HeadersTooLarge())), data)
    with capture_logs() as lines:
        other = fault(parser_error(data, Refusing(ZeroDivisionError())), data)

    assert type(ours) is HeadersTooLarge
    assert ours.__traceback__ is None
    assert type(other) is MalformedRequest
    assert [line["event"] for line in lines] == ["request failed"]


def test_acknowledged_bytes_grow() -> None:
    """The system counts the bytes that the other side has acknowledged."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        before = acknowledged(client)
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"x" * 1000)
            while len(accepted.recv(1000, socket.MSG_PEEK)) < 1000:
                pass
            after = acknowledged(client)

    assert after - before == 1000


def test_a_connection_without_a_protocol_writes_nothing() -> None:
    """The defaults for tests and other servers: nothing is written in one step, and nothing has to close."""
    connection = Connection()
    Refusal(HeadersTooLarge()).admit()

    assert not connection.write_whole(None, b"", b"")
    assert not connection.will_close(None)
