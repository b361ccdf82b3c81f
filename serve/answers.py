"""What is told to callers, in bytes: the parts that never change are made once, numbers all at once."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts.manifest import Manifest
from artifacts.predictions import NO_CLASS, Predictions


def head(model: str, version: int, failed_champion: int | None) -> dict[str, Any]:
    """Which version an answer is of, and the champion in whose place it is, where that could not be loaded."""
    known: dict[str, Any] = {"model": model, "version": version}
    return known if failed_champion is None else {**known, "failed_champion": failed_champion}


class Answers:
    """Writes the answers of one version: byte for byte what `to_json` makes of the documented object."""

    def __init__(self, manifest: Manifest, *, failed_champion: int | None = None) -> None:
        self._labels = np.array([to_json(label) for label in manifest.classes], dtype=object)
        self._head = to_json(head(manifest.model, manifest.version, failed_champion))[:-1] + b',"predictions":['
        self._classes = b'],"classes":' + to_json(manifest.classes) if manifest.classes else b"]"

    def write(self, told: Predictions, sizes: Sequence[int]) -> list[bytes | None]:
        """
        One answer a request.

        Args:
            told: Of all requests together, row by row.
            sizes: Rows of each request. One of whose rows the model has no answer for gets None.
        """
        if not _says_all(told):
            silent = told.invalid
            return [self._one(part, silent[rows]) for rows, part in _parts(told, sizes)]
        predicted = self._words(told.values)
        if len(sizes) == 1:
            return [self._whole(b",".join(predicted), told.probabilities)]
        spread = None if told.probabilities is None else _spread(told.probabilities).split(b"],[")
        if len(predicted) == len(sizes):
            return self._singles(predicted, spread)
        cuts = list(pairwise(accumulate(sizes, initial=0)))
        joined = [b",".join(predicted[start:stop]) for start, stop in cuts]
        return self._singles(joined, spread and [b"],[".join(spread[start:stop]) for start, stop in cuts])

    def _singles(self, predicted: Sequence[bytes], spread: Sequence[bytes] | None) -> list[bytes | None]:
        """One answer for each of them."""
        if spread is None:
            return [b"%b%b%b}" % (self._head, word, self._classes) for word in predicted]
        return [self._full(word, row) for word, row in zip(predicted, spread, strict=True)]

    def _whole(self, words: bytes, probabilities: NDArray[np.float64] | None) -> bytes:
        if probabilities is None:
            return b"%b%b%b}" % (self._head, words, self._classes)
        return self._full(words, _spread(probabilities))

    def _full(self, words: bytes, rows: bytes) -> bytes:
        return b'%b%b%b,"probabilities":[[%b]]}' % (self._head, words, self._classes, rows)

    def _one(self, told: Predictions, silent: NDArray[np.bool_]) -> bytes | None:
        return None if silent.any() else self.write(told, [len(told.values)])[0]

    def _words(self, predicted: NDArray[Any]) -> list[bytes]:
        """Each prediction in JSON."""
        if self._labels.size:
            words: list[bytes] = self._labels[predicted].tolist()
            return words
        return _in_json(predicted)[1:-1].split(b",")


def _spread(probabilities: NDArray[np.float64]) -> bytes:
    """All rows in JSON, without the outermost brackets."""
    return _in_json(probabilities)[2:-2]


def _in_json(numbers: NDArray[np.float64]) -> bytes:
    """As `to_json` spells them, in a third of its time: no object is made of any number."""
    return orjson.dumps(np.ascontiguousarray(numbers, dtype=np.float64), option=orjson.OPT_SERIALIZE_NUMPY)


def _says_all(told: Predictions) -> bool:
    """Whether the model says something of every row."""
    if told.probabilities is not None and not np.isfinite(told.probabilities).all():
        return False
    if told.values.dtype.kind == "f":
        return bool(np.isfinite(told.values).all())
    return bool((told.values != NO_CLASS).all())


def _parts(told: Predictions, sizes: Sequence[int]) -> Iterator[tuple[slice, Predictions]]:
    """What is told to each request."""
    for start, stop in pairwise(accumulate(sizes, initial=0)):
        rows = slice(start, stop)
        yield rows, Predictions(told.values[rows], None if told.probabilities is None else told.probabilities[rows])
