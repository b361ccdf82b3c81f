"""Timeouts of connections, second by second."""

import asyncio
from dataclasses import dataclass, field

import pytest

from serve.http.timeouts import LINGER_S, ConnectionReaper, Phase, Seen, Timeouts

TIMEOUTS = Timeouts(headers_s=10, body_bytes_s=1024, body_grace_s=5, reader_s=20, keep_alive_s=15)


@dataclass(eq=False)
class Client:
    """A connection with a set phase that records how it is ended."""

    phase: Phase
    unsent: int = 0
    taken: int = 0
    done: list[str] = field(default_factory=list)

    def time_out(self) -> None:
        self.done.append("timed out")

    def close(self) -> None:
        self.done.append("closed")

    def cut_off(self) -> None:
        self.done.append("cut off")

    def abort(self) -> None:
        self.done.append("aborted")


def checks_until_done(client: Client, *, most: int = 100, received_each: int = 0) -> int:
    """Return the number of checks until this client is disconnected; `most` if it is not."""
    reaper, seen = ConnectionReaper(TIMEOUTS), Seen()
    for looks in range(most):
        reaper.check([(client, seen)])
        if client.done:
            return looks
        phase = client.phase
        client.phase = Phase(phase.kind, phase.of, phase.received + received_each)
    return most


@pytest.mark.parametrize(
    ("kind", "seconds", "done"),
    [
        ("headers", 10, "timed out"),
        ("body", 6, "timed out"),
        ("idle", 15, "closed"),
        ("lingering", LINGER_S, "aborted"),
    ],
)
def test_each_phase_has_its_timeout(kind: str, seconds: float, done: str) -> None:
    """A phase is timed from the first check that sees it."""
    client = Client(Phase(kind, "it"))

    assert checks_until_done(client) == seconds
    assert client.done == [done]


def test_the_server_has_no_timeout() -> None:
    """While the server works on a response, the client is not disconnected."""
    assert checks_until_done(Client(Phase("response", "it"))) == 100


@pytest.mark.parametrize(("received_each", "looks"), [(1024, 100), (5000, 100), (512, 11), (1, 6)])
def test_a_steady_body_is_accepted(received_each: int, looks: int) -> None:
    """At 1 KiB per second a body may take any time; below that, it uses up its grace period."""
    assert checks_until_done(Client(Phase("body", "it")), received_each=received_each) == looks


def test_a_fast_begin_does_not_extend_the_grace_period() -> None:
    """A body that stops has one grace period, however fast it was before."""
    reaper, seen, client = ConnectionReaper(TIMEOUTS), Seen(), Client(Phase("body", "it"))
    reaper.check([(client, seen)])
    client.phase = Phase("body", "it", 2**30)

    assert not client.done
    for _ in range(6):
        reaper.check([(client, seen)])
        client.phase = Phase("body", "it", 2**30)
    reaper.check([(client, seen)])
    assert client.done


def test_each_request_is_timed_separately() -> None:
    """The time of one request does not count for the next."""
    reaper, seen = ConnectionReaper(TIMEOUTS), Seen()
    client = Client(Phase("headers", object()))
    for _ in range(50):
        client.phase = Phase("headers", object())
        reaper.check([(client, seen)])

    assert not client.done


@pytest.mark.parametrize(
    ("unsent", "is_cut_off"),
    [([100] * 30, True), ([0] * 30, False), ([100 + n for n in range(30)], True), ([100, 90] * 15, False)],
    ids=["takes nothing", "has taken all", "takes nothing, and there is more", "takes something now and then"],
)
def test_a_client_that_never_reads_is_disconnected(unsent: list[int], is_cut_off: bool) -> None:
    """Only a client that reads nothing at all for 20 seconds is disconnected."""
    reaper, seen, client = ConnectionReaper(TIMEOUTS), Seen(), Client(Phase("response", "it"))
    for client.unsent in unsent:
        reaper.check([(client, seen)])

    assert ("cut off" in client.done) == is_cut_off


@pytest.mark.parametrize(("pace", "is_cut_off"), [(1, False), (19, False), (25, True)])
def test_acknowledged_bytes_show_a_slow_reader(pace: int, is_cut_off: bool) -> None:
    """A client that acknowledges some bytes now and then is not disconnected, although the buffer does not shrink."""
    reaper, seen, client = ConnectionReaper(TIMEOUTS), Seen(), Client(Phase("response", "it"), unsent=100)
    for second in range(60):
        client.taken = second // pace
        reaper.check([(client, seen)])

    assert ("cut off" in client.done) == is_cut_off


def test_the_longest_idle_connection_is_spare() -> None:
    """Busy connections are never spare; of equal ones the oldest comes first, and none is returned twice."""
    clients = [Client(Phase(kind, kind)) for kind in ("response", "idle", "body", "idle", "idle", "headers")]
    clients[3].unsent = 1
    reaper, loop = ConnectionReaper(TIMEOUTS, tick_s=0.01), asyncio.new_event_loop()
    reaper.add(clients[4], loop)
    loop.run_until_complete(asyncio.sleep(0.1))
    for client in clients[:4] + clients[5:]:
        reaper.add(client, loop)

    assert reaper.spare() is clients[4]
    clients[4].phase = Phase("headers", "the next")
    assert reaper.spare() is clients[1]
    reaper.remove(clients[1])
    assert reaper.spare() is None
    loop.close()
