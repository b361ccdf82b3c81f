"""Requests as the protocol reads them: which are refused, and that pieces, bodies and upgrades make no difference."""

import pytest

from serve.http.request_parser import MAX_AHEAD
from tests.support.connections import Client, connected

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


def answer_to(*pieces: bytes) -> bytes:
    """Return what a new connection writes when it gets these pieces."""

    async def test(client: Client) -> bytes:
        return await client.send(*pieces)

    return connected(test)


def post(body: bytes, *lines: bytes) -> bytes:
    """Return a request with a body and its length."""
    head = [b"POST /a HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *lines, b"", body]
    return b"\r\n".join(head)


def test_a_request_in_single_bytes_is_the_same_request() -> None:
    """How the network divides a request makes no difference."""
    request = post(b"hello")

    whole = answer_to(request)

    assert whole == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
    assert answer_to(*(request[i : i + 1] for i in range(len(request)))) == whole


def test_requests_on_one_connection_are_answered_in_order() -> None:
    """Each response follows its request, also if the requests came together."""
    assert answer_to(post(b"one") + post(b"two")).split(b"\r\n\r\n") == [
        b"HTTP/1.1 200 OK\r\ncontent-length: 3",
        b"oneHTTP/1.1 200 OK\r\ncontent-length: 3",
        b"two",
    ]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (b"GET /a HTTP/1.1\r\n\r\n", b"the request has no Host header"),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", b"more than one Host header"),
        (b"GET /a HTTP/1.1\r\nHost: x/y\r\n\r\n", b"invalid Host header"),
        (b"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", b"the target must be a path"),
        (b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", b"the target must be a path"),
        (b"GET /a HTTP/0.9\r\nHost: x\r\n\r\n", b"the version must be HTTP/1.1 or HTTP/1.0"),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"CONNECT is not supported"),
        (
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"Transfer-Encoding must be chunked",
        ),
        (b"POST /a HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"Transfer-Encoding must be chunked"),
        (b"GET /a HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10 + b"\r\n", b"header"),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 1020 + b"\r\n\r\n", b"header"),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 4000, b"header"),
        (b"BREW /a HTTP/1.1\r\nHost: x\r\n\r\n", b"method"),
        (b"\x16\x03\x01\x02", b"not valid HTTP/1.1"),
    ],
)
def test_a_request_that_is_ambiguous_or_too_large_is_refused(request_: bytes, reason: bytes) -> None:
    """The app answers it with the reason, and the connection is closed."""

    async def test(client: Client) -> tuple[bytes, list[str]]:
        return await client.send(request_), client.events

    written, events = connected(test)

    assert written.startswith(b"HTTP/1.1 400")
    assert reason in written
    assert b"connection: close" in written
    assert "eof" in events


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /a HTTP/1.0\r\n\r\n",
        b"GET /a?b=%20 HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 9 + b"\r\n",
    ],
)
def test_a_valid_request_reaches_the_app(request_: bytes) -> None:
    """HTTP/1.0 needs no host, and as many headers as allowed are accepted."""
    assert answer_to(request_).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_head_that_arrives_in_pieces_may_be_as_large_as_one_in_one_piece() -> None:
    """The bytes of all pieces are counted, and those of the request before are not."""
    head = b"GET /a HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 900
    end = b"\r\n\r\n"

    assert answer_to(*[head, end] * 3).count(b"HTTP/1.1 200 OK") == 3
    assert answer_to(head, b"b" * 200, end).startswith(b"HTTP/1.1 400")
    assert answer_to(*[head, *[b"b" * 100] * 11]).startswith(b"HTTP/1.1 400")


def test_the_framing_of_a_body_may_not_be_larger_than_the_body() -> None:
    """A client that sends tiny chunks with large extensions is refused."""
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert answer_to(head, *[b"1\r\nx\r\n"] * 400, b"0\r\n\r\n").endswith(b"x" * 400)
    wasteful = answer_to(head, *[b"1;" + b"e" * 100 + b"\r\nx\r\n"] * 20)
    assert b"the framing of the body is larger than the body" in wasteful


def test_an_upgrade_is_ignored() -> None:
    """A request that asks for another protocol is answered as if it had not, with its body and the next request."""
    upgrade = [b"Connection: Upgrade", b"Upgrade: h2c"]

    written = answer_to(post(b"hello", *upgrade) + post(b"next"))

    assert [part[-5:] for part in written.split(b"HTTP/1.1 200 OK")] == [b"", b"hello", b"\nnext"]


def test_no_more_than_a_hundred_requests_may_wait() -> None:
    """A client that sends more before their responses is refused after them."""

    async def test(client: Client) -> bytes:
        client.app.go.clear()
        await client.send(GET * (MAX_AHEAD + 2))
        client.app.go.set()
        for _ in range(MAX_AHEAD):
            await client.settle()
        return client.written

    written = connected(test)

    assert written.count(b"HTTP/1.1 200 OK") == MAX_AHEAD + 1
    assert b"too many requests were sent before their responses" in written


@pytest.mark.parametrize(("value", "is_sent"), [(b"100-continue", True), (b"something", False)])
def test_only_a_client_that_expects_it_gets_100_continue(value: bytes, is_sent: bool) -> None:
    """A client that waits gets 100 Continue when the app reads the body."""
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: " + value + b"\r\n\r\n"

    assert answer_to(head).startswith(b"HTTP/1.1 100 Continue") is is_sent


def test_trailers_are_no_headers() -> None:
    """Lines after a chunked body are ignored."""

    async def test(client: Client) -> list[tuple[bytes, bytes]]:
        head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        await client.send(head + b"1\r\nx\r\n0\r\nAuthorization: b\r\n\r\n")
        headers: list[tuple[bytes, bytes]] = client.app.scopes[0]["headers"]
        return headers

    assert connected(test) == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]


def test_reading_pauses_while_the_app_does_not_read_a_large_body() -> None:
    """It resumes when the app reads."""

    async def test(client: Client) -> tuple[list[str], list[str]]:
        client.app.go.clear()
        head, body = post(b"x" * 100_000)[:-100_000], b"x" * 100_000
        await client.send(head, body)
        before = [*client.events]
        client.app.go.set()
        await client.settle()
        return before, client.events

    before, after = connected(test)

    assert before == ["pause"]
    assert after == ["pause", "resume"]


def test_the_rest_of_a_body_is_discarded_after_its_response() -> None:
    """The connection is used for the next request."""

    async def test(client: Client) -> bytes:
        return await client.send(post(b"hello")[:-3]) + b"|" + await client.send(b"llo", GET)

    first, both = connected(test, is_early=True).split(b"|")

    assert first.count(b"HTTP/1.1 200 OK") == 1
    assert both.count(b"HTTP/1.1 200 OK") == 2
