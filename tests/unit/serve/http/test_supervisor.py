"""The supervisor: pauses between restarts, and listening sockets; tests/http/test_processes.py starts its processes."""

import socket
import time

import pytest

from serve.http.supervisor import _Place, bind


class Ended:
    """A worker that ended this many seconds after its start."""

    def __init__(self, lived_s: float) -> None:
        self.began = time.monotonic() - lived_s


def test_repeated_crashes_lengthen_the_pause() -> None:
    """The pause doubles up to half a minute; a worker that ran for a while is replaced at once."""
    place = _Place()

    pauses = [place.leave(Ended(1)) for _ in range(8)]  # type: ignore[arg-type]  # all that is needed of a worker

    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30]
    assert place.leave(Ended(60)) == 0  # type: ignore[arg-type]  # the same


def test_all_addresses_of_a_host_share_a_port() -> None:
    """For port 0 the system chooses one port for all addresses, and each socket listens."""
    listeners = bind("localhost", 0)
    ports = {listener.getsockname()[1] for listener in listeners}

    for listener in listeners:
        with socket.create_connection(listener.getsockname()[:2], timeout=5):
            listener.close()
    assert len(ports) == 1
    assert ports != {0}


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_foreign_address_is_refused(host: str) -> None:
    """An address of another machine and an unknown name are errors."""
    with pytest.raises(OSError):  # noqa: PT011  # the system words it
        bind(host, 0)


def test_a_taken_port_is_refused() -> None:
    """A second server on the same port does not start, and no socket stays open."""
    [listener] = bind("127.0.0.1", 0)
    with listener, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", listener.getsockname()[1])
