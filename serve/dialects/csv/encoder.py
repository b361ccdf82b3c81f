"""CSV out: the rows as they were sent, with their predictions or errors."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts.csv_names import added_columns, as_text
from artifacts.number_formats import NUMBER
from serve.dialects import arrays
from serve.dialects.blocks import Block
from serve.dialects.csv.options import FORMULA_BLANKS, FORMULA_SIGNS
from serve.dialects.csv.pass_through import PassedRows

# Python before 3.13 quotes a cell only for the characters of its line terminator, and a bare \r would end the row for
# some readers. The NUL, which no cell has, separates the end of a row from a \r\n in a cell.
_END = "\r\n\0"
_FORMULA = tuple(FORMULA_SIGNS + FORMULA_BLANKS)


class CsvEncoder:
    """Writes rows as lines of CSV, in the delimiter of the file that was sent."""

    def __init__(
        self,
        sent: Sequence[str],
        labels: Sequence[object],
        classes: Sequence[object],
        delimiter: str,
        *,
        escape_all: bool,
    ) -> None:
        """
        Prepare what is the same in every row.

        Args:
            sent: The names of the columns that were sent.
            labels: The labels of a classifier; empty for a regressor.
            classes: The labels that have a probability.
            delimiter: The character between cells.
            escape_all: Whether the cells that were sent are kept from running as formulas too.
        """
        self._delimiter = delimiter
        self._escape_all = escape_all
        added = added_columns(classes)
        [line] = self._lines([[*self._passed(sent), *added]])
        self.header = f"{line}\n".encode()
        self._blank = [""] * (len(added) - 1)
        self._labels = arrays.strings(self._lines(["", _cell(label)] for label in labels))

    def sent(self, block: Block) -> Sequence[pa.StringArray | str]:
        """Return the line of each row; one without quotes is what the csv module makes of its cells."""
        rows = cast(PassedRows, block.passed)
        # The empty cell behind them makes a row of one empty cell an ordinary one; its delimiter is cut off again.
        others = [f"\n{line[:-1]}" for line in self._lines([*self._passed(cells), ""] for cells in rows.cells)]
        lines = arrays.strings(others)
        return [lines if rows.lines is None else arrays.merged(rows.lines.texts, lines, rows.is_line)]

    def predicted(
        self, values: NDArray[Any], probabilities: NDArray[np.float64] | None
    ) -> Sequence[pa.StringArray | str]:
        """Return the added cells of rows that have a prediction."""
        has_labels = len(self._labels) > 0
        label = (
            self._labels.take(arrays.places(values))
            if has_labels
            else arrays.decimals(values[:, None], self._delimiter)
        )
        spread = [] if probabilities is None else [arrays.decimals(probabilities, self._delimiter)]
        return [label, *spread, self._delimiter]

    def failed(self, errors: Sequence[str]) -> pa.StringArray:
        """Return the added cells of rows that have no prediction."""
        return arrays.strings(self._lines(["", *self._blank, error] for error in errors))

    def _passed(self, cells: Sequence[str]) -> Sequence[str]:
        return [_defused(cell) for cell in cells] if self._escape_all else cells

    def _lines(self, rows: Iterable[Sequence[str]]) -> list[str]:
        # A buffer of its own: a block whose model took too long may be written while the next one is.
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=self._delimiter, lineterminator=_END).writerows(rows)
        return buffer.getvalue().split(_END)[:-1]


def _cell(label: object) -> str:
    if isinstance(label, float):
        return to_json(label).decode()
    if not isinstance(label, str):
        return as_text(label)
    # A spreadsheet makes 1 of +1; a number that we write has no such sign.
    return f"'{label}" if label.startswith("+") else _defused(label)


def _defused(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; a number stays one."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not NUMBER.fullmatch(cell) else cell
