"""Request smuggling behind a real nginx: every client gets the responses to its own requests."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.raw_http import connect, request
from tests.support.server import Api

CHUNKED = "Transfer-Encoding: chunked"
STOLEN = request("X-Request-ID: stolen", method="GET", target="/api/v1/models")
END = b"0\r\n\r\n"


def _smuggled(*lines: str, body: bytes = b"") -> bytes:
    return request("X-Request-ID: hostile", *lines, body=body)


HOSTILE = {
    "length, then chunks": _smuggled("Content-Length: 5", CHUNKED, body=END + STOLEN),
    "length of all, then chunks": _smuggled(f"Content-Length: {len(END + STOLEN)}", CHUNKED, body=END + STOLEN),
    "chunks, then length": _smuggled(CHUNKED, "Content-Length: 4", body=b"5c\r\n" + STOLEN + END),
    "chunks twice": _smuggled(CHUNKED, CHUNKED, body=END + STOLEN),
    "chunks, then identity": _smuggled(CHUNKED, "Transfer-Encoding: identity", "Content-Length: 5", body=END + STOLEN),
    "xchunked": _smuggled("Transfer-Encoding: xchunked", "Content-Length: 5", body=END + STOLEN),
    "a blank before the colon": _smuggled("Transfer-Encoding : chunked", "Content-Length: 5", body=END + STOLEN),
    "a tab behind the colon": _smuggled("Transfer-Encoding:\tchunked", body=END + STOLEN),
    "a vertical tab": _smuggled("Transfer-Encoding: \x0bchunked", "Content-Length: 5", body=END + STOLEN),
    "a folded line": _smuggled("Transfer-Encoding:", " chunked", "Content-Length: 5", body=END + STOLEN),
    "a hidden name": _smuggled("A: b\rTransfer-Encoding: chunked", "Content-Length: 5", body=END + STOLEN),
    "an underscore": _smuggled("Transfer_Encoding: chunked", "Content-Length: 5", body=END + STOLEN),
    "two lengths": _smuggled("Content-Length: 5", f"Content-Length: {len(STOLEN) + 5}", body=END + STOLEN),
    "a length with a sign": _smuggled("Content-Length: +5", body=END + STOLEN),
    "LF for CRLF": _smuggled(CHUNKED, body=END).replace(b"\r\n", b"\n") + STOLEN,
    "a chunk that ends in garbage": _smuggled(CHUNKED, body=b"1\r\naXX" + END + STOLEN),
    "a size that ends in LF": _smuggled(CHUNKED, body=b"1\na\r\n" + END + STOLEN),
    "LF in an extension": _smuggled(CHUNKED, body=b"1;\n" + STOLEN + b"\r\n" + END),
    "a large size": _smuggled(CHUNKED, body=b"f" * 17 + b"\r\n" + END + STOLEN),
    "trailers": _smuggled(CHUNKED, body=b"0\r\nContent-Length: 5\r\n\r\n" + STOLEN),
    "a length and no body": _smuggled(f"Content-Length: {len(STOLEN)}"),
    "an expectation and a body": _smuggled("Expect: 100-continue", "Content-Length: 5", body=b"hello" + STOLEN),
    "an expectation and no body": _smuggled("Expect: 100-continue", f"Content-Length: {len(STOLEN)}"),
    "another expectation": _smuggled("Expect: 100-continue, tea", "Content-Length: 5", body=b"hello" + STOLEN),
    "a pair": _smuggled("Content-Length: 5", body=b"hello" + STOLEN),
    "an upgrade": _smuggled("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 5", body=b"hello" + STOLEN),
    "another host's target": request("X-Request-ID: hostile", method="GET", target="http://other/") + STOLEN,
    "a request in a line": _smuggled("A: b\r\n\r\n" + STOLEN.decode()),
}


@pytest.fixture(scope="module")
def front(api: Api) -> Iterator[int]:
    """The port of an nginx in front of the server."""
    binary = nginx.find_binary()
    if binary is None:
        assert "SEPAL_TEST_EVERYTHING" not in os.environ, "nginx is not installed"
        pytest.skip("nginx is not installed")
    with nginx.running(binary, api.server.port) as port:
        yield port


def _answer(port: int, sent: bytes) -> tuple[int, str]:
    """Return the status and the request id of the first response."""
    with connect(port) as client:
        client.sendall(sent)
        came = b""
        while b"\r\n\r\n" not in came:
            piece = client.recv(2**16)
            assert piece, came
            came += piece
    found = re.search(rb"^x-request-id: (\S+)", came, re.MULTILINE | re.IGNORECASE)
    return int(came.split(b" ", 2)[1]), found[1].decode() if found else ""


def _own_answers(port: int, name: str) -> None:
    for number in range(3):
        sent = request(f"X-Request-ID: {name}-{number}", method="GET", target="/health/live")
        assert _answer(port, sent) == (200, f"{name}-{number}")


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE)
def test_a_client_never_gets_the_response_to_another_request(front: int, sent: bytes) -> None:
    """After each attack, while its connection is still open, three other clients get their own responses."""
    _own_answers(front, "before")
    with connect(front) as hostile:
        hostile.sendall(sent)
        _own_answers(front, "during")

    _own_answers(front, "after")


@pytest.mark.parametrize(
    "name", ["length, then chunks", "chunks, then length", "chunks twice", "xchunked", "two lengths", "a vertical tab"]
)
def test_the_server_refuses_every_attack_that_nginx_refuses(api: Api, front: int, name: str) -> None:
    """Server and nginx refuse each attack separately; nginx answers 501 where the server answers 400."""
    refused = {_answer(port, HOSTILE[name])[0] for port in (front, api.server.port)}

    assert refused <= {400, 501}


def _connections(port: int) -> set[str]:
    """Return the client ports of all connections to that port, as Linux lists them."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {line[1] for line in lines if line[2].endswith(f":{port:04X}") and line[3] == "01"}


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for connections")
def test_the_connection_behind_nginx_is_kept(api: Api, front: int) -> None:
    """Several clients share one connection to the server, which the other tests depend on."""
    _own_answers(front, "first")
    before = _connections(api.server.port)

    _own_answers(front, "second")

    assert before
    assert _connections(api.server.port) == before
