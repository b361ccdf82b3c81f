"""CSV out: what came, what was predicted, and what was wrong."""

import csv
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from artifacts.csv_names import added_columns, as_text
from artifacts.values import Fault
from serve.tabular.csv_source import Block, CsvSource
from serve.tabular.options import NUMBER, CsvOptions

# What ends a row while it is written: Python before 3.13 quotes a cell for the characters of its line terminator only,
# and a bare \r would end the row for whoever reads it. The NUL, which no cell has, tells it from a \r\n in a cell.
_END = "\r\n\0"


class CsvWriter:
    """Writes what came and what was predicted, block by block."""

    def __init__(self, source: CsvSource, classes: Sequence[object], options: CsvOptions) -> None:
        self._names = source.header
        self._escape_all = options.escape_all
        self._added = added_columns(classes)
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer, delimiter=source.delimiter, lineterminator=_END)

    def header(self) -> bytes:
        """The first line."""
        return self._flush([[*self._passed(self._names), *self._added]])

    def rows(
        self,
        block: Block,
        faults: Sequence[Fault],
        labels: NDArray[np.object_],
        probabilities: NDArray[np.float64] | None,
    ) -> bytes:
        """The lines of one block; `faults` are all that were found in it."""
        blank = [""] * (len(self._added) - 2)
        spread: Sequence[Sequence[object]] = [blank] * len(labels) if probabilities is None else probabilities.tolist()
        answers = [
            ["", *blank, error] if error else [_written(label), *chances, ""]
            for label, chances, error in zip(labels.tolist(), spread, block.errors(faults), strict=True)
        ]
        return self._flush(
            [[*self._passed(cells), *answer] for cells, answer in zip(block.cells, answers, strict=True)]
        )

    def _passed(self, cells: list[str]) -> list[str]:
        return [_defused(cell) for cell in cells] if self._escape_all else cells

    def _flush(self, lines: Sequence[Sequence[object]]) -> bytes:
        self._writer.writerows(lines)
        written = self._buffer.getvalue().replace(_END, "\n").encode()
        self._buffer.seek(0)
        self._buffer.truncate()
        return written


def _written(label: object) -> str:
    return _defused(as_text(label)) if isinstance(label, str) else as_text(label)


def _defused(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; a number stays one."""
    if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} and not NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
