"""What is told to callers, in bytes: the parts that never change are made once, numbers all at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts.manifest import Manifest
from artifacts.predictions import Predictions

# Up to so many rows it is quicker to make an object of each number.
_FEW_ROWS = 8


def head(model: str, version: int, failed_champion: int | None) -> dict[str, Any]:
    """Which version an answer is of, and the champion in whose place it is, where that could not be loaded."""
    known: dict[str, Any] = {"model": model, "version": version}
    return known if failed_champion is None else {**known, "failed_champion": failed_champion}


class Answers:
    """Writes the answers of one version: byte for byte what `to_json` makes of the documented object."""

    def __init__(self, manifest: Manifest, *, failed_champion: int | None = None) -> None:
        self._labels = np.array([to_json(label) for label in manifest.classes], dtype=object)
        self._each: list[bytes] = self._labels.tolist()
        self._known = head(manifest.model, manifest.version, failed_champion)
        self._named_classes: dict[str, Any] = {"classes": manifest.classes} if manifest.classes else {}
        self._head = to_json(self._known)[:-1] + b',"predictions":['
        self._classes = b'],"classes":' + to_json(manifest.classes) if manifest.classes else b"]"
        # All of an answer to one row but its probabilities.
        self._single = [b'%b%b%b,"probabilities":' % (self._head, label, self._classes) for label in self._each]

    def encode(
        self, predictions: Predictions, *, probabilities: bool = True, errors: Sequence[object] | None = None
    ) -> bytes:
        """
        Write the answer to one request.

        Args:
            predictions: Of its rows. A row that has none is null.
            probabilities: Whether those of a classifier are written.
            errors: The mistakes of rows, where the caller wants them reported.
        """
        spread = predictions.probabilities if probabilities else None
        if predictions.faults:
            return self._with_nulls(predictions, spread, errors)
        values = predictions.values
        if len(values) == 1 and spread is not None and errors is None:
            return b"%b%b}" % (self._single[values.item()], orjson.dumps(spread.tolist()))
        words = b",".join(self._words(values))
        tail = b"}" if errors is None else b',"errors":%b}' % to_json(errors)
        if spread is None:
            return b"%b%b%b%b" % (self._head, words, self._classes, tail)
        return b'%b%b%b,"probabilities":%b%b' % (self._head, words, self._classes, _in_json(spread), tail)

    def _with_nulls(
        self, predictions: Predictions, spread: NDArray[np.float64] | None, errors: Sequence[object] | None
    ) -> bytes:
        labels = predictions.labels.tolist()
        content = {**self._known, "predictions": labels, **self._named_classes}
        if spread is not None:
            rows = zip(spread.tolist(), labels, strict=True)
            content["probabilities"] = [row if label is not None else None for row, label in rows]
        return to_json(content if errors is None else {**content, "errors": errors})

    def _words(self, predicted: NDArray[Any]) -> list[bytes]:
        """Each prediction in JSON."""
        if self._labels.size:
            if len(predicted) <= _FEW_ROWS:
                return [self._each[place] for place in predicted.tolist()]
            words: list[bytes] = self._labels[predicted].tolist()
            return words
        return _in_json(predicted)[1:-1].split(b",")


def _in_json(numbers: NDArray[np.float64]) -> bytes:
    """As `to_json` spells them, in a third of its time: no object is made of any number, unless they are few."""
    if len(numbers) <= _FEW_ROWS:
        return orjson.dumps(numbers.tolist())
    return orjson.dumps(np.ascontiguousarray(numbers, dtype=np.float64), option=orjson.OPT_SERIALIZE_NUMPY)
