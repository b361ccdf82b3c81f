"""Measure how long a call takes, and choose the fastest runtime for each number of rows."""

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from artifacts.runtimes import Runtime
from artifacts.runtimes.sklearn_runtime import SKLEARN
from artifacts.signature import Table

SIZES = (1, 64, 1_000, 100_000)
_SEED = 0
# How much faster a second program must be, so that a server keeps two; and scikit-learn, so that one unpickles too.
_WORTH = 1.25
_WORTH_UNPICKLING = 2.0
# The rounds of a measurement, how long each takes at least, and from which duration on a size is not measured.
_ROUNDS = 3
_ROUND_S = 0.01
_LONGEST_S = 3.0
# A size with more values is not measured either, because of its memory.
_MOST_CELLS = 4_000_000
# A call that takes longer is measured only once.
_ONCE_S = 0.1


def measure(runtimes: Mapping[str, Runtime], table: Table, *, columns: int) -> dict[str, dict[int, float]]:
    """
    Return how long one call takes by number of rows, in microseconds: the least of three interleaved rounds.

    Sizes that would take too long, or too much memory, are left out.
    """
    draw = np.random.default_rng(_SEED)
    times: dict[str, dict[int, float]] = {name: {} for name in runtimes}
    for size in (size for size in SIZES if size == 1 or size * columns <= _MOST_CELLS):
        rows = table[draw.integers(len(table), size=size)]
        for turn in range(_ROUNDS):
            # Noise is a small part of a long call, which is measured once.
            longest_s = _ONCE_S if turn else _LONGEST_S
            timed = {name: each for name, each in runtimes.items() if _expected_s(times[name], size) < longest_s}
            for name, runtime in timed.items():
                took = _timed(runtime, rows)
                times[name][size] = round(min(took, times[name].get(size, took)), 2)
    return times


def _expected_s(times: Mapping[int, float], size: int) -> float:
    """Extrapolate how long a call takes at most from one with fewer rows."""
    last = max(times, default=0)
    return times[last] / 1e6 * size / last if last else 0.0


def _timed(runtime: Runtime, rows: Table) -> float:
    start, calls = perf_counter(), 0
    while not calls or perf_counter() - start < _ROUND_S:
        runtime.predict(rows, probabilities=True)
        calls += 1
    return (perf_counter() - start) / calls * 1e6


def choose(times: Mapping[str, Mapping[int, float]]) -> dict[int, str]:
    """Choose the fastest for each size; change the program, or use scikit-learn itself, only for a clear gain."""
    programs = [name for name in times if name != SKLEARN]
    if not programs:
        return {1: SKLEARN}
    choice: dict[int, str] = {}
    kept = ""
    for size in SIZES:
        took = {name: known[size] for name, known in times.items() if size in known}
        if not took:
            continue
        best = min((name for name in took if name != SKLEARN), key=took.__getitem__, default=SKLEARN)
        if SKLEARN in took and took[SKLEARN] * _WORTH_UNPICKLING < took[best]:
            best = SKLEARN
        kept = kept if kept in took and took[kept] < took[best] * _WORTH else best
        choice[size] = kept
    return choice
