"""How long a call takes, and what is the quickest for how many rows."""

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from artifacts.runtimes import Runtime
from artifacts.runtimes.sklearn_runtime import SKLEARN
from artifacts.signature import Table

SIZES = (1, 64, 1_000, 100_000)
_SEED = 0
# What a second program must gain before a server is to keep two, and scikit-learn before one is to unpickle as well.
_WORTH = 1.25
_WORTH_UNPICKLING = 2.0
# The rounds of a measurement, how long each goes on at least, and from where on a size is not measured any more.
_ROUNDS = 3
_ROUND_S = 0.01
_LONGEST_S = 3.0
# Nor is a size measured that takes more memory than so many values.
_MOST_CELLS = 4_000_000
# What takes longer is measured once only.
_ONCE_S = 0.1


def measure(runtimes: Mapping[str, Runtime], table: Table, *, columns: int) -> dict[str, dict[int, float]]:
    """
    How long one call takes with so many rows, in microseconds: the least of three rounds, taken in turn.

    One thread each, as a server has it; a size that would take too long, or too much memory, is left out.
    """
    draw = np.random.default_rng(_SEED)
    times: dict[str, dict[int, float]] = {name: {} for name in runtimes}
    for size in (size for size in SIZES if size == 1 or size * columns <= _MOST_CELLS):
        rows = table[draw.integers(len(table), size=size)]
        for turn in range(_ROUNDS):
            # Noise is a small part of what takes long, which is measured once.
            longest_s = _ONCE_S if turn else _LONGEST_S
            asked = {name: each for name, each in runtimes.items() if _expected_s(times[name], size) < longest_s}
            for name, runtime in asked.items():
                took = _timed(runtime, rows)
                times[name][size] = round(min(took, times[name].get(size, took)), 2)
    return times


def _expected_s(times: Mapping[int, float], size: int) -> float:
    """How long a call should take, from that with fewer rows: no longer than in proportion."""
    last = max(times, default=0)
    return times[last] / 1e6 * size / last if last else 0.0


def _timed(runtime: Runtime, rows: Table) -> float:
    start, calls = perf_counter(), 0
    while not calls or perf_counter() - start < _ROUND_S:
        runtime.predict(rows, probabilities=True)
        calls += 1
    return (perf_counter() - start) / calls * 1e6


def choose(times: Mapping[str, Mapping[int, float]]) -> dict[int, str]:
    """For each size the quickest; another one than before, or scikit-learn itself, only where that is worth it."""
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
