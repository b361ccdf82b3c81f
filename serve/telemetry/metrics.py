"""Prometheus metrics that are right with several workers."""

import asyncio
import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# prometheus_client reads this variable when it is imported; workers are started with it by `python -m serve run`.
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Requests are counted together, at most this long after the first of them.
SETTLE_S = 0.1
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Every metric of the server; docs/operations.md lists the same, by test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "sepal_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.latency = Histogram(
            "sepal_request_duration_seconds",
            "Time from a request's first byte to its last answer's byte.",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "sepal_requests_in_progress",
            "Requests that are being answered.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.predictions = Counter("sepal_predictions", "Rows predicted.", ("model", "version"), registry=self.registry)
        self.calls = Counter("sepal_model_calls", "Calls of a model.", ("model", "version"), registry=self.registry)
        self.model_errors = Counter(
            "sepal_model_errors",
            "Calls of a model that failed, or returned no valid prediction for a row.",
            ("model", "version"),
            registry=self.registry,
        )
        self.threads_overdue = Gauge(
            "sepal_model_threads_overdue",
            "Threads in a call of a model that has passed its deadline and not returned.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.cache_hits = Counter(
            "sepal_cache_hits", "Rows whose answer was remembered.", ("model", "version"), registry=self.registry
        )
        self.cache_misses = Counter(
            "sepal_cache_misses", "Rows that a cached model was asked.", ("model", "version"), registry=self.registry
        )
        self.load_failures = Counter(
            "sepal_model_load_failures", "Versions that could not be loaded.", ("model",), registry=self.registry
        )
        self.key_failures = Counter(
            "sepal_key_renewal_failures", "Keys that could not be taken up.", ("source",), registry=self.registry
        )
        self.revocation_failures = Counter(
            "sepal_revocation_failures", "Looks at what others revoked that failed.", registry=self.registry
        )
        self.version_mismatches = Counter(
            "sepal_model_version_mismatches",
            "Versions loaded though other libraries fitted them.",
            ("model",),
            registry=self.registry,
        )

        self.observations_dropped = Counter(
            "sepal_observations_dropped",
            "Predictions that an observer has missed, because it lagged or failed.",
            ("observer",),
            registry=self.registry,
        )

        self._running = 0
        self._answered: dict[tuple[str, str, int], tuple[Counter, Histogram, list[float]]] = {}
        self._is_due = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """One more request is being answered."""
        self._running += 1
        if not self._is_due:
            self._settle_soon()

    def end(self, method: str, route: str, status: int, took_s: float) -> None:
        """One request less: it has been answered."""
        self._running -= 1
        series = self._answered.get((method, route, status))
        if series is None:
            series = self.requests.labels(method, route, str(status)), self.latency.labels(method, route), []
            self._answered[method, route, status] = series
        series[2].append(took_s)
        if not self._is_due:
            self._settle_soon()

    def settle(self) -> None:
        """Count what happened since the last time. Each series has a lock, and taking it for all at once is cheaper."""
        self._is_due = False
        self.in_progress.set(self._running)
        for counted, timed, times in self._answered.values():
            if times:
                counted.inc(len(times))
                for took_s in times:
                    timed.observe(took_s)
                times.clear()

    def _settle_soon(self) -> None:
        self._is_due = True
        # asyncio.get_running_loop() is a system call, and its result is always the same.
        self._loop = self._loop or asyncio.get_running_loop()
        self._loop.call_later(SETTLE_S, self.settle)

    def render(self) -> bytes:
        """Return the Prometheus text of all workers."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self.registry)
        _forget_the_dead(Path(os.environ[MULTIPROCESS]))
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)
        return generate_latest(everyone)


def forget_process() -> None:
    """Take this process's gauges out of the sums; its counters stay."""
    if MULTIPROCESS in os.environ:
        mark_process_dead(os.getpid())


def _forget_the_dead(folder: Path) -> None:
    """Take out the gauges of workers that were killed before they could do it themselves."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid)
