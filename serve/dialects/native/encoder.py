"""Predictions as JSON, in bytes: what is the same in every answer is encoded once, numbers all at once."""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts.manifest import Manifest
from artifacts.predictions import Predictions
from serve.dialects.native.errors import all_errors

# Up to this many rows it is faster to make an object of each number.
_FEW_ROWS = 8


class NativeEncoder:
    """Encodes the predictions of one version: byte for byte what `to_json` makes of the documented object."""

    def __init__(self, manifest: Manifest, *, failed_champion: int | None = None) -> None:
        """
        Prepare what is the same in every answer.

        Args:
            manifest: That of the version.
            failed_champion: The champion that could not be loaded, where this version is champion instead.
        """
        self._names = manifest.signature.names
        self._labels = np.array([to_json(label) for label in manifest.classes], dtype=object)
        self._each: list[bytes] = self._labels.tolist()
        self._known: dict[str, Any] = {"model": manifest.model, "version": manifest.version}
        if failed_champion is not None:
            self._known["failed_champion"] = failed_champion
        self._named_classes: dict[str, Any] = {"classes": manifest.classes} if manifest.classes else {}
        self._head = to_json(self._known)[:-1] + b',"predictions":['
        self._classes = b'],"classes":' + to_json(manifest.classes) if manifest.classes else b"]"
        # All of an answer to one row but its probabilities.
        self._single = [b"%b%b%b" % (self._head, label, self._classes) for label in self._each]

    def encode(self, predictions: Predictions, *, probabilities: bool = True, report: bool = False) -> bytes:
        """
        Return the answer to one request.

        Args:
            predictions: Those of its rows; a row with a fault becomes null.
            probabilities: Whether a classifier's probabilities are included.
            report: Whether the faults of rows are listed.
        """
        spread = predictions.probabilities if probabilities else None
        if predictions.faults:
            return self._with_nulls(predictions, spread, report=report)
        values = predictions.values
        if len(values) == 1 and self._single and not report:
            single = self._single[values.item()]
            return (
                b"%b}" % single
                if spread is None
                else b'%b,"probabilities":%b}' % (single, orjson.dumps(spread.tolist()))
            )
        words = b",".join(self._words(values))
        tail = b',"errors":[]}' if report else b"}"
        if spread is None:
            return b"%b%b%b%b" % (self._head, words, self._classes, tail)
        return b'%b%b%b,"probabilities":%b%b' % (self._head, words, self._classes, _json_numbers(spread), tail)

    def _with_nulls(self, predictions: Predictions, spread: NDArray[np.float64] | None, *, report: bool) -> bytes:
        labels = predictions.labels.tolist()
        content = {**self._known, "predictions": labels, **self._named_classes}
        if spread is not None:
            rows = zip(spread.tolist(), labels, strict=True)
            content["probabilities"] = [row if label is not None else None for row, label in rows]
        if report:
            content["errors"] = all_errors(predictions.faults, self._names)
        return to_json(content)

    def _words(self, predicted: NDArray[Any]) -> list[bytes]:
        """Return each prediction in JSON."""
        if not self._each:
            return [_json_numbers(predicted)[1:-1]]
        words: list[bytes]
        words = (
            [self._each[place] for place in predicted.tolist()]
            if len(predicted) <= _FEW_ROWS
            else self._labels[predicted].tolist()
        )
        return words


def _json_numbers(numbers: NDArray[np.float64]) -> bytes:
    """Return numbers as `to_json` spells them, in a third of its time: unless they are few, none becomes an object."""
    if len(numbers) <= _FEW_ROWS:
        return orjson.dumps(numbers.tolist())
    return orjson.dumps(np.ascontiguousarray(numbers, dtype=np.float64), option=orjson.OPT_SERIALIZE_NUMPY)
