"""Rows that arrive together are predicted together: dynamic batching, without a timer."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Generic, TypeAlias, TypeVar, cast

from serve.errors import DeadlineExceeded, Overloaded
from serve.inference.threads import ModelThreads

# What may keep the event loop from everybody else: a call that takes longer runs in a thread.
_QUICK_S = 0.001
# Rows of several requests that are predicted in one call.
CALL_ROWS = 1024


CallT = TypeVar("CallT")
AnswerT = TypeVar("AnswerT")


# One call that waits: the call, its answer, how many rows, until when. A tuple is made faster than anything with names.
_Job: TypeAlias = tuple[CallT, asyncio.Future[AnswerT], int, float]


class Batcher(Generic[CallT, AnswerT]):
    """
    The queue of one version of a model.

    A request that meets an idle model is predicted at once, or where the last ones came in numbers, at the end of this
    turn of the event loop; those that arrive while the model is at work wait for it to end. All that wait are predicted
    in one call. Belongs to one event loop.
    """

    def __init__(
        self,
        together: Callable[[list[CallT]], Sequence[AnswerT | None]],
        alone: Callable[[CallT], AnswerT],
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
            together: Answers several calls at once; None for one that must be answered alone.
            alone: Answers one call, in a thread.
            model: Whose calls they are.
            threads: Where calls run that may take longer than a moment.
            loop_rows: Calls with more rows never run on the event loop.
            call_rows: Rows of one call; a request that has more is a call of its own.
            queue_rows: Rows that may be in here at once, those that are being predicted included.
            deadline_s: How long a request may take from here on.
            clock: Tells how long calls take.
        """
        self._together = together
        self._alone = alone
        self._model = model
        self._threads = threads
        self._loop_rows = loop_rows
        self._call_rows = call_rows
        self._queue_rows = queue_rows
        self._deadline_s = deadline_s
        self._clock = clock
        self._queue: deque[_Job[CallT, AnswerT]] = deque()
        self._waiting = 0
        self._rows = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_awake = False
        self._is_crowded = False
        self._is_in_thread = False
        # How many rows were last seen to take less than a moment. Nothing is known of a new model: it begins in a
        # thread, as does one that is too slow for a single row.
        self._quick_rows = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_quick(self) -> bool:
        """Whether an answer comes before anybody could think of giving up."""
        return self._quick_rows > 0

    def submit(self, call: CallT, size: int) -> "asyncio.Future[AnswerT]":
        """
        Answer a call with so many rows, together with others that wait.

        The answer fails with DeadlineExceeded when it is too late. A caller that no longer wants it cancels it, and
        rows that still wait are not predicted.

        Raises:
            Overloaded: Too many rows are waiting.
        """
        # To ask which loop runs is a system call, and it is always the same.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        self._admit(size)
        answer: asyncio.Future[AnswerT] = loop.create_future()
        until = loop.time() + self._deadline_s
        job = call, answer, size, until
        is_awake, self._is_awake = self._is_awake, True
        if not is_awake:
            loop.call_soon(self._run)
            # Where requests come one by one, waiting for others would only delay this one.
            if not self._is_crowded and size <= self._quick_rows:
                self._deliver([job], self._ask([job]))
                return answer
        self._queue.append(job)
        self._waiting += size
        if self._is_in_thread:
            _set_alarm(answer, until)
        return answer

    def _admit(self, rows: int) -> None:
        # However large, one request may always be in here.
        if self._rows and self._rows + rows > self._queue_rows:
            raise Overloaded
        self._rows += rows

    def _run(self) -> None:
        """One turn: what waits is predicted here if that is quick, else in a thread."""
        if not self._queue:
            self._is_awake = self._is_crowded = self._is_in_thread = False
            return
        if self._waiting > self._quick_rows and self._coming() > self._quick_rows:
            if not self._is_in_thread:
                for _, answer, _, until in self._queue:
                    _set_alarm(answer, until)
            self._is_in_thread = True
            self._start(self._run_in_thread())
            return
        self._is_in_thread = False
        jobs = self._take()
        self._is_crowded = len(jobs) > 1
        if jobs:
            self._deliver(jobs, self._ask(jobs))
        self._go_on()

    async def _run_in_thread(self) -> None:
        slot = await self._threads.acquire(self._model)
        # Only now is it known who still waits, and who has come meanwhile.
        jobs = self._take()
        self._is_crowded = len(jobs) > 1
        if not jobs:
            slot.release()
        else:
            try:
                self._deliver(jobs, await slot.run(partial(self._ask, jobs), deadline_s=self._deadline_s))
            except DeadlineExceeded:
                # The call keeps its thread, and the requests that came meanwhile get another.
                self._give_up(jobs)
        self._go_on()

    async def _run_alone(self, job: _Job[CallT, AnswerT]) -> None:
        call, answer, size, until = job
        _set_alarm(answer, until)
        try:
            slot = await self._threads.acquire(self._model)
            if answer.done():
                slot.release()
                return
            result = await slot.run(partial(self._alone, call), deadline_s=self._deadline_s)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to the caller
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(result)
        finally:
            self._rows -= size

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        # The loop itself would forget it.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _go_on(self) -> None:
        self._is_awake = bool(self._queue)
        if self._is_awake and self._loop:
            self._loop.call_soon(self._run)

    def _coming(self) -> int:
        """Rows of the next call."""
        rows = 0
        for _, _, size, _ in self._queue:
            if rows and rows + size > self._call_rows:
                break
            rows += size
        return rows

    def _take(self) -> list[_Job[CallT, AnswerT]]:
        """The next requests, as many as one call may have; those that nobody waits for are left out."""
        taken: list[_Job[CallT, AnswerT]] = []
        rows, now = 0, self._loop.time() if self._loop else 0.0
        while self._queue and (not taken or rows + self._queue[0][2] <= self._call_rows):
            job = self._queue.popleft()
            _, answer, size, until = job
            self._waiting -= size
            if until <= now:
                _expire(answer)
            if answer.done():
                self._rows -= size
                continue
            taken.append(job)
            rows += size
        return taken

    def _ask(self, jobs: list[_Job[CallT, AnswerT]]) -> Sequence[AnswerT | None]:
        started = self._clock()
        try:
            answers = self._together([call for call, _, _, _ in jobs])
        except Exception:  # noqa: BLE001  # each is answered alone, and meets the error again
            answers = [None] * len(jobs)
        self._learn(sum(size for _, _, size, _ in jobs), self._clock() - started)
        return answers

    def _learn(self, rows: int, took_s: float) -> None:
        """How many rows are quick: half of what was not, what was, and twice what was so by far."""
        if took_s > _QUICK_S:
            self._quick_rows = min(self._quick_rows, rows // 2)
        else:
            quick = rows if took_s > _QUICK_S / 2 else 2 * rows
            self._quick_rows = max(self._quick_rows, min(quick, self._loop_rows))

    def _deliver(self, jobs: list[_Job[CallT, AnswerT]], answers: Sequence[AnswerT | None]) -> None:
        for job, answer in zip(jobs, answers, strict=True):
            if answer is None and not job[1].done():
                self._start(self._run_alone(job))
                continue
            self._rows -= job[2]
            if not job[1].done():
                job[1].set_result(cast(AnswerT, answer))

    def _give_up(self, jobs: list[_Job[CallT, AnswerT]]) -> None:
        for _, waiting, size, _ in jobs:
            self._rows -= size
            _expire(waiting)


def _set_alarm(answer: "asyncio.Future[Any]", until: float) -> None:
    timer = asyncio.get_running_loop().call_at(until, _expire, answer)
    answer.add_done_callback(lambda _: timer.cancel())


def _expire(answer: "asyncio.Future[Any]") -> None:
    if not answer.done():
        answer.set_exception(DeadlineExceeded())
