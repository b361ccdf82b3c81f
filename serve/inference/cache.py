"""Rows that were asked before, and what the model said: for models that take longer to answer than to remember."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache
from threading import Lock
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
from cachetools import LRUCache

from artifacts.predictions import Predictions
from artifacts.signature import Columns, Table

# How many times as long as a look-up a row must take by itself, before its answer is worth being remembered.
PAYS = 50.0
_ROUNDS = 3
_LOOKUPS = 200

Ask: TypeAlias = Callable[[list[Sequence[Any]]], Predictions]
"""The model, asked for rows of plain values."""


class RowCache:
    """
    The answers of one version of one model, row by row; the least recently used are forgotten.

    It belongs to the version and goes with it, so no answer outlives a change of models. An answer that is remembered
    was computed beside other rows than now, and is the same in the sense of docs/artifacts.md.
    """

    def __init__(self, rows: int) -> None:
        self._known: LRUCache[Hashable, tuple[Any, Any]] = LRUCache(rows)
        # A call that has passed its deadline returns while the next one is at work.
        self._lock = Lock()

    def predict(self, rows: Sequence[Sequence[Any]], ask: Ask) -> tuple[Predictions, int]:
        """
        Answer rows: each that is not known is asked for once, all of these in one call.

        Args:
            rows: Plain values in the model's order.
            ask: Answers those that are not known.

        Returns:
            The answer to all, and how many of them the model was not asked for.
        """
        keys = list(map(_key, rows))
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
        new = {key: row for key, row in zip(keys, rows, strict=True) if key not in found}
        if new:
            told = dict(zip(new, _said(ask(list(new.values()))), strict=True))
            with self._lock:
                self._known.update(told)
            found |= told
        return _told([found[key] for key in keys]), len(keys) - len(new)


def pays(row_s: float) -> bool:
    """
    Whether answers are worth being remembered.

    Args:
        row_s: How long the model takes for a row by itself.
    """
    return row_s > PAYS * lookup_s()


@cache
def lookup_s() -> float:
    """How long this machine takes to look a row of eight numbers up, and to tell its answer; measured once."""
    known = RowCache(1)
    row = [0.5 * place + 1 for place in range(8)]
    known.predict([row], lambda _: Predictions(np.zeros(1, dtype=np.intp), np.full((1, 3), 0.5)))
    return min(_timed(lambda: _look_up(known, row)) for _ in range(_ROUNDS)) / _LOOKUPS


def plain_rows(table: Table) -> list[Sequence[Any]]:
    """The rows of a table as plain values."""
    if isinstance(table, Columns):
        rows = list(zip(*(array.tolist() for array in table.arrays), strict=True))
    else:
        rows = table.tolist()
    # A NaN is not equal to itself, and would never be found again.
    return [[None if value != value else value for value in row] for row in rows]  # noqa: PLR0124


def _look_up(known: RowCache, row: Sequence[Any]) -> None:
    for _ in range(_LOOKUPS):
        known.predict([row], _nobody)


def _nobody(_rows: list[Sequence[Any]]) -> Predictions:
    raise AssertionError("the row is known")


def _timed(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def _key(row: Sequence[Any]) -> Hashable:
    """A row; a zero of the one sign is not one of the other, though they are equal."""
    # Rows of equal values are one, 1 and 1.0 included: the columns make one number of both.
    return tuple(row) if 0 not in row else (*row, *(str(value) for value in row if value == 0))


def _said(told: Predictions) -> Iterator[tuple[Any, Any]]:
    # As plain values: a row of an array would keep the whole array in memory.
    spread = [None] * len(told.values) if told.probabilities is None else told.probabilities.tolist()
    return zip(told.values.tolist(), spread, strict=True)


def _told(answers: Sequence[tuple[Any, Any]]) -> Predictions:
    predicted, spread = zip(*answers, strict=True)
    return Predictions(np.array(predicted), None if spread[0] is None else np.array(spread))
