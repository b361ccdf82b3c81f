"""One connection: how it refuses, answers in one step and closes, with a transport in memory."""

import re
import socket
import struct
from typing import Any

import pytest
from structlog.testing import capture_logs

from serve.errors import TooManyConnections, TooSlow
from serve.http import protocol
from serve.http.wire import CONNECTION
from tests.support.connections import BOUNDS, Client, connected

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
HALF = HEAD % 10 + b"12345"


def resets(transport: Any) -> bool:
    """Return whether closing discards what the system still has to send."""
    linger = transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    return bool(struct.unpack("ii", linger) == (1, 0))


@pytest.mark.parametrize(
    ("sent", "kind", "received"),
    [
        ([], "idle", 0),
        ([GET], "idle", 0),
        ([GET[:10]], "headers", 0),
        ([HEAD % 10, b"12345"], "body", 5),
        ([b"\0"], "lingering", 0),
    ],
)
def test_the_phase_is_that_of_the_request(sent: list[bytes], kind: str, received: int) -> None:
    """A refused connection lingers, and of a body the received bytes are counted."""

    async def test(client: Client) -> tuple[str, int]:
        await client.send(*sent)
        phase = client.protocol.phase
        return phase.kind, phase.received

    assert connected(test) == (kind, received)


@pytest.mark.parametrize(
    "sent", [[GET], [HEAD % 100_000, b"x" * 70_000], [b"\0"]], ids=["at work", "reading is paused", "refused"]
)
def test_a_response_that_is_due_is_a_phase(sent: list[bytes]) -> None:
    """The client is not blamed while the server is at work."""

    async def test(client: Client) -> str:
        client.app.go.clear()
        await client.send(*sent)
        return client.protocol.phase.kind

    assert connected(test) == "response"


def test_more_connections_than_allowed_are_refused() -> None:
    """The response says so, and the connections that have requests in flight are served."""

    async def test(client: Client) -> list[bytes]:
        client.app.go.clear()
        others: list[Client] = []
        for _ in range(BOUNDS.connections):
            await (client, *others)[-1].send(GET)
            others.append(Client(client.app, neighbour=client))
        client.app.go.set()
        for each in (client, *others):
            await each.settle()
        for each in others:
            each.protocol.connection_lost(None)
            each.transport.socket.close()
        return [each.written for each in (client, *others)]

    *served, refused = connected(test)

    assert all(each.startswith(b"HTTP/1.1 200") for each in served)
    assert str(TooManyConnections()).encode() in refused


def test_a_new_connection_replaces_an_idle_one() -> None:
    """The one that has been idle for longest is closed."""

    async def test(client: Client) -> tuple[list[str], bytes]:
        await client.send(GET)
        others = [Client(client.app, neighbour=client) for _ in range(BOUNDS.connections)]
        written = await others[-1].send(GET)
        for each in others:
            each.protocol.connection_lost(None)
            each.transport.socket.close()
        return client.events, written

    events, written = connected(test)

    assert events == ["close"]
    assert written.startswith(b"HTTP/1.1 200")


def test_a_whole_response_is_written_in_one_step_with_the_default_headers() -> None:
    """It is complete afterwards, and cannot be written twice."""

    async def test(client: Client) -> tuple[bool, bool]:
        client.state.default_headers = [(b"server", b"sepal")]
        client.app.go.clear()
        await client.send(GET)
        scope = client.app.scopes[0]
        first, second = (scope[CONNECTION].write_whole(scope, b"content-length: 2\r\n", b"ok") for _ in range(2))
        assert client.written == b"HTTP/1.1 200 OK\r\nserver: sepal\r\ncontent-length: 2\r\n\r\nok"
        client.protocol.cycle.disconnected = True
        return first, second

    assert connected(test) == (True, False)


@pytest.mark.parametrize("reason", ["another request", "an incomplete body", "closing", "a full buffer"])
def test_a_response_that_may_have_to_wait_is_not_written_in_one_step(reason: str) -> None:
    """Nothing is written then, and uvicorn's `send` has to."""

    async def test(client: Client) -> tuple[bool, bytes]:
        client.app.go.clear()
        await client.send(HALF if reason == "an incomplete body" else GET)
        if reason == "closing":
            client.protocol.shutdown()
        if reason == "a full buffer":
            client.protocol.pause_writing()
        scope = {} if reason == "another request" else client.app.scopes[0]
        done = client.protocol.write_whole(scope, b"", b""), client.written
        client.protocol.resume_writing()
        return done

    assert connected(test) == (False, b"")


@pytest.mark.parametrize(("length", "will_close"), [(10, False), (2**20 + 5, False), (2**20 + 6, True)])
def test_a_response_says_close_if_too_much_of_the_body_is_missing(length: int, will_close: bool) -> None:
    """Up to one MiB is discarded so that the connection can be used again."""

    async def test(client: Client) -> tuple[bool, bool]:
        client.app.go.clear()
        await client.send(HEAD % length, b"12345")
        return client.protocol.will_close(client.app.scopes[0]), client.protocol.will_close({})

    assert connected(test) == (will_close, False)


def test_a_complete_request_does_not_close_the_connection() -> None:
    """Nothing of it is missing."""

    async def test(client: Client) -> bool:
        client.app.go.clear()
        await client.send(GET)
        return client.protocol.will_close(client.app.scopes[0])

    assert connected(test) is False


def test_an_unread_body_that_is_too_large_closes_the_connection_after_the_response() -> None:
    """Its end is sent first, and the rest is discarded, since a reset would destroy the response."""

    async def test(client: Client) -> list[str]:
        await client.send(HEAD % 2**24)
        for _ in range(17):
            await client.send(b"x" * 2**16)
        return client.events

    assert connected(test, is_early=True) == ["eof"]


def test_a_client_that_sends_without_end_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a certain size is not discarded."""
    monkeypatch.setattr(protocol, "UNWANTED_AT_THE_END_BYTES", 2**12)

    async def test(client: Client) -> tuple[list[str], bool]:
        await client.send(b"\0")
        await client.send(b"x" * 2**12)
        assert "abort" not in client.events
        await client.send(b"x")
        return client.events, resets(client.transport)

    events, is_reset = connected(test)

    assert events == ["eof", "abort"]
    assert is_reset


def test_an_announced_body_that_may_not_come_closes_the_connection() -> None:
    """Whether a client that expected a 100 sends its body after another response is unknown."""
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"

    async def test(client: Client) -> list[str]:
        await client.send(head)
        return client.events

    assert connected(test, is_early=True) == ["eof"]


@pytest.mark.parametrize("sent", [[], [GET]])
def test_shutdown_closes_an_idle_connection(sent: list[bytes]) -> None:
    """There is nothing to wait for."""

    async def test(client: Client) -> list[str]:
        await client.send(*sent)
        client.protocol.shutdown()
        client.protocol.close()
        return client.events

    assert connected(test) == ["close"]


def test_shutdown_finishes_the_request_in_flight() -> None:
    """Its response says that the connection closes."""

    async def test(client: Client) -> tuple[list[str], bytes]:
        client.app.go.clear()
        await client.send(GET)
        client.protocol.shutdown()
        assert client.events == []
        client.app.go.set()
        await client.settle()
        return client.events, client.written

    events, written = connected(test)

    assert events == ["close"]
    assert b"connection: close" in written


@pytest.mark.parametrize("sent", [[], [GET[:10]], [HALF]], ids=["nothing", "headers", "body"])
def test_a_slow_request_is_refused(sent: list[bytes]) -> None:
    """The app answers it, whether it has seen the head or not, and further input is ignored."""

    async def test(client: Client) -> tuple[list[type], bytes]:
        await client.send(*sent)
        client.protocol.time_out()
        await client.settle()
        client.protocol.time_out()
        written = await client.send(GET)
        return [type(error) for error in client.app.refusals], written

    errors, written = connected(test)

    assert errors == [TooSlow]
    assert written.count(b"HTTP/1.1") == 1
    assert b"connection: close" in written


def test_a_slow_body_cuts_off_a_response_that_has_begun() -> None:
    """The client must not take it for a complete one; the log has the reason."""

    async def test(client: Client) -> tuple[list[str], bool]:
        await client.send(HALF)
        client.protocol.time_out()
        return client.events, resets(client.transport)

    with capture_logs() as lines:
        events, is_reset = connected(test, starts_first=True)

    assert (events, is_reset) == (["abort"], True)
    assert [(line["event"], line["reason"]) for line in lines] == [("answer cut short", str(TooSlow()))]


def test_a_slow_body_after_its_response_is_reset() -> None:
    """There is nothing left to answer."""

    async def test(client: Client) -> list[str]:
        await client.send(HALF)
        client.protocol.time_out()
        return client.events

    assert connected(test, is_early=True) == ["abort"]


def test_a_refusal_waits_for_the_responses_before_it() -> None:
    """It is the last one of the connection."""

    async def test(client: Client) -> bytes:
        client.app.go.clear()
        await client.send(GET + b"\0")
        client.app.go.set()
        await client.settle()
        return client.written

    written = connected(test)

    assert re.findall(rb"HTTP/1.1 (\d+) ", written) == [b"200", b"400"]
    assert written.count(b"connection: close") == 1


def test_a_response_that_is_not_read_is_cut_off() -> None:
    """What the system still has to send is discarded."""

    async def test(client: Client) -> tuple[list[str], bool]:
        client.app.go.clear()
        await client.send(GET)
        client.transport.unsent = 7
        assert (client.protocol.unsent, client.protocol.taken) == (7, 0)
        client.protocol.cut_off()
        return client.events, resets(client.transport)

    with capture_logs() as lines:
        events, is_reset = connected(test)

    assert (events, is_reset) == (["abort"], True)
    assert lines[0]["reason"] == "the client does not read it"


def test_a_lost_connection_disconnects_the_requests_that_wait() -> None:
    """They are not passed to the app once the request before them is done."""

    async def test(client: Client) -> tuple[bool, int, int]:
        client.app.go.clear()
        await client.send(GET + GET)
        [(waiting, _)] = client.protocol.pipeline
        client.protocol.connection_lost(None)
        client.app.go.set()
        await client.settle()
        return waiting.disconnected, len(client.app.scopes), len(client.state.connections)

    assert connected(test) == (True, 1, 0)


def test_a_lost_connection_disconnects_the_running_request_before_others() -> None:
    """The request that runs while others wait learns it too, and its response is not written."""

    async def test(client: Client) -> bytes:
        client.app.go.clear()
        await client.send(GET + GET)
        client.protocol.connection_lost(None)
        client.app.go.set()
        await client.settle()
        return client.written

    assert connected(test) == b""


def test_a_lost_connection_disconnects_its_request() -> None:
    """The app learns it when it reads the body, and nothing is written."""

    async def test(client: Client) -> tuple[bytes, bool]:
        await client.send(HALF)
        client.protocol.connection_lost(ConnectionResetError())
        await client.settle()
        return client.written, client.protocol.cycle.disconnected

    assert connected(test) == (b"", True)
