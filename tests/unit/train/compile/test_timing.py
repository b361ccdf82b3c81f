"""Measuring runtimes, and choosing the fastest for each number of rows."""

from collections.abc import Mapping

import numpy as np
import pytest

from artifacts.predictions import Predictions
from artifacts.runtimes import Runtime
from artifacts.signature import Table
from train.compile import timing
from train.compile.timing import choose, measure


class Timed:
    """A runtime whose calls advance a clock by some microseconds per row."""

    has_probabilities = False
    program_rows = 0

    def __init__(self, clock: list[float], per_row_us: float) -> None:
        self.calls: list[int] = []
        self._clock = clock
        self._per_row_us = per_row_us

    @property
    def parts(self) -> list[Runtime]:
        """Itself."""
        return [self]

    def predict(self, table: Table, *, probabilities: bool) -> Predictions:
        """Count the call, and let time pass."""
        assert probabilities
        self.calls.append(len(table))
        self._clock[0] += len(table) * self._per_row_us / 1e6
        return Predictions(np.zeros(len(table)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of a clock that only the runtimes advance."""
    now = [0.0]
    monkeypatch.setattr(timing, "perf_counter", lambda: now[0])
    return now


def test_every_size_is_measured(clock: list[float]) -> None:
    """The duration of a call is in microseconds, by number of rows."""
    times = measure({"numpy": Timed(clock, 1000.0)}, np.zeros((5, 2)), columns=2)

    assert times["numpy"] == pytest.approx({1: 1e3, 64: 64e3, 1_000: 1e6})


def test_a_size_that_would_take_too_long_is_left_out(clock: list[float]) -> None:
    """The durations of fewer rows tell how long more rows would take; a long call is measured once."""
    slow, fast = Timed(clock, 100_000.0), Timed(clock, 100.0)

    times = measure({"slow": slow, "fast": fast}, np.zeros((5, 2)), columns=2)

    assert set(times["slow"]) == {1}
    assert set(times["fast"]) == {1, 64, 1_000}
    assert fast.calls.count(1_000) == 1


def test_a_size_that_needs_too_much_memory_is_left_out(clock: list[float]) -> None:
    """A wide table is measured with fewer rows, but always with one."""
    narrow, wide = (
        set(measure({"numpy": Timed(clock, 10.0)}, np.zeros((5, 2)), columns=columns)["numpy"])
        for columns in (10, 10_000_000)
    )

    assert narrow == {1, 64, 1_000, 100_000}
    assert wide == {1}


@pytest.mark.parametrize(
    ("times", "choice"),
    [
        ({"sklearn": {1: 5.0}}, {1: "sklearn"}),
        ({"sklearn": {1: 9.0}, "numpy": {1: 5.0}}, {1: "numpy"}),
        ({"sklearn": {1: 5.0}, "numpy": {1: 9.0}}, {1: "numpy"}),
        ({"sklearn": {1: 4.0}, "numpy": {1: 9.0}}, {1: "sklearn"}),
        ({"sklearn": {1: 9.0, 64: 9.0}, "numpy": {1: 5.0}}, {1: "numpy", 64: "sklearn"}),
        ({"sklearn": {}, "a": {1: 1.0, 64: 5.0}, "b": {1: 2.0, 64: 4.5}}, {1: "a", 64: "a"}),
        ({"sklearn": {}, "a": {1: 1.0, 64: 5.0}, "b": {1: 2.0, 64: 3.0}}, {1: "a", 64: "b"}),
    ],
    ids=["no program", "faster", "not much slower", "much slower", "too slow", "kept", "changed"],
)
def test_the_choice_changes_only_for_a_clear_gain(
    times: Mapping[str, Mapping[int, float]], choice: dict[int, str]
) -> None:
    """A program is kept for more rows unless another is 1.25 times as fast; scikit-learn must be twice as fast."""
    assert choose(times) == choice
