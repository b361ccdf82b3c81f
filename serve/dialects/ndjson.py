"""NDJSON out: one JSON object per row, on a line of its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts.csv_names import added_columns, distinct_names
from serve.dialects import arrays
from serve.dialects.blocks import Block
from serve.errors import InvalidInput

# Line breaks that JSON leaves as they are in a text, and at which some readers break lines.
_LINE_BREAKS = {sign.encode(): f"\\u{ord(sign):04x}".encode() for sign in "\x85\u2028\u2029"}
# Characters that are escaped in a text.
_ESCAPED = r'[\x00-\x1f"\\\x{85}\x{2028}\x{2029}]'


class NdjsonEncoder:
    """Writes rows as JSON objects: cells as texts, predictions in their JSON types."""

    # Every line names its columns.
    header = b""

    def __init__(
        self,
        sent: Sequence[str],
        labels: Sequence[object],
        classes: Sequence[object],
        *,
        max_names_bytes: int,
    ) -> None:
        """
        Prepare the names, which every line repeats.

        Args:
            sent: The names of the columns that were sent.
            labels: The labels of a classifier; empty for a regressor.
            classes: The labels that have a probability.
            max_names_bytes: How long the names may be, together.

        Raises:
            InvalidInput: They are longer.
        """
        if len(to_json(sent)) > max_names_bytes:
            raise InvalidInput("csv-columns", "the names are too long to be repeated in every line: request text/csv")
        prediction, *probabilities, error = map(_json, added_columns(classes))
        self._sent = list(map(_json, distinct_names(sent)))
        self._prediction = f'",{prediction}'
        self._probabilities = [f",{name}" for name in probabilities]
        self._error = f",{error}:"
        self._failed = "".join(f"{key}:null" for key in (self._prediction, *self._probabilities)) + self._error
        self._labels = arrays.strings([f":{_json(label)}" for label in labels])

    def sent(self, block: Block) -> Sequence[pa.StringArray | str]:
        """Return the cells of each row as texts, the last quote missing."""
        parts: list[pa.StringArray | str] = []
        for key, column in zip(self._sent, block.passed.columns(), strict=True):
            parts += [f'",{key}:"' if parts else f'\n{{{key}:"', _escaped(column)]
        return parts

    def predicted(
        self, values: NDArray[Any], probabilities: NDArray[np.float64] | None
    ) -> Sequence[pa.StringArray | str]:
        """Return what follows the cells of rows that have a prediction."""
        has_labels = len(self._labels) > 0
        label = self._labels.take(arrays.places(values)) if has_labels else arrays.decimals(values[:, None], ":")
        parts: list[pa.StringArray | str] = [self._prediction, label]
        if probabilities is not None:
            for key, column in zip(self._probabilities, probabilities.T, strict=True):
                parts += [key, arrays.decimals(column[:, None], ":")]
        return [*parts, f"{self._error}null}}"]

    def failed(self, errors: Sequence[str]) -> pa.StringArray:
        """Return what follows the cells of rows that have no prediction."""
        return arrays.strings([f"{self._failed}{_json(error)}}}" for error in errors])


def _escaped(texts: pa.StringArray) -> pa.StringArray:
    """Return texts as JSON has them between quotes."""
    content = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)
    is_printable = (content >= ord(" ")) & (content <= ord("~")) & (content != ord("\\")) & (content != ord('"'))
    if is_printable.all():
        return texts
    special = arrays.are_set(pc.match_substring_regex(texts, _ESCAPED))
    escaped = arrays.strings([_json(text)[1:-1] for text in texts.filter(arrays.flags(special)).to_pylist()])
    return arrays.merged(texts.filter(arrays.flags(~special)), escaped, ~special)


def _json(value: object) -> str:
    encoded = to_json(value)
    for sign, escaped in _LINE_BREAKS.items():
        encoded = encoded.replace(sign, escaped)
    return encoded.decode()
