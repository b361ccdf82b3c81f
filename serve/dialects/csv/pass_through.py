"""The rows of a CSV as they were sent: most as whole lines, the others as cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from serve.dialects.arrays import merged, strings
from serve.dialects.csv.lines import Lines


class Cutter:
    """Cuts lines without quotes into their cells."""

    def __init__(self, width: int, delimiter: str) -> None:
        """
        Prepare to cut rows of so many cells.

        Args:
            width: How many cells a row has.
            delimiter: The character between them.
        """
        self._names = [str(place) for place in range(width)]
        self.texts: Mapping[int, pa.DataType] = dict.fromkeys(range(width), pa.string())
        # One block and one thread: a block is small, and the cores are shared with other requests.
        self._read = arrow_csv.ReadOptions(use_threads=False, column_names=self._names, block_size=2**30)
        self._parse = arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False)

    def cut(self, lines: pa.Buffer, types: Mapping[int, pa.DataType]) -> list[pa.Array]:
        """
        Return some of the cells of each row, one array per place.

        Args:
            lines: The rows, each of so many cells.
            types: What the cells at each place are read as.

        Raises:
            pyarrow.ArrowInvalid: A cell cannot be read as that.
        """
        columns = {self._names[place]: kind for place, kind in types.items()}
        convert = arrow_csv.ConvertOptions(
            check_utf8=False, column_types=columns, include_columns=list(columns), null_values=[]
        )
        table = arrow_csv.read_csv(pa.BufferReader(lines), self._read, self._parse, convert)
        return [table.column(name).combine_chunks() for name in columns]


@dataclass(frozen=True, slots=True)
class PassedRows:
    """
    The rows of a block as they were sent.

    Attributes:
        cells: The cells of each row that was read by itself, filled up or cut to the width of the table.
        is_line: Shape (rows,), which rows are in `lines`; the others are in `cells`.
        lines: The rows that are lines without quotes; None if there are none.
    """

    cells: list[list[str]]
    cutter: Cutter
    is_line: NDArray[np.bool_]
    lines: Lines | None = None

    def columns(self) -> Sequence[pa.StringArray]:
        """Return one array of texts per column."""
        others = [strings(column) for column in zip(*self.cells, strict=True)]
        if self.lines is None:
            return others
        cut = self.cutter.cut(self.lines.csv, self.cutter.texts)
        return [merged(*pair, self.is_line) for pair in zip(cut, others, strict=True)] if others else cut
