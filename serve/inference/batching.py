"""Dynamic batching without a timer: predict the rows of concurrent requests in one call."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Generic, TypeAlias, TypeVar, cast

from serve.errors import DeadlineExceeded, Overloaded
from serve.inference.threads import ModelThreads

# The longest call that runs on the event loop; a longer one would delay all other requests, and runs in a thread.
_QUICK_S = 0.001
# Rows of several requests that are predicted in one call.
CALL_ROWS = 1024

CallT = TypeVar("CallT")
ResultT = TypeVar("ResultT")


# A waiting call: the call, its result, its number of rows, its deadline. A tuple is created faster than a class.
_Job: TypeAlias = tuple[CallT, asyncio.Future[ResultT], int, float]


class Batcher(Generic[CallT, ResultT]):
    """
    The queue of one version of a model.

    A request is predicted at once if the model is idle, or at the end of this iteration of the event loop if the last
    call had several requests. Requests that arrive during a call wait deadline it ends. All waiting requests are
    predicted in one call. Belongs to one event loop.
    """

    def __init__(
        self,
        predict_jointly: Callable[[list[CallT]], Sequence[ResultT | None]],
        predict_alone: Callable[[CallT], ResultT],
        *,
        model: str,
        threads: ModelThreads,
        loop_rows: int,
        queue_rows: int,
        deadline_s: float,
        call_rows: int = CALL_ROWS,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """
        Prepare a queue.

        Args:
            predict_jointly: Predicts several calls at once; returns None for a call that must be predicted alone.
            predict_alone: Predicts one call, in a thread.
            model: The name of the model.
            threads: Run the calls that take longer than a millisecond.
            loop_rows: Calls with more rows never run on the event loop.
            call_rows: The maximum number of rows of one call; a request with more rows is predicted alone.
            queue_rows: The maximum number of rows in the queue, including those that are being predicted.
            deadline_s: How long a request may take after it was submitted.
            clock: Measures how long calls take, in seconds.
        """
        self._predict_jointly = predict_jointly
        self._predict_alone = predict_alone
        self._model = model
        self._threads = threads
        self._loop_rows = loop_rows
        self._call_rows = call_rows
        self._queue_rows = queue_rows
        self._deadline_s = deadline_s
        self._clock = clock
        self._queue: deque[_Job[CallT, ResultT]] = deque()
        self._waiting = 0
        self._rows = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_scheduled = False
        self._is_concurrent = False
        self._is_in_thread = False
        # How many rows take less than a millisecond, by the last calls. A new model starts in a thread, since nothing
        # is known of it, as does a model that is too slow for a single row.
        self._quick_rows = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_quick(self) -> bool:
        """Whether predictions take less than a millisecond, too short a time for a client to disconnect."""
        return self._quick_rows > 0

    def submit(self, call: CallT, size: int) -> "asyncio.Future[ResultT]":
        """
        Predict a call of `size` rows together with other waiting calls.

        The result fails with DeadlineExceeded after the deadline. If the caller cancels it, rows that still wait are
        not predicted.

        Raises:
            Overloaded: Too many rows are waiting.
        """
        # The loop is kept, since looking up the running one takes a system call.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        self._admit(size)
        future: asyncio.Future[ResultT] = loop.create_future()
        deadline = loop.time() + self._deadline_s
        job = call, future, size, deadline
        is_scheduled, self._is_scheduled = self._is_scheduled, True
        if not is_scheduled:
            loop.call_soon(self._run)
            # While requests come one by one, waiting for others would only delay this one.
            if not self._is_concurrent and size <= self._quick_rows:
                self._deliver([job], self._call([job]))
                return future
        self._queue.append(job)
        self._waiting += size
        if self._is_in_thread:
            _set_deadline(future, deadline)
        return future

    def _admit(self, rows: int) -> None:
        # A single request is always admitted, however large it is.
        if self._rows and self._rows + rows > self._queue_rows:
            raise Overloaded
        self._rows += rows

    def _run(self) -> None:
        """Predict the waiting requests here if that takes less than a millisecond, else in a thread."""
        if not self._queue:
            self._is_scheduled = self._is_concurrent = self._is_in_thread = False
            return
        if self._waiting > self._quick_rows and self._next_rows() > self._quick_rows:
            if not self._is_in_thread:
                for _, future, _, deadline in self._queue:
                    _set_deadline(future, deadline)
            self._is_in_thread = True
            self._start(self._run_in_thread())
            return
        self._is_in_thread = False
        jobs = self._take()
        self._is_concurrent = len(jobs) > 1
        if jobs:
            self._deliver(jobs, self._call(jobs))
        self._schedule_next()

    async def _run_in_thread(self) -> None:
        slot = await self._threads.acquire(self._model)
        # Only now is it known which requests still wait, and which have arrived meanwhile.
        jobs = self._take()
        self._is_concurrent = len(jobs) > 1
        if not jobs:
            slot.release()
        else:
            try:
                self._deliver(jobs, await slot.run(partial(self._call, jobs), deadline_s=self._deadline_s))
            except DeadlineExceeded:
                # The call occupies its thread, and the requests that arrived meanwhile get another one.
                self._expire_all(jobs)
        self._schedule_next()

    async def _run_alone(self, job: _Job[CallT, ResultT]) -> None:
        call, future, size, deadline = job
        _set_deadline(future, deadline)
        try:
            slot = await self._threads.acquire(self._model)
            if future.done():
                slot.release()
                return
            result = await slot.run(partial(self._predict_alone, call), deadline_s=self._deadline_s)
            if not future.done():
                future.set_result(result)
        except Exception as error:  # noqa: BLE001  # the caller gets it, whatever it is
            if not future.done():
                future.set_exception(error)
        finally:
            self._rows -= size

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        # The loop has only a weak reference to it.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _schedule_next(self) -> None:
        self._is_scheduled = bool(self._queue)
        if self._is_scheduled and self._loop:
            self._loop.call_soon(self._run)

    def _next_rows(self) -> int:
        """Return the number of rows of the next call."""
        rows = 0
        for _, _, size, _ in self._queue:
            if rows and rows + size > self._call_rows:
                break
            rows += size
        return rows

    def _take(self) -> list[_Job[CallT, ResultT]]:
        """Remove the requests of the next call from the queue; those that are cancelled or overdue are left out."""
        taken: list[_Job[CallT, ResultT]] = []
        rows, now = 0, self._loop.time() if self._loop else 0.0
        while self._queue and (not taken or rows + self._queue[0][2] <= self._call_rows):
            job = self._queue.popleft()
            _, future, size, deadline = job
            self._waiting -= size
            if deadline <= now:
                _expire(future)
            if future.done():
                self._rows -= size
                continue
            taken.append(job)
            rows += size
        return taken

    def _call(self, jobs: list[_Job[CallT, ResultT]]) -> Sequence[ResultT | None]:
        started = self._clock()
        try:
            results = self._predict_jointly([call for call, _, _, _ in jobs])
        except Exception:  # noqa: BLE001  # each request is predicted alone, and meets its error again
            results = [None] * len(jobs)
        self._adapt(sum(size for _, _, size, _ in jobs), self._clock() - started)
        return results

    def _adapt(self, rows: int, took_s: float) -> None:
        """Adapt the number of quick rows: halve it after a slow call, double it after one in half of the time."""
        if took_s > _QUICK_S:
            self._quick_rows = min(self._quick_rows, rows // 2)
        else:
            quick = rows if took_s > _QUICK_S / 2 else 2 * rows
            self._quick_rows = max(self._quick_rows, min(quick, self._loop_rows))

    def _deliver(self, jobs: list[_Job[CallT, ResultT]], results: Sequence[ResultT | None]) -> None:
        for job, result in zip(jobs, results, strict=True):
            _, future, size, _ = job
            if result is None and not future.done():
                self._start(self._run_alone(job))
                continue
            self._rows -= size
            if not future.done():
                future.set_result(cast(ResultT, result))

    def _expire_all(self, jobs: list[_Job[CallT, ResultT]]) -> None:
        for _, future, size, _ in jobs:
            self._rows -= size
            _expire(future)


def _set_deadline(future: "asyncio.Future[Any]", deadline: float) -> None:
    timer = asyncio.get_running_loop().call_at(deadline, _expire, future)
    future.add_done_callback(lambda _: timer.cancel())


def _expire(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_exception(DeadlineExceeded())
