"""NDJSON out: the rows of the CSV, each as one JSON object on a line of its own."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts.csv_names import added_columns, distinct_names
from serve.dialects.csv import arrays
from serve.dialects.csv.blocks import PlainBlock, RecordBlock
from serve.dialects.csv.csv_source import CsvSource
from serve.dialects.csv.decimals import decimals
from serve.dialects.csv.options import CsvOptions
from serve.dialects.csv.plain_cells import Cutter
from serve.errors import InvalidInput

# Line breaks that JSON leaves as they are in a text, and that some readers of lines break at.
_LINE_BREAKS = {sign.encode(): f"\\u{ord(sign):04x}".encode() for sign in "\x85\u2028\u2029"}
# Where JSON has something else for a sign than the sign itself; quotes are not in plain rows, these may be.
_SIGNS = r"[\x01-\x08\x0b-\x1f\\\x{85}\x{2028}\x{2029}]"


class NdjsonWriter:
    """Writes what came and what was predicted, block by block: what came as texts, answers in their JSON types."""

    def __init__(
        self, source: CsvSource, labels: Sequence[object], classes: Sequence[object], options: CsvOptions
    ) -> None:
        """
        Take the names that every line repeats.

        Args:
            source: What is answered.
            labels: Those of a classifier; none of a regressor.
            classes: Those that have a probability.
            options: How long the names may be.

        Raises:
            InvalidInput: The names are too long for that.
        """
        self._names = [*distinct_names(source.header), *added_columns(classes)]
        if len(to_json(source.header)) > options.max_cell_bytes:
            raise InvalidInput("csv-columns", "the names are too long to stand in every line: ask for text/csv")
        self._width = len(source.header)
        self._texts = dict.fromkeys(range(self._width), pa.string())
        self._cutter = Cutter(self._width, source.delimiter)
        self._signs = _SIGNS if source.delimiter == "\t" else rf"\t|{_SIGNS}"
        self._labels = arrays.strings([f":{_json(label)}" for label in labels])
        self._keys = [_json(name) for name in self._names]

    def header(self) -> bytes:
        """Nothing: every line names its columns."""
        return b""

    def rows(
        self,
        block: RecordBlock,
        errors: Sequence[str],
        labels: NDArray[np.object_],
        probabilities: NDArray[np.float64] | None,
    ) -> list[bytes]:
        """The line of each row, without its break; `errors` tells what is wrong with it."""
        names = self._names
        blank = [None] * (len(names) - self._width - 2)
        spread: Sequence[Sequence[object]] = [blank] * len(labels) if probabilities is None else probabilities.tolist()
        answers = zip(block.cells, labels.tolist(), spread, errors, strict=True)
        values = (
            [*cells, None, *blank, error] if error else [*cells, label, *chances, None]
            for cells, label, chances, error in answers
        )
        return [_escaped(to_json(dict(zip(names, row, strict=True)))) for row in values]

    def closer(self, block: PlainBlock) -> NDArray[np.intp]:
        """Which of the plain rows have to be written cell by cell."""
        content = np.frombuffer(block.lines.csv, dtype=np.uint8)
        is_plain = np.count_nonzero(content < ord(" ")) == len(block.lines.numbers) - 1
        if is_plain and not ((content == ord("\\")) | (content > ord("~"))).any():
            # Nothing but line breaks and what ASCII can print.
            return np.empty(0, dtype=np.intp)
        return np.flatnonzero(block.lines.matching(self._signs))

    def plain(
        self, block: PlainBlock, predicted: NDArray[Any], probabilities: NDArray[np.float64] | None
    ) -> pa.StringArray:
        """The line of each plain row, a line break before it instead of behind."""
        columns = self._cutter.cut(block.lines.csv, self._texts)
        *passed, error = self._keys
        parts: list[pa.StringArray | str] = []
        for key, column in zip(passed, columns, strict=False):
            parts += [f'",{key}:"' if parts else f'\n{{{key}:"', column]
        parts += [f'",{passed[self._width]}']
        # Of a row without an answer it is any label: that line is not taken.
        has_labels = len(self._labels) > 0
        parts += [self._labels.take(arrays.places(np.maximum(predicted, 0))) if has_labels else _values(predicted)]
        for place, key in enumerate(passed[self._width + 1 :]):
            parts += [f",{key}", _values(cast(NDArray[np.float64], probabilities)[:, place])]
        parts += [f",{error}:null}}"]
        joined = [arrays.string(part) if isinstance(part, str) else part for part in parts]
        return pc.binary_join_element_wise(*joined, arrays.string(""))


def _values(numbers: NDArray[np.float64]) -> pa.StringArray:
    return decimals(numbers[:, None], ":")


def _json(value: object) -> str:
    return _escaped(to_json(value)).decode()


def _escaped(written: bytes) -> bytes:
    for sign, escaped in _LINE_BREAKS.items():
        written = written.replace(sign, escaped)
    return written
