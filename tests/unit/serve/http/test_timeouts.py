"""How long clients are waited for, second by second."""

import asyncio
from dataclasses import dataclass, field

import pytest

from serve.http.timeouts import LINGER_S, ConnectionReaper, Phase, Seen, Timeouts

TIMEOUTS = Timeouts(headers_s=10, body_bytes_s=1024, body_grace_s=5, reader_s=20, keep_alive_s=15)


@dataclass(eq=False)
class Client:
    """A connection that tells what it is told to, and remembers what became of it."""

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


def looks_until_done(client: Client, *, most: int = 100, received_each: int = 0) -> int:
    """How often this client is looked at before something is done about it; `most` if nothing is."""
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
def test_nobody_is_waited_for_longer_than_that(kind: str, seconds: float, done: str) -> None:
    """Each stretch has its time, counted from the first look at it."""
    client = Client(Phase(kind, "it"))

    assert looks_until_done(client) == seconds
    assert client.done == [done]


def test_our_own_turn_takes_as_long_as_it_takes() -> None:
    """While the server works, the client is not slow."""
    assert looks_until_done(Client(Phase("response", "it"))) == 100


@pytest.mark.parametrize(("received_each", "looks"), [(1024, 100), (5000, 100), (512, 11), (1, 6)])
def test_a_body_that_comes_steadily_is_not_cut(received_each: int, looks: int) -> None:
    """At 1 KiB a second it may take for ever; below that, it uses up its grace."""
    assert looks_until_done(Client(Phase("body", "it")), received_each=received_each) == looks


def test_a_quick_beginning_does_not_pay_for_a_slow_rest() -> None:
    """However much came at first, a body that stops has its grace and no more."""
    reaper, seen, client = ConnectionReaper(TIMEOUTS), Seen(), Client(Phase("body", "it"))
    reaper.check([(client, seen)])
    client.phase = Phase("body", "it", 2**30)

    assert not client.done
    for _ in range(6):
        reaper.check([(client, seen)])
        client.phase = Phase("body", "it", 2**30)
    reaper.check([(client, seen)])
    assert client.done


def test_the_next_request_has_its_own_time() -> None:
    """Time is counted by request, not by connection."""
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
def test_a_reader_that_never_reads_is_let_go(unsent: list[int], is_cut_off: bool) -> None:
    """Only who takes nothing at all for 20 seconds is cut off."""
    reaper, seen, client = ConnectionReaper(TIMEOUTS), Seen(), Client(Phase("response", "it"))
    for client.unsent in unsent:
        reaper.check([(client, seen)])

    assert ("cut off" in client.done) == is_cut_off


@pytest.mark.parametrize(("pace", "is_cut_off"), [(1, False), (19, False), (25, True)])
def test_a_reader_is_judged_by_what_it_has_taken(pace: int, is_cut_off: bool) -> None:
    """While something arrives every now and then, it does not matter that the system takes no more from us."""
    reaper, seen, client = ConnectionReaper(TIMEOUTS), Seen(), Client(Phase("response", "it"), unsent=100)
    for second in range(60):
        client.taken = second // pace
        reaper.check([(client, seen)])

    assert ("cut off" in client.done) == is_cut_off


def test_the_connection_that_has_been_idle_for_longest_is_spare() -> None:
    """Who has a request or is still sent something is not; among equals the oldest goes first, and none twice."""
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
