"""NDJSON out: the rows of the CSV, each as one JSON object on a line of its own."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from artifacts.csv_names import added_columns
from artifacts.values import Fault
from serve.errors import InvalidInput
from serve.tabular.csv_source import Block, CsvSource
from serve.tabular.options import CsvOptions

# Line breaks that JSON leaves as they are in a text, and that some readers of lines break at.
_LINE_BREAKS = {sign.encode(): f"\\u{ord(sign):04x}".encode() for sign in "\x85\u2028\u2029"}


class NdjsonWriter:
    """Writes what came and what was predicted, block by block: what came as texts, answers in their JSON types."""

    def __init__(self, source: CsvSource, classes: Sequence[object], options: CsvOptions) -> None:
        """
        Take the names that every line repeats.

        Raises:
            InvalidInput: They are too long for that.
        """
        self._names = [*source.header, *added_columns(classes)]
        if len(to_json(source.header)) > options.max_cell_bytes:
            raise InvalidInput("csv-columns", "the names are too long to stand in every line: ask for text/csv")

    def header(self) -> bytes:
        """Nothing: every line names its columns."""
        return b""

    def rows(
        self,
        block: Block,
        faults: Sequence[Fault],
        labels: NDArray[np.object_],
        probabilities: NDArray[np.float64] | None,
    ) -> bytes:
        """The lines of one block; `faults` are all that were found in it."""
        names = self._names
        blank = [None] * (len(names) - len(block.cells[0]) - 2)
        spread: Sequence[Sequence[object]] = [blank] * len(labels) if probabilities is None else probabilities.tolist()
        answers = zip(block.cells, labels.tolist(), spread, block.errors(faults), strict=True)
        values = (
            [*cells, None, *blank, error] if error else [*cells, label, *chances, None]
            for cells, label, chances, error in answers
        )
        written = b"".join([to_json(dict(zip(names, row, strict=True))) + b"\n" for row in values])
        for sign, escaped in _LINE_BREAKS.items():
            written = written.replace(sign, escaped)
        return written
