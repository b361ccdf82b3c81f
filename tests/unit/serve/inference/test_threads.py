"""The threads of models: which model gets one, which waits, and how calls that do not return are handled."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from serve.errors import DeadlineExceeded
from serve.inference.threads import LOST_DEADLINES, ModelThreads, on_loop


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test on a loop of its own, and for a bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that other tasks cause."""
    while not condition():  # noqa: ASYNC110  # threads cause it, and set no event of the loop
        await asyncio.sleep(0.001)


class Calls:
    """Calls that block until they are ended, and the models of those that have started."""

    def __init__(self, limiter: ModelThreads) -> None:
        self.limiter = limiter
        self.started: list[str] = []
        self.tasks: list[asyncio.Task[str]] = []
        self._ends: list[threading.Event] = []

    def start(self, model: str) -> "asyncio.Task[str]":
        """Start another call of a model as soon as it has a thread."""
        end = threading.Event()

        def call() -> str:
            self.started.append(model)
            assert end.wait(20)
            return model

        self._ends.append(end)
        self.tasks.append(asyncio.create_task(self.limiter.run(model, call)))
        return self.tasks[-1]

    def end(self, place: int) -> None:
        """End a call."""
        self._ends[place].set()

    async def finish(self) -> list[Any]:
        """End all calls."""
        for end in self._ends:
            end.set()
        return await asyncio.gather(*self.tasks, return_exceptions=True)


def test_the_only_model_gets_every_thread() -> None:
    """While no other model is loaded, no thread is reserved."""

    async def test() -> None:
        calls = Calls(ModelThreads(4, deadline_s=20))
        for _ in range(6):
            calls.start("slow")
        await until(lambda: len(calls.started) == 4)

        assert await calls.finish() == ["slow"] * 6

    run(test)


@pytest.mark.parametrize(("threads", "most"), [(2, 1), (4, 3), (8, 7)])
def test_a_slow_model_leaves_a_thread_for_others(threads: int, most: int) -> None:
    """While several models are loaded, one gets all threads but one, and another is called at once."""

    async def test() -> None:
        calls = Calls(ModelThreads(threads, deadline_s=20, models=lambda: 2))
        for _ in range(2 * threads):
            calls.start("slow")
        await until(lambda: len(calls.started) == most)

        assert await calls.limiter.run("other", lambda: "at once") == "at once"
        assert calls.started == ["slow"] * most
        await calls.finish()

    run(test)


def test_the_model_with_the_fewest_calls_is_next() -> None:
    """A model whose call waits behind many calls of another does not wait for all of them."""

    async def test() -> None:
        calls = Calls(ModelThreads(3, deadline_s=20, models=lambda: 3))
        for model in ("a", "a", "b", "a", "a", "b", "c"):
            calls.start(model)
        await until(lambda: len(calls.started) == 3)

        calls.end(0)
        await until(lambda: len(calls.started) == 4)

        assert calls.started[3:] == ["c"]
        await calls.finish()
        assert sorted(calls.started) == ["a"] * 4 + ["b"] * 2 + ["c"]

    run(test)


def test_a_call_can_have_a_deadline_of_its_own() -> None:
    """A model that was published with a deadline has that one, shorter or longer than the server's."""

    async def test() -> None:
        hasty, patient, end = ModelThreads(1, deadline_s=0.01), ModelThreads(1, deadline_s=20), threading.Event()

        with pytest.raises(DeadlineExceeded):
            await patient.run("slow", partial(end.wait, 20), deadline_s=0.01)
        end.set()
        await until(lambda: not patient.overdue)

        assert await hasty.run("slow", partial(threading.Event().wait, 0.05), deadline_s=20) is False
        assert not hasty.overdue

    run(test)


def test_an_overdue_call_fails_and_keeps_its_thread_until_it_returns() -> None:
    """Its caller waits no longer than the deadline; the thread counts as overdue until it returns."""

    async def test() -> None:
        counted: list[int] = []
        limiter = ModelThreads(1, deadline_s=0.05, on_overdue=counted.append)
        calls = Calls(limiter)

        with pytest.raises(DeadlineExceeded):
            await calls.start("slow")
        with pytest.raises(DeadlineExceeded):
            await limiter.run("other", lambda: "never", wait_s=0.01)
        assert limiter.overdue == 1
        await calls.finish()
        await until(lambda: not limiter.overdue)

        assert counted == [1, 0]
        assert await limiter.run("other", lambda: "again") == "again"
        assert not limiter.is_exhausted

    run(test)


def test_half_of_the_threads_lost_is_reported_once() -> None:
    """Threads whose calls have not returned after several deadlines are lost; fewer than half are tolerated."""

    async def test() -> None:
        reported: list[str] = []
        limiter = ModelThreads(4, deadline_s=0.02, on_exhausted=lambda: reported.append("exhausted"))
        calls = Calls(limiter)
        calls.start("slow")
        await until(lambda: limiter.overdue == 1)
        await asyncio.sleep(2 * LOST_DEADLINES * 0.02)
        assert reported == []

        calls.start("slow")
        calls.start("slow")
        await until(lambda: limiter.is_exhausted)
        await asyncio.sleep(2 * LOST_DEADLINES * 0.02)

        assert reported == ["exhausted"]
        await calls.finish()

    run(test)


def test_a_cancelled_caller_gets_no_thread() -> None:
    """The thread goes to the next caller, even if this one is cancelled at the moment of its turn."""

    async def test() -> None:
        limiter = ModelThreads(1, deadline_s=20)
        slot = await limiter.acquire("a")
        early, gone, following = (asyncio.create_task(limiter.acquire("a")) for _ in range(3))
        await asyncio.sleep(0)

        early.cancel()
        await asyncio.wait([early])
        slot.release()
        gone.cancel()

        (await following).release()
        assert gone.cancelled()
        assert await limiter.run("b", lambda: "b") == "b"

    run(test)


def test_the_caller_gets_the_exception_of_a_call() -> None:
    """`run` raises it, and the thread is free."""

    async def test() -> None:
        limiter = ModelThreads(1, deadline_s=20)

        with pytest.raises(ZeroDivisionError):
            await limiter.run("a", lambda: 1 // 0)
        assert await limiter.run("a", threading.current_thread) is await limiter.run("b", threading.current_thread)
        assert (await limiter.run("a", threading.current_thread)).daemon
        limiter.close()

    run(test)


def test_a_thread_can_call_a_coroutine_of_the_loop() -> None:
    """The thread waits for the result."""

    async def test() -> None:
        async def double(number: int) -> int:
            assert threading.current_thread() is threading.main_thread()
            return 2 * number

        doubled = on_loop(double)

        assert await ModelThreads(1, deadline_s=20).run("a", lambda: doubled(21)) == 42

    run(test)
