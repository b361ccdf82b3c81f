"""What happens after a prediction, without delaying or failing it."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic
from typing import NamedTuple, Protocol

import structlog

from artifacts import Predictions
from serve.inference.calls import Call
from serve.inference.registry import LoadedModel
from serve.telemetry.metrics import Metrics

# The maximum number of observations that wait for one observer; more are dropped and counted.
WAITING = 10_000
# An observer gets observations together, at most this long after the first of them.
HANDOVER_S = 0.1

_log = structlog.get_logger("serve.observers")


class Observation(NamedTuple):
    """
    One call of a model, for the rows of one or several callers.

    Attributes:
        rows, valid: How many rows were to be predicted, and how many were.
        calls: The calls that have these rows; empty if no observer needs them.
        predictions: Of each call; None if the call is repeated separately.
        took_s: How long all of it took.
        cached: Rows that were cached, so that the model was not called for them; None without a cache.
    """

    model: LoadedModel
    rows: int
    valid: int
    took_s: float
    calls: Sequence[Call] = ()
    predictions: Sequence[Predictions | None] = ()
    cached: int | None = None


class Observer(Protocol):
    """
    Gets the observations since the last time, in its own thread.

    Attributes:
        needs_calls: Whether it uses calls and predictions. Keeping them for a moment takes time.
    """

    name: str
    needs_calls: bool

    def observe(self, events: Sequence[Observation]) -> None:
        """Process observations."""


class MetricsObserver:
    """Counts the rows that were predicted, and the calls of models."""

    name = "metrics"
    needs_calls = False

    def __init__(self, metrics: Metrics) -> None:
        self._counters = metrics.predictions, metrics.calls, metrics.cache_hits, metrics.cache_misses

    def observe(self, events: Sequence[Observation]) -> None:
        """Add up all events, then increase each counter once for each version."""
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for event in events:
            counts = sums[event.model.name, str(event.model.version)]
            counts[0] += event.valid
            counts[1] += 1
            if event.cached is not None:
                counts[2] += event.cached
                counts[3] += event.rows - event.cached
        for labels, counts in sums.items():
            for counter, amount in zip(self._counters, counts, strict=True):
                counter.labels(*labels).inc(amount)


class Observers:
    """
    Hands observations to every observer.

    Each observer has its own queue and thread, so that one that raises or lags delays neither a prediction nor another
    observer. Observations that do not fit into the queue of an observer, or for which it raises, are counted as
    dropped.
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
            on_dropped: Called with the name of an observer and the number of observations that it has missed.
            waiting: The maximum number of observations that wait for one observer.
            handover_s: How long observations are collected before an observer gets them.
        """
        self._waiting = waiting
        self._keeps_calls = any(observer.needs_calls for observer in observers)
        self._queues = [_Queue(each, partial(on_dropped, each.name), handover_s) for each in observers]

    def add(
        self,
        model: LoadedModel,
        calls: Sequence[Call],
        predictions: Sequence[Predictions | None],
        took_s: float,
        *,
        rows: int,
        valid: int,
        cached: int | None = None,
    ) -> None:
        """Queue an observation for every observer; thread-safe."""
        if not self._keeps_calls:
            calls = predictions = ()
        observation = Observation(model, rows, valid, took_s, calls, predictions, cached)
        for queue in self._queues:
            # Not a method of the queue, whose call would cost more than this.
            if len(queue.events) >= self._waiting:
                queue.on_dropped(1)
                continue
            queue.events.append(observation)
            if queue.is_idle:
                queue.wake()

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until every observer has got what was added before; return False if one takes longer."""
        deadline = monotonic() + timeout_s
        marks = [queue.mark() for queue in self._queues]
        # All are waited for, even if one of them is late.
        return min((mark.wait(max(0.0, deadline - monotonic())) for mark in marks), default=True)

    def close(self) -> None:
        """End the threads; one that lags does not delay the end of the process."""
        for queue in self._queues:
            queue.close()


class _Queue:
    """The queue and the thread of one observer."""

    def __init__(self, observer: Observer, on_dropped: Callable[[int], object], handover_s: float) -> None:
        self._observer = observer
        self.on_dropped = on_dropped
        self._handover_s = handover_s
        self.events: deque[Observation] = deque()
        self._marks: deque[Event] = deque()
        # Whether the thread waits to be woken, since nothing was added after it last took the observations.
        self.is_idle = True
        self._wakeups = SimpleQueue[bool]()
        self._is_flushing = Event()
        self._thread: Thread | None = None
        self._starting = Lock()

    def mark(self) -> Event:
        """Return an event that is set once the observer has got all that is in the queue now."""
        mark = Event()
        self._marks.append(mark)
        self._is_flushing.set()
        self.wake()
        return mark

    def close(self) -> None:
        self._wakeups.put(False)

    def wake(self) -> None:
        self.is_idle = False
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._run, name=f"observer {self._observer.name}", daemon=True)
                self._thread.start()
        self._wakeups.put(True)

    def _run(self) -> None:
        while self._wakeups.get():
            # More are added meanwhile, unless a flush waits for these.
            self._is_flushing.wait(self._handover_s)
            self._is_flushing.clear()
            # What is added from here on wakes this thread again.
            self.is_idle = True
            # Marks first: their observations were added before them.
            marks = [self._marks.popleft() for _ in range(len(self._marks))]
            self._observe([self.events.popleft() for _ in range(len(self.events))])
            for mark in marks:
                mark.set()

    def _observe(self, events: Sequence[Observation]) -> None:
        try:
            if events:
                self._observer.observe(events)
        except Exception as error:  # noqa: BLE001  # an observer never fails a prediction
            self.on_dropped(len(events))
            kind = type(error).__name__
            _log.error("observer failed", observer=self._observer.name, error=kind, observations=len(events))
