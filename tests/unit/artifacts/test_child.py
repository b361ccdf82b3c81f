"""Child processes work on one request after another, and are used again as long as requests succeed."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from artifacts.child import Child, ChildEnded, ChildLate, ChildPool
from tests.support.server import ROOT

# Does what a request says: sleep, end, or reply with facts about itself.
_CHILD = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from artifacts.child import answer_requests

def answer(request):
    while request.get("wait_for") and not os.path.exists(request["wait_for"]):
        time.sleep(0.01)
    if request.get("never"):
        time.sleep(600)
    if "exit" in request:
        os._exit(request["exit"])
    if "signal" in request:
        os.kill(os.getpid(), request["signal"])
    return {"pid": os.getpid(), "folder": os.getcwd(), **request}

answer_requests(int(sys.argv[2]), answer)
"""


def command(descriptor: int) -> Sequence[str]:
    """The command of the child."""
    return [sys.executable, "-c", _CHILD, str(ROOT), str(descriptor)]


@pytest.fixture
def pool() -> Iterator[ChildPool]:
    """An empty pool whose requests do not wait for a busy child."""
    with closing(ChildPool(lambda: Child(command, in_empty_folder=True), wait_s=0)) as pool:
        yield pool


def test_a_child_is_used_again(pool: ChildPool) -> None:
    """Two requests are answered by the same process, in the same empty folder, which is removed with it."""
    first, second = pool.call({}, time_s=60), pool.call({}, time_s=60)

    assert first == second
    assert list(Path(first["folder"]).iterdir()) == []
    pool.close()
    assert not Path(first["folder"]).exists()


def test_a_child_is_started_ahead(pool: ChildPool) -> None:
    """A child that was started before the first request answers it."""
    pool.start()
    [child] = pool._idle.queue

    assert pool.call({}, time_s=60)["pid"] == child._process.pid


def test_a_spoiled_child_is_not_used_again(pool: ChildPool) -> None:
    """After a reply marked as spoiled, which is returned without the mark, the next request gets another process."""
    first, second = pool.call({"spoiled": True}, time_s=60), pool.call({}, time_s=60)

    assert "spoiled" not in first
    assert first["pid"] != second["pid"]


@pytest.mark.parametrize(
    ("request_", "reason"), [({"exit": 7}, "exit code 7"), ({"signal": 9}, "SIGKILL"), ({"signal": 40}, "signal 40")]
)
def test_the_end_of_a_child_is_an_error(pool: ChildPool, request_: dict[str, int], reason: str) -> None:
    """A child that ends during a request is reported with its exit code or signal, and the next request succeeds."""
    with pytest.raises(ChildEnded, match=f"^{reason}$"):
        pool.call(request_, time_s=60)

    assert pool.call({}, time_s=60)["pid"]


def test_a_child_that_takes_too_long_is_killed(pool: ChildPool) -> None:
    """The request ends after its time, and the process with it."""
    pool.start()
    [child] = pool._idle.queue

    with pytest.raises(ChildLate):
        pool.call({"never": True}, time_s=0.1)

    assert child._process.returncode == -9


def test_a_child_that_ended_while_idle_is_replaced(pool: ChildPool) -> None:
    """A request that meets a child that is gone is answered by a new one."""
    first = pool.call({}, time_s=60)
    [child] = pool._idle.queue
    child._kill()

    assert pool.call({}, time_s=60)["pid"] != first["pid"]


def test_a_child_that_does_not_start_is_an_error() -> None:
    """A command that ends at once is not tried again and again."""
    with (
        closing(ChildPool(lambda: Child(lambda _: [sys.executable, "-c", ""]))) as pool,
        pytest.raises(ChildEnded, match="before it read the request"),
    ):
        pool.call({}, time_s=60)


def test_a_request_does_not_wait_for_a_busy_child(pool: ChildPool, tmp_path: Path) -> None:
    """While one child works on a request, another request is answered by another child."""
    pool.start()
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(pool.call, {"wait_for": str(tmp_path / "go")}, time_s=60)
        while not pool._busy:
            assert not slow.done()

        quick = pool.call({}, time_s=60)
        (tmp_path / "go").touch()

    assert quick["pid"] != slow.result()["pid"]


def test_a_fork_does_not_use_the_children_of_its_parent(pool: ChildPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another process the pool is empty, and closing it there ends no child of its owner."""
    first = pool.call({}, time_s=60)
    owner, theirs = os.getpid(), list(pool._idle.queue)

    monkeypatch.setattr(os, "getpid", lambda: owner + 1)
    pool.close()
    assert list(pool._idle.queue) == theirs
    assert pool.call({}, time_s=60)["pid"] != first["pid"]
    pool.close()

    theirs[0].end()
