"""What happens after a prediction, without delaying or failing it."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from artifacts import Predictions
from serve.inference.registry import LoadedModel
from serve.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from serve.inference.service import Call

# Observations that wait for one observer at most; more are dropped and counted.
WAITING = 10_000
# Observations are handed over together, at most this long after the first of them.
HANDOVER_S = 0.1
# How often a flush looks whether its observations were handed over.
_POLL_S = 0.001

_log = structlog.get_logger("serve.observers")


class Observation(NamedTuple):
    """
    One call of a model, for the rows of one caller or of several.

    Attributes:
        rows, valid: How many rows were to be predicted, and how many were.
        calls: Whose rows they are; empty where no observer needs them.
        predictions: Of each call; None where it is predicted again by a call of its own.
        took_s: How long all of it took.
        cached: Rows that the cache had, so that the model was not called for them; None without a cache.
    """

    model: LoadedModel
    rows: int
    valid: int
    took_s: float
    calls: Sequence["Call"] = ()
    predictions: Sequence[Predictions | None] = ()
    cached: int | None = None


class Observer(Protocol):
    """
    Is given what happened since the last time, in a thread of its own.

    Attributes:
        needs_calls: Whether it looks at calls and predictions. To keep them for a moment takes time, too.
    """

    name: str
    needs_calls: bool

    def observe(self, events: Sequence[Observation]) -> None:
        """Take note of predictions that were handed over."""


class MetricsObserver:
    """Counts the rows that were predicted, and the calls of models."""

    name = "metrics"
    needs_calls = False

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def observe(self, events: Sequence[Observation]) -> None:
        """Add up all events, then count once for each version."""
        sums: dict[int, list[int]] = {}
        models: dict[int, LoadedModel] = {}
        for event in events:
            key = id(event.model)
            counts = sums.get(key)
            if counts is None:
                counts, models[key] = sums.setdefault(key, [0, 0, 0, 0]), event.model
            counts[0] += event.valid
            counts[1] += 1
            if event.cached is not None:
                counts[2] += event.cached
                counts[3] += event.rows - event.cached
        metrics = self._metrics
        for key, counts in sums.items():
            labels = models[key].name, str(models[key].version)
            for metric, amount in zip(
                (metrics.predictions, metrics.calls, metrics.cache_hits, metrics.cache_misses), counts, strict=True
            ):
                metric.labels(*labels).inc(amount)


class Observers:
    """
    Hands observations to every observer.

    A thread gathers what is added for a moment, then gives it to the thread of each observer, so that one that raises
    or lags delays neither a prediction nor another observer. What does not fit into an observer's queue is dropped and
    counted, as is what it raises for.
    """

    def __init__(
        self,
        observers: Sequence[Observer] = (),
        *,
        on_dropped: Callable[[str, int], object] = lambda _observer, _events: None,
        waiting: int = WAITING,
        handover_s: float = HANDOVER_S,
    ) -> None:
        """
        Prepare the queues; the threads are started with the first observation.

        Args:
            observers: In any order.
            on_dropped: Called with an observer's name and how many observations it has missed.
            waiting: Observations that wait for an observer at most.
            handover_s: How long observations are gathered before they are handed over.
        """
        self._keeps_calls = any(observer.needs_calls for observer in observers)
        self._lanes = [_Lane(observer, partial(on_dropped, observer.name), waiting) for observer in observers]
        self._handover_s = handover_s
        self._events: deque[Observation] = deque()
        self._wanted = Event()
        self._handing_over = Lock()
        self._thread: Thread | None = None
        # Whether nothing was added since the last time, so that the thread waits to be woken.
        self._is_idle = True
        self._woken = SimpleQueue[bool]()

    def add(
        self,
        model: LoadedModel,
        calls: Sequence["Call"],
        predictions: Sequence[Predictions | None],
        took_s: float,
        *,
        rows: int,
        valid: int,
        cached: int | None = None,
    ) -> None:
        """Queue an observation for every observer; any thread may call this."""
        if not self._keeps_calls:
            calls = predictions = ()
        self._events.append(Observation(model, rows, valid, took_s, calls, predictions, cached))
        if self._is_idle:
            self._wake()

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until every observer has seen what was added before; False if one takes longer than the timeout."""
        deadline = monotonic() + timeout_s
        self._wanted.set()
        while self._events and monotonic() < deadline:
            sleep(_POLL_S)
        # What the thread has taken, it has also handed over.
        with self._handing_over:
            seen = [lane.mark() for lane in self._lanes]
        # Each is waited for, also after one that is late.
        return min((each.wait(max(0.0, deadline - monotonic())) for each in seen), default=True)

    def close(self) -> None:
        """End the threads; one that lags does not hold up the process."""
        self._woken.put(False)

    def _wake(self) -> None:
        self._is_idle = False
        if self._thread is None:
            self._thread = Thread(target=self._run, name="observers", daemon=True)
            self._thread.start()
        self._woken.put(True)

    def _run(self) -> None:
        while self._woken.get():
            # More are added meanwhile, unless someone waits for these.
            self._wanted.wait(self._handover_s)
            self._wanted.clear()
            # What is added from here on wakes this thread again.
            self._is_idle = True
            with self._handing_over:
                events = [self._events.popleft() for _ in range(len(self._events))]
                for lane in self._lanes:
                    lane.put(events)
        for lane in self._lanes:
            lane.close()


class _Lane:
    """The queue and the thread of one observer."""

    def __init__(self, observer: Observer, on_dropped: Callable[[int], object], waiting: int) -> None:
        self._observer = observer
        self._on_dropped = on_dropped
        self._waiting = waiting
        self._pending = 0
        self._queue = SimpleQueue[Sequence[Observation] | Event | None]()
        self._thread: Thread | None = None

    def put(self, events: Sequence[Observation]) -> None:
        fitting = events[: max(0, self._waiting - self._pending)]
        if len(fitting) < len(events):
            self._on_dropped(len(events) - len(fitting))
        if not fitting:
            return
        self._pending += len(fitting)
        if self._thread is None:
            self._thread = Thread(target=self._run, name=f"observer {self._observer.name}", daemon=True)
            self._thread.start()
        self._queue.put(fitting)

    def mark(self) -> Event:
        """Return what is set once the observer has seen all that is in its queue now."""
        seen = Event()
        if self._thread is None:
            seen.set()
        self._queue.put(seen)
        return seen

    def close(self) -> None:
        self._queue.put(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Event):
                item.set()
                continue
            try:
                self._observer.observe(item)
            except Exception as error:  # noqa: BLE001  # an observer never fails a prediction
                self._on_dropped(len(item))
                kind = type(error).__name__
                _log.error("observer failed", observer=self._observer.name, error=kind, observations=len(item))
            # A lost update would only let a few more or fewer wait.
            self._pending = max(0, self._pending - len(item))
