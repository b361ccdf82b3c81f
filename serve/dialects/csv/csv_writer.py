"""CSV out: what came, what was predicted, and what was wrong."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from artifacts.csv_names import added_columns, as_text
from artifacts.number_formats import NUMBER
from serve.dialects.csv import arrays
from serve.dialects.csv.blocks import PlainBlock, RecordBlock
from serve.dialects.csv.csv_source import CsvSource
from serve.dialects.csv.decimals import decimal, decimals
from serve.dialects.csv.options import FORMULA_BLANKS, FORMULA_SIGNS, CsvOptions

# What ends a row while it is written: Python before 3.13 quotes a cell for the characters of its line terminator only,
# and a bare \r would end the row for whoever reads it. The NUL, which no cell has, tells it from a \r\n in a cell.
_END = "\r\n\0"
_FORMULA = tuple(FORMULA_SIGNS + FORMULA_BLANKS)


class CsvWriter:
    """Writes what came and what was predicted, block by block."""

    def __init__(
        self, source: CsvSource, labels: Sequence[object], classes: Sequence[object], options: CsvOptions
    ) -> None:
        """
        Prepare what is the same in every row.

        Args:
            source: What is answered.
            labels: Those of a classifier; none of a regressor.
            classes: Those that have a probability.
            options: How CSV is written.
        """
        self._names = source.header
        self._delimiter = source.delimiter
        self._escape_all = options.escape_all
        self._added = added_columns(classes)
        self._labels = arrays.strings(
            [line.decode() for line in self._lines([["", _written(label)] for label in labels])]
        )

    def header(self) -> bytes:
        """The first line."""
        [line] = self._lines([[*self._passed(self._names), *self._added]])
        return line + b"\n"

    def rows(
        self,
        block: RecordBlock,
        errors: Sequence[str],
        labels: NDArray[np.object_],
        probabilities: NDArray[np.float64] | None,
    ) -> list[bytes]:
        """The line of each row, without its break; `errors` tells what is wrong with it."""
        blank = [""] * (len(self._added) - 2)
        answered = np.fromiter((not error for error in errors), dtype=bool, count=len(errors))
        spread: Iterator[Sequence[float]] = (
            repeat([]) if probabilities is None else iter(probabilities[answered].tolist())
        )
        rows = zip(block.cells, labels.tolist(), errors, strict=True)
        return self._lines(
            [*self._passed(cells), "", *blank, error]
            if error
            else [*self._passed(cells), _written(label), *map(decimal, next(spread)), ""]
            for cells, label, error in rows
        )

    def closer(self, block: PlainBlock) -> NDArray[np.intp]:  # noqa: ARG002  # of CSV it is none, whatever they hold
        """Which of the plain rows have to be written cell by cell."""
        return np.empty(0, dtype=np.intp)

    def plain(
        self, block: PlainBlock, predicted: NDArray[Any], probabilities: NDArray[np.float64] | None
    ) -> pa.StringArray:
        """The line of each plain row, a line break before it instead of behind."""
        parts = [block.lines.texts]
        if len(self._labels):
            # Of a row without an answer it is any label: that line is not taken.
            parts.append(self._labels.take(arrays.places(np.maximum(predicted, 0))))
        else:
            parts.append(decimals(predicted[:, None], self._delimiter))
        if probabilities is not None:
            parts.append(decimals(probabilities, self._delimiter))
        # A line without quotes is what the slow writer makes of its cells.
        return pc.binary_join_element_wise(*parts, arrays.string(self._delimiter), arrays.string(""))

    def _passed(self, cells: list[str]) -> list[str]:
        return [_defused(cell) for cell in cells] if self._escape_all else cells

    def _lines(self, rows: Iterable[Sequence[object]]) -> list[bytes]:
        # A buffer of its own: a block whose model took too long may be written while the next one is.
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=self._delimiter, lineterminator=_END).writerows(rows)
        return buffer.getvalue().encode().split(_END.encode())[:-1]


def _written(label: object) -> str:
    if isinstance(label, float):
        return decimal(label)
    if not isinstance(label, str):
        return as_text(label)
    # A spreadsheet makes 1 of +1; a number that we write has no such sign.
    return f"'{label}" if label.startswith("+") else _defused(label)


def _defused(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; a number stays one."""
    if cell.startswith(_FORMULA) and not NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
