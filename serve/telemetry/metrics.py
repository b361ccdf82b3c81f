"""Prometheus metrics, summed over all workers."""

import asyncio
import os
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# prometheus_client reads this variable when it is imported; `python -m serve run` sets it for its workers.
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Requests are counted together, at most this long after the first of them.
SETTLE_S = 0.1
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All metrics of the server; a test compares them with docs/operations.md."""

    def __init__(self, *, settle_s: float = SETTLE_S) -> None:
        self._settle_s = settle_s
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry, multiprocess_mode="livesum")
        version = ("model", "version")
        self.requests = counter("sepal_requests", "Requests answered.", ("method", "route", "status"))
        self.latency = Histogram(
            "sepal_request_duration_seconds",
            "Time from the first byte of a request to the last byte of its response.",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.in_progress = gauge("sepal_requests_in_progress", "Requests in progress.")
        self.predictions = counter("sepal_predictions", "Rows predicted.", version)
        self.calls = counter("sepal_model_calls", "Calls of a model.", version)
        failed = "Calls of a model that failed, or returned no valid prediction for a row."
        self.model_errors = counter("sepal_model_errors", failed, version)
        overdue = "Threads in a call of a model that has passed its deadline and not returned."
        self.threads_overdue = gauge("sepal_model_threads_overdue", overdue)
        self.cache_hits = counter("sepal_cache_hits", "Rows answered from the cache.", version)
        self.cache_misses = counter("sepal_cache_misses", "Rows of a cached model that were not in the cache.", version)
        self.load_failures = counter("sepal_model_load_failures", "Versions that could not be loaded.", ("model",))
        self.key_failures = counter("sepal_key_renewal_failures", "Failed renewals of keys.", ("source",))
        self.revocation_failures = counter("sepal_revocation_failures", "Failed polls for revocations.")
        differing = "Versions loaded although other versions of libraries fitted them."
        self.version_mismatches = counter("sepal_model_version_mismatches", differing, ("model",))
        dropped = "Predictions that an observer has missed, because it lagged or failed."
        self.observations_dropped = counter("sepal_observations_dropped", dropped, ("observer",))
        self._running = 0
        self._ended: dict[tuple[str, str, int], tuple[Counter, Histogram, list[float]]] = {}
        self._is_due = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """Count a request that begins."""
        self._running += 1
        if not self._is_due:
            self._settle_soon()

    def end(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count a request that ends."""
        self._running -= 1
        series = self._ended.get((method, route, status))
        if series is None:
            series = self.requests.labels(method, route, str(status)), self.latency.labels(method, route), []
            self._ended[method, route, status] = series
        series[2].append(took_s)
        if not self._is_due:
            self._settle_soon()

    def settle(self) -> None:
        """Update the metrics with all requests since the last time, which takes the lock of each series only once."""
        self._is_due = False
        self.in_progress.set(self._running)
        for counted, timed, times in self._ended.values():
            if times:
                counted.inc(len(times))
                for took_s in times:
                    timed.observe(took_s)
                times.clear()

    def _settle_soon(self) -> None:
        self._is_due = True
        # asyncio.get_running_loop() is a system call, and its result is always the same.
        self._loop = self._loop or asyncio.get_running_loop()
        self._loop.call_later(self._settle_s, self.settle)

    def render(self) -> bytes:
        """Return the metrics of all workers as Prometheus text."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self.registry)
        _drop_ended(Path(os.environ[MULTIPROCESS]))
        all_workers = CollectorRegistry()
        MultiProcessCollector(all_workers)
        return generate_latest(all_workers)


def forget_process() -> None:
    """Remove this process's gauges from the sums; its counters stay."""
    if MULTIPROCESS in os.environ:
        mark_process_dead(os.getpid())


def _drop_ended(folder: Path) -> None:
    """Remove the gauges of workers that were killed."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid)
