"""HTTP on the wire: what is refused, and that no request can be read in two ways."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.support import tuned_server
from tests.support.bodies import LINE, ROW, cell, table
from tests.support.raw_http import answers, connect, exchange, request, until_closed
from tests.support.server import Api, Server, environment

LIVE = "/health/live"
GET = request("Connection: close", method="GET", target=LIVE)
CHUNKED = "Transfer-Encoding: chunked"
END = b"0\r\n\r\n"

MALFORMED = {
    "a negative length": request("Content-Length: -1"),
    "a length with a sign": request("Content-Length: +5", body=b"hello"),
    "a list of lengths": request("Content-Length: 5,5", body=b"hello"),
    "two equal lengths": request("Content-Length: 5", "Content-Length: 5", body=b"hello"),
    "two lengths": request("Content-Length: 5", "Content-Length: 6", body=b"hello"),
    "no length": request("Content-Length: ", body=b"hello"),
    "a length in hexadecimal": request("Content-Length: 0x5", body=b"hello"),
    "a length of two": request("Content-Length: 5 5", body=b"hello"),
    "a length beyond 64 bits": request("Content-Length: 18446744073709551616", body=b"hello"),
    "length, then chunks": request("Content-Length: 5", CHUNKED, body=END),
    "chunks, then length": request(CHUNKED, "Content-Length: 5", body=END),
    "xchunked": request("Transfer-Encoding: xchunked", body=END),
    "chunked, identity": request("Transfer-Encoding: chunked, identity", body=END),
    "identity, chunked": request("Transfer-Encoding: identity, chunked", body=END),
    "gzip, chunked": request("Transfer-Encoding: gzip, chunked", body=END),
    "identity": request("Transfer-Encoding: identity", body=b"hello"),
    "chunked twice": request(CHUNKED, CHUNKED, body=END),
    "identity, then chunked": request("Transfer-Encoding: identity", CHUNKED, body=END),
    "a comma before chunked": request("Transfer-Encoding: ,chunked", body=END),
    "chunked in quotes": request('Transfer-Encoding: "chunked"', body=END),
    "chunked with a parameter": request("Transfer-Encoding: chunked;q=1", body=END),
    "no coding": request("Transfer-Encoding: ", body=END),
    "a blank before the colon": request("Transfer-Encoding : chunked", body=END),
    "a tab before the colon": request("Transfer-Encoding\t: chunked", body=END),
    "a vertical tab before chunked": request("Transfer-Encoding:\x0bchunked", body=END),
    "a vertical tab behind chunked": request("Transfer-Encoding: chunked\x0b", body=END),
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: sepal\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "LF for CRLF": GET.replace(b"\r\n", b"\n"),
    "one LF for CRLF": request("A: b\nC: d", method="GET", target=LIVE),
    "a CR alone": request("A: b\rC: d", method="GET", target=LIVE),
    "LF before the body": GET[:-2] + b"\n",
    "no Host": b"GET /health/live HTTP/1.1\r\n\r\n",
    "two Hosts": request("Host: other", method="GET", target=LIVE),
    "no colon": request("Foo", method="GET", target=LIVE),
    "no name": request(": foo", method="GET", target=LIVE),
    "a blank in a name": request("A B: c", method="GET", target=LIVE),
    "NUL in a value": request("A: b\0c", method="GET", target=LIVE),
    "NUL in a name": request("A\0: b", method="GET", target=LIVE),
    "a control character": request("A: b\x01c", method="GET", target=LIVE),
    "a folded line": request("A: b", " c", method="GET", target=LIVE),
    "a folded first line": b"GET /health/live HTTP/1.1\r\n Host: sepal\r\n\r\n",
    "an invalid size": request(CHUNKED, body=b"zz\r\n"),
    "a size with a prefix": request(CHUNKED, body=b"0x1\r\na\r\n" + END),
    "a size with a sign": request(CHUNKED, body=b"+1\r\na\r\n" + END),
    "a blank before a size": request(CHUNKED, body=b" 1\r\na\r\n" + END),
    "a blank behind a size": request(CHUNKED, body=b"1 \r\na\r\n" + END),
    "a size beyond 64 bits": request(CHUNKED, body=b"fffffffffffffffff\r\na\r\n" + END),
    "a chunk that goes on": request(CHUNKED, body=b"1\r\naXX" + END),
    "a chunk that ends in LF": request(CHUNKED, body=b"1\r\na\n" + END),
    "a size that ends in LF": request(CHUNKED, body=b"1\na\r\n" + END),
    "LF in an extension": request(CHUNKED, body=b"1;a\nb\r\na\r\n" + END),
    "an extension without end": request(CHUNKED, body=b"1;" + b"a" * 2**20 + b"\r\na\r\n" + END),
    "trailers without end": request(CHUNKED, body=b"0\r\n" + b"A: b\r\n" * 2**15),
    "a length behind the body": request(CHUNKED, body=b"0\r\nContent-Length: 5\r\n\r\n"),
    "HTTP/0.9": b"GET /health/live\r\n\r\n",
    "HTTP/0.9 by name": b"GET /health/live HTTP/0.9\r\nHost: sepal\r\n\r\n",
    "HTTP/1.2": GET.replace(b"1.1", b"1.2", 1),
    "HTTP/2.0": GET.replace(b"1.1", b"2.0", 1),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": GET.replace(b"1.1", b"9.9", 1),
    "TLS": bytes.fromhex("160301006d010000690303"),
    "a target of another host": request(method="GET", target="http://other/health/live"),
    "an asterisk": request(method="OPTIONS", target="*"),
    "CONNECT": request(method="CONNECT", target="other:443"),
    "CONNECT to a path": request(method="CONNECT", target=LIVE),
    "a target without a slash": request(method="GET", target="health/live"),
    "a fragment": request(method="GET", target=LIVE + "#top"),
    "a control character in the target": request(method="GET", target=LIVE + "\x0b"),
    "another letter in the target": request(method="GET", target="/\xe4"),
    "a method in lower case": GET.replace(b"GET", b"get"),
    "a tab behind the method": GET.replace(b"GET ", b"GET\t"),
}
HOSTS = [
    "a/?x=",
    "x/live",
    "@evil",
    "user@evil",
    "a b",
    "a,b",
    "a\tb",
    "",
    "a:b",
    "a:123456",
    "[::1",
    "a#b",
    "a?b",
    "\xe4",
]


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_an_invalid_request_is_400(api: Api, sent: bytes) -> None:
    """The response is a problem with an id, the connection is closed, and the rest is not read as a request."""
    [answer] = exchange(api.server, sent + GET)

    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert answer.problem["type"] == "/problems/malformed-request"
    assert answer.problem["instance"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("host", HOSTS)
def test_an_invalid_host_is_400(api: Api, host: str) -> None:
    """A path, a user or a second host in the Host header is refused."""
    [answer] = exchange(api.server, f"GET {LIVE} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))

    assert answer.status == 400


@pytest.mark.parametrize("host", ["sepal", "SEPAL.example:8000", "127.0.0.1", "[::1]:80", "a_b.c-d"])
def test_a_valid_host_is_accepted(api: Api, host: str) -> None:
    """Names, IPv4 and IPv6 addresses are accepted, with and without a port."""
    [answer] = exchange(api.server, GET.replace(b"Host: sepal", f"Host: {host}".encode()))

    assert answer.status == 200


@pytest.mark.parametrize(
    "line",
    [
        "X-SklearnRuntime-URL: /health/live",
        "X-Rewrite-URL: /health/live",
        "X-Forwarded-Prefix: /health/live",
        "X-Forwarded-For: 127.0.0.1",
        "X-HTTP-Method-Override: GET",
        "Forwarded: for=127.0.0.1;host=evil",
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/me", "//health/live", "/health/live/../../api/v1/me", "/health/live;/me"])
def test_no_header_or_path_bypasses_the_token(api: Api, line: str, path: str) -> None:
    """Headers that change the path or method for some proxies are ignored, and paths are compared exactly."""
    [answer] = exchange(api.server, request(line, "Connection: close", method="GET", target=path))

    assert answer.status == 401
    assert b"evil" not in answer.body


@pytest.mark.parametrize("path", ["/api/v1/%2e%2e/health/live", "/health%2flive/x", "/health/live/", "/HEALTH/live"])
def test_a_path_is_not_normalised(api: Api, path: str) -> None:
    """Escaped dots and slashes, another case and one slash more are other paths."""
    [answer] = exchange(api.server, request("Connection: close", method="GET", target=path))

    assert answer.status == 401


@pytest.mark.parametrize("method", ["FOOBAR", "X", "A" * 32])
def test_an_unknown_method_is_501(api: Api, method: str) -> None:
    """Unknown methods are distinguished from invalid HTTP."""
    [answer] = exchange(api.server, request(method=method, target=LIVE))

    assert (answer.status, answer.problem["type"]) == (501, "/problems/method-unknown")


@pytest.mark.parametrize(
    "sent",
    [
        request("A: " + "b" * 2**14, method="GET", target=LIVE),
        request("A: " + "b" * 2**17, method="GET", target=LIVE),
        request("A" * 2**15 + ": b", method="GET", target=LIVE),
        request(*["A: b"] * 100, method="GET", target=LIVE),
        request(*["A: b"] * 20_000, method="GET", target=LIVE),
        request(method="GET", target=LIVE + "?" + "a" * 2**14),
        request(method="GET", target="/" + "a" * 2**17),
        request("Upgrade: h2c", "Connection: upgrade", *["A: b"] * 100, method="GET", target=LIVE),
    ],
    ids=["one value", "a large value", "a name", "101 headers", "20,000 headers", "a query", "a path", "an upgrade"],
)
def test_a_head_that_is_too_large_is_431(api: Api, sent: bytes) -> None:
    """More than 16 KiB of target and headers, or more than 100 headers, are not read."""
    [answer] = exchange(api.server, sent)

    assert (answer.status, answer.headers["connection"]) == (431, "close")
    assert answer.problem["type"] == "/problems/headers-too-large"


def test_a_head_at_the_limit_is_read(api: Api) -> None:
    """100 headers of nearly 16 KiB are not too large, however they come."""
    sent = request("Connection: close", *["A: " + "b" * 150] * 98, method="GET", target=LIVE)

    with connect(api.server.port) as client:
        for start in range(0, len(sent), 100):
            client.sendall(sent[start : start + 100])
        [answer] = answers(until_closed(client))

    assert answer.status == 200


def test_a_refusal_is_logged_once_and_counted(api: Api) -> None:
    """An invalid request is in the access log and in the metrics."""
    [answer] = exchange(api.server, request("Content-Length: -1"))

    line = api.server.line(answer.headers["x-request-id"])
    assert (line["event"], line["status"], line["method"], line["route"]) == ("request", 400, "other", "unmatched")
    assert 'sepal_requests_total{method="other",route="unmatched",status="400"}' in api.get("/metrics").text


def test_requests_sent_ahead_are_answered_in_order(api: Api) -> None:
    """Several requests in one piece are answered in order, and a malformed one is refused when it is its turn."""
    ids = [f"ahead-{number}" for number in range(5)]
    sent = b"".join(request(f"X-Request-ID: {name}", method="GET", target=LIVE) for name in ids)

    responses = exchange(api.server, sent + request("Content-Length: x"))

    assert [answer.status for answer in responses] == [200] * 5 + [400]
    assert [answer.headers["x-request-id"] for answer in responses[:5]] == ids


def test_too_many_requests_ahead_are_not_kept(api: Api) -> None:
    """A connection cannot make the server store requests without limit."""
    responses = exchange(api.server, request(method="GET", target=LIVE) * 500)

    assert [answer.status for answer in responses] == [200] * (len(responses) - 1) + [400]
    assert len(responses) < 500


def test_requests_after_the_last_one_are_ignored(api: Api) -> None:
    """After `Connection: close` nothing is answered."""
    assert [answer.status for answer in exchange(api.server, GET + GET)] == [200]


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.2"])
def test_an_upgrade_is_ignored(api: Api, protocol: str) -> None:
    """A request for another protocol is answered in HTTP/1.1, with its body, and so is the next request."""
    body = cell("0.2")
    upgrade = [f"Upgrade: {protocol}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"]
    own = [f"Authorization: {api.headers['Authorization']}", "Content-Type: application/json"]

    responses = exchange(api.server, request(*upgrade, *own, f"Content-Length: {len(body)}", body=body) + GET)

    assert [answer.status for answer in responses] == [200, 200]
    assert json.loads(responses[0].body)["predictions"] == ["setosa"]


UPGRADE = "Connection: upgrade\r\nUpgrade: h2c"
UPGRADES = {
    "no Host": (f"GET {LIVE} HTTP/1.1\r\n{UPGRADE}\r\n\r\n".encode(), "the request has no Host header"),
    "no path": (request(UPGRADE, method="GET", target=LIVE + "#top"), "the target must be a path"),
    "another version": (request(UPGRADE, method="GET", target=LIVE).replace(b"1.1", b"2.0", 1), "the version must be"),
    "a bad chunk": (request(UPGRADE, CHUNKED, target=LIVE, body=b"zz\r\n"), "the request is not valid HTTP/1.1"),
    "two lengths": (request(UPGRADE, "Content-Length: 1", CHUNKED, body=END), "the request is not valid HTTP/1.1"),
}


@pytest.mark.parametrize(("sent", "reason"), UPGRADES.values(), ids=UPGRADES)
def test_an_invalid_upgrade_is_refused_with_its_reason(api: Api, sent: bytes, reason: str) -> None:
    """The response names what is wrong with the request, and no internal error is logged."""
    before = api.server.log.read_text().count("request failed")

    [answer] = exchange(api.server, sent)

    assert answer.status == 400
    assert answer.problem["detail"].startswith(reason)
    assert api.server.line(answer.headers["x-request-id"])["status"] == 400
    assert api.server.log.read_text().count("request failed") == before


@pytest.mark.parametrize("behind", [b"\0\0\0\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], ids=["rubbish", "HTTP/2"])
def test_data_of_another_protocol_is_refused(api: Api, behind: bytes) -> None:
    """The request is answered, and data of another protocol after it is a malformed request."""
    before = api.server.log.read_text().count("request failed")

    answered, refused = exchange(api.server, request(UPGRADE, method="GET", target=LIVE) + behind)

    assert (answered.status, refused.status) == (200, 400)
    assert api.server.line(refused.headers["x-request-id"])["status"] == 400
    assert api.server.log.read_text().count("request failed") == before


@pytest.mark.parametrize("line", ["Host: sepal", "A: b"])
@pytest.mark.parametrize("alive", ["upgrade", "upgrade, keep-alive"])
def test_an_upgrade_changes_nothing_of_a_request_in_http_1_0(api: Api, line: str, alive: str) -> None:
    """It needs no Host, is answered, and the connection is closed."""
    sent = f"GET {LIVE} HTTP/1.0\r\n{line}\r\nConnection: {alive}\r\nUpgrade: h2c\r\n\r\n".encode()

    [answer] = exchange(api.server, sent + GET)

    assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_a_stream_is_not_for_http_1_0(api: Api) -> None:
    """Without chunks a truncated response looks complete, so a CSV is refused; responses with a length are sent."""
    sent = request(f"Authorization: {api.headers['Authorization']}", "Content-Type: text/csv", "Content-Length: 0")
    [refused] = exchange(api.server, sent.replace(b"predict HTTP/1.1", b"predict/csv HTTP/1.0"))
    [answered] = exchange(api.server, GET.replace(b"1.1", b"1.0", 1))

    assert (refused.status, refused.problem["type"]) == (426, "/problems/http-too-old")
    assert (refused.headers["upgrade"], refused.headers["connection"]) == ("HTTP/1.1", "upgrade, close")
    assert "transfer-encoding" not in refused.headers
    assert (answered.status, "content-length" in answered.headers) == (200, True)


def test_a_client_that_waits_for_100_gets_it(api: Api) -> None:
    """100 is sent once the body is needed; other expectations are ignored."""
    body = cell("0.2")
    lines = [f"Authorization: {api.headers['Authorization']}", "Content-Type: application/json", "Connection: close"]
    with connect(api.server.port) as client:
        client.sendall(request(*lines, "Expect: 100-continue", f"Content-Length: {len(body)}"))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        [asked] = answers(until_closed(client))

    [passed] = exchange(api.server, request(*lines, "Expect: tea", f"Content-Length: {len(body)}", body=body))

    assert asked.body == passed.body
    assert asked.status == 200


def test_a_refused_client_that_waits_for_100_is_disconnected(api: Api) -> None:
    """The body may or may not follow, so the connection is closed and nothing is read as the next request."""
    responses = exchange(api.server, request("Expect: 100-continue", f"Content-Length: {len(GET) + 1}") + GET)

    assert [answer.status for answer in responses] == [401]


def test_a_large_body_is_refused_before_it_is_read(api: Api) -> None:
    """A length over the limit is 413 at once, and the connection is closed."""
    head = [f"Authorization: {api.headers['Authorization']}", "Content-Type: application/json"]

    [answer] = exchange(api.server, request(*head, f"Content-Length: {10 * 2**30}"))

    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_a_stream_without_end_is_refused_where_it_crosses_the_limit(api: Api) -> None:
    """Chunks of 10 GiB are 413 after 4 MiB, take no memory, and the connection is closed if the client continues."""
    head = [f"Authorization: {api.headers['Authorization']}", "Content-Type: application/json", CHUNKED]
    chunk = b"10000\r\n" + b" " * 2**16 + b"\r\n"
    before, sent = api.server.memory_mib(), 0
    with connect(api.server.port) as client:
        client.sendall(request(*head))
        while sent < 2**30 and _push(client, chunk):
            sent += len(chunk)

    assert sent < 2**30
    assert api.server.memory_mib(peak=True) - before < 16
    assert api.predict([ROW]).status_code == 200


def test_an_early_response_keeps_the_connection_usable(api: Api) -> None:
    """A small body that is not needed is discarded, and the next request on the connection is answered."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{api.server.port}") as client:
        refused = client.post("/api/v1/predict", content=GET * 100)

        assert refused.status_code == 401
        assert client.get(LIVE, headers=api.headers).json() == {"status": "ok", "detail": ""}


def test_a_complete_response_is_not_logged_as_cut(api: Api) -> None:
    """A client that continues with invalid data is disconnected, and only incomplete responses are logged as cut."""
    before = api.server.log.read_text().count("answer cut short")
    with connect(api.server.port) as client:
        client.sendall(request(CHUNKED))
        assert client.recv(2**16).startswith(b"HTTP/1.1 401")
        client.sendall(b"zz\r\n")
        with pytest.raises(ConnectionResetError):
            until_closed(client)

    assert api.server.log.read_text().count("answer cut short") == before


def test_a_client_that_sends_before_reading_gets_the_refusal(api: Api) -> None:
    """A client that sends 32 MiB before it reads gets the refusal and the end of the connection."""
    answer = api.server.client.post("/api/v1/predict/csv", content=b"x" * 2**25)

    assert (answer.status_code, answer.headers["connection"]) == (401, "close")


@pytest.fixture(scope="module")
def impatient(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server with timeouts of two seconds and at most 100 connections."""
    state = tmp_path_factory.mktemp("state")
    env = environment(artifacts=store, state=state, log_format="json", max_connections=100)
    short = dict.fromkeys(("headers_s", "body_grace_s", "reader_s", "keep_alive_s"), 2)
    with Server(tuned_server.tuned(env, timeouts=short), command=tuned_server.COMMAND) as running:
        yield Api(running, running.bearer())


@pytest.fixture
def hold(impatient: Api) -> Iterator[Callable[..., socket.socket]]:
    """Open connections that last until the test ends."""
    with ExitStack() as held:
        yield lambda **how: held.enter_context(connect(impatient.server.port, **how))


def test_slow_clients_are_disconnected(impatient: Api, hold: Callable[..., socket.socket]) -> None:
    """Slow headers and bodies are 408, idle and unread connections are closed, and others are unaffected."""
    csv = [f"Authorization: {impatient.headers['Authorization']}", "Content-Type: text/csv"]
    upload = partial(request, *csv, target="/api/v1/predict/csv")
    large = table(*[LINE] * 400_000)
    readers = [hold(receive_bytes=4096) for _ in range(2)]
    heads, bodies, idle = ([hold() for _ in range(15)] for _ in range(3))
    steady = hold()
    for client in readers:
        client.sendall(upload(f"Content-Length: {len(large)}", body=large))
    for client in heads:
        client.sendall(b"GET /")
    for client in bodies:
        client.sendall(upload("Content-Length: 100"))
    steady.sendall(upload("Connection: close", "Content-Length: 16000"))
    started = time.monotonic()
    for half_second in range(1, 9):
        assert impatient.predict([ROW]).status_code == 200
        for client in heads + bodies:
            _push(client, b"a")
        steady.sendall(b" " * 2000)
        time.sleep(max(0.0, started + half_second / 2 - time.monotonic()))

    assert {answers(until_closed(client))[0].status for client in heads + bodies} == {408}
    assert [until_closed(client) for client in idle] == [b""] * 15
    assert [answer.status for answer in answers(until_closed(steady))] == [422]
    for client in readers:
        with pytest.raises(ConnectionResetError):
            until_closed(client)
    assert time.monotonic() - started < 12
    cut = [line for line in impatient.server.lines if "answer cut short" in line]
    assert [json.loads(line)["reason"] for line in cut] == ["the client does not read it"] * len(readers)


def test_a_slow_reader_gets_the_whole_response(impatient: Api, hold: Callable[..., socket.socket]) -> None:
    """A client that reads slowly is not disconnected, although the system accepts no more data meanwhile."""
    large = table(*[LINE] * 200_000)
    own = [f"Authorization: {impatient.headers['Authorization']}", "Content-Type: text/csv", "Connection: close"]
    reader = hold(receive_bytes=2**16)
    reader.sendall(request(*own, f"Content-Length: {len(large)}", target="/api/v1/predict/csv", body=large))
    came = b""
    for _ in range(20):
        came = came[-5:] + reader.recv(2**14)
        time.sleep(0.25)
    came = came[-5:] + until_closed(reader)

    assert came.endswith(b"\r\n" + END)


def _push(client: socket.socket, piece: bytes) -> bool:
    """Send, unless the server has closed the connection."""
    try:
        client.sendall(piece)
    except OSError:
        return False
    return True


def test_a_timeout_is_logged_once(impatient: Api) -> None:
    """A request that timed out has one log line, with the status of the response."""
    own = [f"Authorization: {impatient.headers['Authorization']}", "Content-Type: application/json"]

    [answer] = exchange(impatient.server, request(*own, "X-Request-ID: slow-body", "Content-Length: 5"))

    assert (answer.status, answer.problem["type"]) == (408, "/problems/too-slow")
    assert impatient.server.line("slow-body")["status"] == 408


def test_one_connection_too_many_is_503(impatient: Api, hold: Callable[..., socket.socket]) -> None:
    """While all connections are busy, a new one gets 503 at once; later ones are accepted when there is room."""
    impatient.server.client.close()
    own = [f"Authorization: {impatient.headers['Authorization']}", "Content-Type: application/json"]
    held = [hold() for _ in range(100)]
    for client in held:
        client.sendall(request(*own, "Expect: 100-continue", "Content-Length: 100"))
    assert {client.recv(100) for client in held} == {b"HTTP/1.1 100 Continue\r\n\r\n"}

    [answer] = answers(until_closed(hold()))
    for client in held:
        client.close()

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.problem["type"] == "/problems/too-many-connections"
    impatient.server.client = httpx2.Client(base_url=f"http://127.0.0.1:{impatient.server.port}", timeout=30)
    impatient.server.await_answer()


def test_idle_connections_are_closed_for_new_ones(impatient: Api, hold: Callable[..., socket.socket]) -> None:
    """If all connections are held open and idle, the one that is idle for longest is closed for a new one."""
    impatient.server.client.close()
    idle = [hold() for _ in range(100)]

    responses = [exchange(impatient.server, GET)[0].status for _ in range(3)]

    assert responses == [200] * 3
    assert until_closed(idle[0]) == b""
    impatient.server.client = httpx2.Client(base_url=f"http://127.0.0.1:{impatient.server.port}", timeout=30)
