"""The threads in which models are called: bounded, shared fairly between models, and counted while overdue."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeAlias, TypeVar

from serve.errors import DeadlineExceeded

# A call that has not returned after this many deadlines is expected never to return.
LOST_DEADLINES = 6

P = ParamSpec("P")
T = TypeVar("T")

_Worker: TypeAlias = SimpleQueue[Callable[[], None] | None]
"""The calls of one thread; None ends it."""


def on_loop(call: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make a coroutine function of the running event loop callable from a thread, which waits for the result."""
    loop = asyncio.get_running_loop()

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return asyncio.run_coroutine_threadsafe(call(*args, **kwargs), loop).result()

    return run


class ModelThreads:
    """
    Runs calls of models in a bounded number of threads.

    A call that passes its deadline fails for its caller and occupies its thread until it returns, since Python cannot
    end a thread. While several models are loaded, a model that already has a thread gets another one only if one
    remains free for the other models; of the models that wait, the one with the fewest running calls is next. Belongs
    to one event loop.
    """

    def __init__(
        self,
        threads: int,
        *,
        deadline_s: float,
        models: Callable[[], int] = lambda: 1,
        on_overdue: Callable[[int], object] = lambda _: None,
        on_exhausted: Callable[[], object] = lambda: None,
    ) -> None:
        """
        Prepare; each thread is started when it is first needed.

        Args:
            threads: The maximum number of concurrent calls.
            deadline_s: How long a call may run.
            models: Returns how many models are loaded.
            on_overdue: Called with the number of overdue calls whenever it changes.
            on_exhausted: Called once, when half of the threads are lost.
        """
        self.threads = threads
        self.deadline_s = deadline_s
        self.is_exhausted = False
        self._models = models
        self._on_overdue = on_overdue
        self._on_exhausted = on_exhausted
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._overdue: dict[object, float] = {}
        self._idle: list[_Worker] = []

    @property
    def overdue(self) -> int:
        """The number of calls that have passed their deadline and not returned."""
        return len(self._overdue)

    async def acquire(self, model: str, *, wait_s: float | None = None) -> "Slot":
        """
        Wait until the model may use another thread.

        Raises:
            DeadlineExceeded: No thread was free within `wait_s`.
        """
        if self._may_start(model):
            self._running[model] += 1
            return Slot(self, model)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(model, deque()).append(turn)
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except BaseException as error:
            self._leave(model, turn)
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded from error
            raise
        return Slot(self, model)

    async def run(
        self, model: str, call: Callable[[], T], *, wait_s: float | None = None, deadline_s: float | None = None
    ) -> T:
        """
        Run one call in a thread of the model.

        Raises:
            DeadlineExceeded: No thread was free in time, or the call has not returned in time.
        """
        slot = await self.acquire(model, wait_s=wait_s)
        return await slot.run(call, deadline_s=deadline_s)

    def close(self) -> None:
        """End the idle threads; the others do not keep the process from ending."""
        for worker in self._idle:
            worker.put(None)
        self._idle.clear()

    def _may_start(self, model: str) -> bool:
        free = self.threads - self._running.total()
        return free > (self._running[model] > 0 and self._models() > 1)

    def _leave(self, model: str, turn: "asyncio.Future[None]") -> None:
        """Leave the queue, or release the thread that was assigned at the same moment."""
        if turn.done() and not turn.cancelled():
            self._release(model)
            return
        if turn in self._waiting.get(model, ()):
            self._waiting[model].remove(turn)
            if not self._waiting[model]:
                del self._waiting[model]

    def _release(self, model: str) -> None:
        self._running[model] -= 1
        if not self._running[model]:
            del self._running[model]
        while (next_model := self._next()) is not None:
            turns = self._waiting.pop(next_model)
            turn = turns.popleft()
            if turns:
                # At the end of the dictionary, so that models with equally many calls take turns.
                self._waiting[next_model] = turns
            if not turn.done():
                self._running[next_model] += 1
                turn.set_result(None)

    def _next(self) -> str | None:
        candidates = [model for model in self._waiting if self._may_start(model)]
        return min(candidates, key=self._running.__getitem__, default=None)

    def _start(self, call: Callable[[], T], outcome: "asyncio.Future[T]", model: str, deadline_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        worker = self._idle.pop() if self._idle else _start_worker()
        key = object()
        timer = loop.call_later(deadline_s or self.deadline_s, self._expire, key, outcome)
        context = copy_context()

        def returned(result: Any, error: BaseException | None) -> None:
            timer.cancel()
            self._idle.append(worker)
            if self._overdue.pop(key, None) is not None:
                self._on_overdue(self.overdue)
            self._release(model)
            if outcome.done():
                return
            if error is None:
                outcome.set_result(result)
            else:
                outcome.set_exception(error)

        def work() -> None:
            result, error = None, None
            try:
                result = context.run(call)
            except BaseException as raised:  # noqa: BLE001  # the caller gets it, whatever it is
                error = raised
            try:
                loop.call_soon_threadsafe(returned, result, error)
            except RuntimeError:
                # The process is ending, and no caller waits any longer.
                if not loop.is_closed():
                    raise

        worker.put(work)

    def _expire(self, key: object, outcome: "asyncio.Future[Any]") -> None:
        loop = asyncio.get_running_loop()
        self._overdue[key] = loop.time()
        self._on_overdue(self.overdue)
        loop.call_later((LOST_DEADLINES - 1) * self.deadline_s, self._count_lost)
        if not outcome.done():
            outcome.set_exception(DeadlineExceeded())

    def _count_lost(self) -> None:
        # Slightly less than the delay of the timer, which may fire a little early.
        since = asyncio.get_running_loop().time() - 0.99 * (LOST_DEADLINES - 1) * self.deadline_s
        lost = sum(began <= since for began in self._overdue.values())
        if 2 * lost >= self.threads and not self.is_exhausted:
            self.is_exhausted = True
            self._on_exhausted()


class Slot:
    """The permission to run one call in a thread; use it or release it, once."""

    def __init__(self, limiter: ModelThreads, model: str) -> None:
        self._limiter = limiter
        self._model = model

    async def run(self, call: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """
        Run a call; it occupies the thread until it returns.

        Args:
            call: What to run.
            deadline_s: How long it may take; by default as long as every call of the limiter.

        Raises:
            DeadlineExceeded: The call has not returned in time.
        """
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._limiter._start(call, outcome, self._model, deadline_s)  # noqa: SLF001
        return await outcome

    def release(self) -> None:
        """Return the permission unused."""
        self._limiter._release(self._model)  # noqa: SLF001


def _start_worker() -> _Worker:
    """Start a thread that runs calls one after the other, and does not keep the process from ending."""
    calls = _Worker()
    Thread(target=_run_calls, args=(calls,), name="model", daemon=True).start()
    return calls


def _run_calls(calls: _Worker) -> None:
    while (call := calls.get()) is not None:
        call()
        # The objects of a call are not kept until the next one comes.
        del call
