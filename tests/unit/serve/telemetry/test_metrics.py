"""Metrics: counted once per turn of the event loop, and summed over workers."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from serve.telemetry.metrics import MULTIPROCESS, Metrics, forget_process
from tests.support.server import ROOT

WORKER = """
import asyncio, sys
from serve.telemetry.metrics import Metrics
async def run():
    metrics = Metrics()
    metrics.begin()
    metrics.begin()
    metrics.end("GET", "/", 200, 0.1)
    metrics.settle()
asyncio.run(run())
"""


def test_requests_are_counted_together() -> None:
    """Requests are counted with their status and duration, once `settle_s` have passed since the first."""

    async def run() -> str:
        metrics = Metrics(settle_s=0)
        for status in (200, 200, 404):
            metrics.begin()
            metrics.end("GET", "/models", status, 0.002)
        metrics.begin()
        for _ in range(3):
            await asyncio.sleep(0)
        return metrics.render().decode()

    text = asyncio.run(run())

    assert 'sepal_requests_total{method="GET",route="/models",status="200"} 2.0' in text
    assert 'sepal_request_duration_seconds_count{method="GET",route="/models"} 3.0' in text
    assert "sepal_requests_in_progress 1.0" in text


def test_workers_are_summed_and_ended_ones_have_no_gauges(tmp_path: Path) -> None:
    """The counters of a worker that was killed stay, and its requests in progress do not."""
    env = {**os.environ, MULTIPROCESS: str(tmp_path)}
    render = "from serve.telemetry.metrics import *; print(Metrics().render().decode())"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WORKER], cwd=ROOT, env=env, check=True)

    ended = subprocess.run(
        [sys.executable, "-c", render], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )

    assert 'sepal_requests_total{method="GET",route="/",status="200"} 2.0' in ended.stdout
    assert "sepal_requests_in_progress 2.0" not in ended.stdout


def test_one_process_has_nothing_to_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without several workers there are no files of gauges."""
    monkeypatch.delenv(MULTIPROCESS, raising=False)

    forget_process()
