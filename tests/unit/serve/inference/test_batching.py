"""The queue of a model: which requests share a call, which are refused, and that each gets its own result."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import anyio
import pytest

from serve.errors import DeadlineExceeded, Overloaded
from serve.inference.batching import Batcher
from serve.inference.threads import ModelThreads

Rows = list[list[int]]


class Model:
    """
    A model that doubles the first value of each row.

    It returns None for a request with a row -1 in a joint call, raises for a request with a row -2, and waits while it
    is blocked.
    """

    def __init__(self) -> None:
        self.calls: list[list[Rows]] = []
        self.threads: list[bool] = []
        self._may_continue = threading.Event()
        self._may_continue.set()
        self.is_called = threading.Event()
        self.alone_calls: list[Rows] = []
        self.alone_may_continue = threading.Event()
        self.alone_may_continue.set()

    def alone(self, rows: Rows) -> list[int]:
        """Predict one request."""
        self.alone_calls.append(rows)
        assert self.alone_may_continue.wait(20)
        if [-2] in rows:
            raise ValueError("minus two")
        return [2 * row[0] for row in rows]

    def __call__(self, requests: list[Rows]) -> list[list[int] | None]:
        self.calls.append(requests)
        self.threads.append(threading.current_thread() is not threading.main_thread())
        self.is_called.set()
        assert self._may_continue.wait(20)
        if any([-2] in rows for rows in requests):
            raise ValueError("minus two")
        return [None if [-1] in rows else [2 * row[0] for row in rows] for rows in requests]

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Block all calls."""
        self._may_continue.clear()
        self.is_called.clear()
        try:
            yield
        finally:
            self._may_continue.set()

    async def until_called(self) -> None:
        """Wait until a call has begun."""
        assert await asyncio.to_thread(self.is_called.wait, 20)


Ready = tuple[Model, Batcher[Rows, list[int]]]


def submit(batcher: Batcher[Rows, list[int]], rows: Rows) -> "asyncio.Future[list[int]]":
    """Submit rows."""
    return batcher.submit(rows, len(rows))


def ready(
    test: Callable[[Model, Batcher[Rows, list[int]]], Awaitable[None]], *, quick: bool, **limits: Any
) -> Coroutine[Any, Any, None]:
    """Run a test on a new queue of a model whose calls take no time, or of one whose calls take a second."""
    model, ticks = Model(), count()
    clock = (lambda: 0.0) if quick else (lambda: float(next(ticks)))
    given: dict[str, Any] = {"call_rows": 100, "queue_rows": 1000, "deadline_s": 20.0, "clock": clock, "model": "m"}
    given |= {"loop_rows": 10**6, **limits}

    async def run() -> None:
        batcher = Batcher[Rows, list[int]](
            model, model.alone, threads=ModelThreads(2, deadline_s=given["deadline_s"]), **given
        )
        while quick and not batcher._is_concurrent:
            await asyncio.gather(*(submit(batcher, [[0]]) for _ in range(3)))
        model.calls.clear()
        model.threads.clear()
        with anyio.fail_after(30):
            await test(model, batcher)

    return run()


def test_concurrent_requests_share_a_call() -> None:
    """Requests of one iteration of the loop are one call, and each gets the results of its own rows, in order."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        while len(model.calls) < 8:
            # Every call doubles the number of quick rows.
            await asyncio.gather(*(submit(batcher, [[number]] * 3) for number in range(6)))
        model.calls.clear()

        answers = await asyncio.gather(*(submit(batcher, [[number], [number + 1]]) for number in range(5)))

        assert answers == [[2 * number, 2 * number + 2] for number in range(5)]
        assert [len(call) for call in model.calls] == [5]
        assert model.threads[-1] is False

    asyncio.run(ready(test, quick=True))


def test_an_idle_model_is_called_at_once() -> None:
    """The first request does not wait; others of the same iteration of the loop are predicted together at its end."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        await submit(batcher, [[0]])
        answers = [submit(batcher, [[number]]) for number in (1, 2, 3)]

        assert [answer.done() for answer in answers] == [True, False, False]
        assert await asyncio.gather(*answers) == [[2], [4], [6]]
        assert [len(call) for call in model.calls] == [1, 1, 2]
        assert model.threads == [False] * 3

    asyncio.run(ready(test, quick=True))


@pytest.mark.parametrize("quick", [True, False])
def test_the_rows_of_a_call_are_bounded(quick: bool) -> None:
    """Requests are never split: a call ends before the request that would be too many, and a large one is alone."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        sizes = [2, 3, 1, 9, 4]
        answers = await asyncio.gather(*(submit(batcher, [[size]] * size) for size in sizes))

        assert [len(answer or ()) for answer in answers] == sizes
        assert [[len(rows) for rows in call] for call in model.calls] == [[2, 3], [1], [9], [4]]

    asyncio.run(ready(test, quick=quick, call_rows=5))


def test_a_long_queue_of_quick_calls_stays_on_the_loop() -> None:
    """The number of rows of the next call decides, not the number of rows that wait."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        await asyncio.gather(*(submit(batcher, [[1]] * 5) for _ in range(4)))
        model.threads.clear()
        await asyncio.gather(*(submit(batcher, [[1]] * 5) for _ in range(40)))

        assert model.threads == [False] * 40

    asyncio.run(ready(test, quick=True, call_rows=5))


def test_requests_that_arrive_during_a_call_are_the_next_call() -> None:
    """One call runs at a time, in a thread; requests that arrive meanwhile are predicted together."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        with model.blocked():
            first = submit(batcher, [[1]])
            await model.until_called()
            others = [submit(batcher, [[number]]) for number in (2, 3, 4)]
            await asyncio.sleep(0)

            assert len(model.calls) == 1

        assert await asyncio.gather(first, *others) == [[2], [4], [6], [8]]
        assert [len(call) for call in model.calls] == [1, 3]
        assert model.threads[0] is True

    asyncio.run(ready(test, quick=False))


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("bad", [-1, -2], ids=["no result", "an exception"])
def test_a_request_never_gets_the_error_of_another(quick: bool, bad: int) -> None:
    """A request without a result is predicted alone, and if the whole call raises, each request is."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        calls = (submit(batcher, [[number]]) for number in (1, bad, 3))
        first, other, third = await asyncio.gather(*calls, return_exceptions=True)

        assert (first, third) == ([2], [6])
        assert other == [-2] if bad == -1 else isinstance(other, ValueError)
        assert [[bad]] in model.alone_calls
        assert await submit(batcher, [[5]]) == [10]

    asyncio.run(ready(test, quick=quick))


def test_a_cancelled_request_is_not_predicted() -> None:
    """A request that is cancelled while it waits is skipped; the result of one that is being predicted is dropped."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        with model.blocked():
            first = submit(batcher, [[1]])
            await model.until_called()
            second, third = submit(batcher, [[2]]), submit(batcher, [[3]])
            first.cancel()
            second.cancel()

        assert await third == [6]
        assert model.calls == [[[[1]]], [[[3]]]]
        assert first.cancelled()

    asyncio.run(ready(test, quick=False))


def test_a_full_queue_refuses_requests() -> None:
    """Rows beyond the limit are refused at once, and accepted again as soon as there is room."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        with model.blocked():
            waiting = [submit(batcher, [[1]] * 4)]
            await model.until_called()
            waiting.append(submit(batcher, [[1]] * 6))
            with pytest.raises(Overloaded):
                submit(batcher, [[1]])
        await asyncio.gather(*waiting)

        assert await submit(batcher, [[1]] * 10) == [2] * 10
        assert await submit(batcher, [[-1]] * 10) == [-2] * 10
        assert await submit(batcher, [[1]] * 99) == [2] * 99

    asyncio.run(ready(test, quick=False, queue_rows=10))


def test_requests_fail_at_their_deadline() -> None:
    """Requests in the call and in the queue get the same error, and the queue is free again."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        with model.blocked():
            first = submit(batcher, [[1]])
            await model.until_called()
            second = submit(batcher, [[2]])
            errors = await asyncio.gather(first, second, return_exceptions=True)

        assert [type(error) for error in errors] == [DeadlineExceeded] * 2
        while batcher._tasks:
            await asyncio.wait(batcher._tasks)
        assert await submit(batcher, [[4]] * 10) == [8] * 10
        assert [[[2]]] not in model.calls

    asyncio.run(ready(test, quick=False, deadline_s=0.2, queue_rows=10))


def test_requests_that_wait_for_a_thread_fail_at_their_deadline() -> None:
    """A separate call that is overdue before it has a thread is never started."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        model.alone_may_continue.clear()
        calls = [submit(batcher, [[-1], [number]]) for number in (1, 2, 3)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        model.alone_may_continue.set()

        assert [type(error) for error in errors] == [DeadlineExceeded] * 3
        assert await submit(batcher, [[-1]]) == [-2]
        # The first two started at once, each in its own thread.
        assert sorted(model.alone_calls[:2]) == [[[-1], [1]], [[-1], [2]]]
        assert model.alone_calls[2:] == [[[-1]]]

    asyncio.run(ready(test, quick=True, deadline_s=0.5))


def test_a_separate_call_delays_no_other_request() -> None:
    """While one request is predicted alone, others are predicted."""

    async def test(model: Model, batcher: Batcher[Rows, list[int]]) -> None:
        model.alone_may_continue.clear()
        alone = submit(batcher, [[-1]])

        assert await submit(batcher, [[1]]) == [2]
        assert not alone.done()
        model.alone_may_continue.set()
        assert await alone == [-2]

    asyncio.run(ready(test, quick=True))


def test_the_number_of_quick_rows_adapts() -> None:
    """After a slow call, calls of its size run in threads; quick calls bring them back to the loop."""
    model = Model()
    batcher: Batcher[Rows, list[int]] = Batcher(
        model,
        model.alone,
        model="m",
        threads=ModelThreads(1, deadline_s=1),
        loop_rows=100,
        call_rows=100,
        queue_rows=100,
        deadline_s=1,
    )

    seen = []
    for rows, took_s in [(1, 0.0001), (64, 0.0003), (64, 0.0008), (64, 0.002), (1, 0.05), (1, 0.0008), (1, 0.0001)]:
        batcher._adapt(rows, took_s)
        seen.append(batcher._quick_rows)

    assert seen == [2, 100, 100, 32, 0, 1, 2]
