"""The answer to a CSV: its blocks one after the other, predicted and written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

import numpy as np
import pyarrow as pa

from artifacts.predictions import Predictions
from artifacts.signature import Batch, Signature
from artifacts.values import Fault
from serve.dialects.csv.blocks import Block, PlainBlock, RecordBlock
from serve.dialects.csv.csv_source import CsvSource
from serve.dialects.csv.csv_writer import CsvWriter
from serve.dialects.csv.ndjson_writer import NdjsonWriter
from serve.dialects.csv.options import CsvOptions
from serve.errors import DeadlineExceeded

Predict: TypeAlias = Callable[[Batch], Predictions]
Writer: TypeAlias = CsvWriter | NdjsonWriter


@dataclass(frozen=True, slots=True)
class Asked:
    """
    Whom a CSV asks.

    Attributes:
        classes: The labels of a classifier, in its order; none of a regressor.
        has_probabilities: Whether each class has a column of its own.
    """

    signature: Signature
    classes: Sequence[object]
    has_probabilities: bool


class CsvAnswer:
    """The answer to a CSV, block by block: one is read, then written with its predictions."""

    def __init__(self, file: BinaryIO, asked: Asked, options: CsvOptions, *, as_ndjson: bool) -> None:
        """
        Read the header.

        Raises:
            InvalidInput: The file as a whole cannot be read.
        """
        # Arrow's own allocators keep some 20 MiB more for the next time, and are hardly quicker with blocks of this
        # size.
        pa.set_memory_pool(pa.system_memory_pool())
        spread = asked.classes if asked.has_probabilities else ()
        source = CsvSource(file, asked.signature, spread, options)
        self._writer = (NdjsonWriter if as_ndjson else CsvWriter)(source, asked.classes, spread, options)
        self._blocks = source.blocks()
        self._block: Block | None = None

    def header(self) -> bytes:
        """What comes before the rows."""
        return self._writer.header()

    def read(self) -> bool:
        """
        Read the next block; False if there is none.

        Raises:
            InvalidInput: A cell or its quoting cannot be read.
        """
        self._block = next(self._blocks, None)
        return self._block is not None

    def write(self, predict: Predict) -> bytes:
        """
        Write the rows of the block that was read last; any thread may do so, also while another one does.

        Raises:
            DeadlineExceeded: The block is still being read.
        """
        if self._block is None:
            raise DeadlineExceeded
        return _written(predict, self._writer, self._block)

    def forget(self) -> None:
        """Keep no block while its rows are on their way to a slow reader."""
        self._block = None


def _written(predict: Predict, writer: Writer, block: Block) -> bytes:
    if isinstance(block, RecordBlock):
        return b"\n".join([*_records(predict, writer, block), b""])
    predictions = predict(block.batch)
    odd = _records(predict, writer, block.odd) if block.odd else []
    return block.joined(
        writer.plain(block, predictions.values, predictions.probabilities), odd, _replaced(writer, block, predictions)
    )


def _records(predict: Predict, writer: Writer, block: RecordBlock) -> list[bytes]:
    predictions = predict(block.batch)
    return writer.rows(block, block.errors(predictions.faults), predictions.labels, predictions.probabilities)


def _replaced(writer: Writer, block: PlainBlock, predictions: Predictions) -> dict[int, bytes]:
    """The answers to the plain rows that cannot be written at once; to those that the model has no answer for, say."""
    rows = np.unique(np.concatenate([writer.closer(block), *(fault.rows for fault in predictions.faults)]))
    if not rows.size:
        return {}
    records = block.records(rows)
    faults = [Fault(fault.code, fault.message, np.searchsorted(rows, fault.rows)) for fault in predictions.faults]
    spread = None if predictions.probabilities is None else predictions.probabilities[rows]
    lines = writer.rows(records, records.errors(faults), predictions.labels[rows], spread)
    return dict(zip(rows.tolist(), lines, strict=True))
