"""The answer to a CSV: its blocks one after the other, predicted and written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from artifacts.signature import Batch, Signature
from artifacts.values import Fault
from serve.tabular.blocks import Block, PlainBlock, RecordBlock
from serve.tabular.csv_source import CsvSource
from serve.tabular.csv_writer import CsvWriter
from serve.tabular.ndjson_writer import NdjsonWriter
from serve.tabular.options import CsvOptions


class Predicted(Protocol):
    """What is told of a batch, a row a row; see `serve.inference.Predictions`."""

    @property
    def predicted(self) -> NDArray[Any]: ...
    @property
    def probabilities(self) -> NDArray[np.float64] | None: ...
    @property
    def labels(self) -> NDArray[np.object_]: ...
    @property
    def faults(self) -> tuple[Fault, ...]: ...


Predict: TypeAlias = Callable[[Batch], Predicted]
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
    predict: Predict


def answer(file: BinaryIO, asked: Asked, options: CsvOptions, *, as_ndjson: bool) -> Iterator[bytes]:
    """
    The header of the answer, then the rows block by block.

    Raises:
        InvalidInput: The file as a whole, a cell or its quoting cannot be read.
    """
    # Arrow's own allocators keep some 20 MiB more for the next time, and are hardly quicker with blocks of this size.
    pa.set_memory_pool(pa.system_memory_pool())
    spread = asked.classes if asked.has_probabilities else ()
    source = CsvSource(file, asked.signature, spread, options)
    writer = (NdjsonWriter if as_ndjson else CsvWriter)(source, asked.classes, spread, options)
    # By map(), which holds no block while the answer to it is on its way out.
    return chain([writer.header()], map(partial(_written, asked.predict, writer), source.blocks()))


def _written(predict: Predict, writer: Writer, block: Block) -> bytes:
    if isinstance(block, RecordBlock):
        return b"\n".join([*_records(predict, writer, block), b""])
    told = predict(block.batch)
    odd = _records(predict, writer, block.odd) if block.odd else []
    return block.joined(writer.plain(block, told.predicted, told.probabilities), odd, _replaced(writer, block, told))


def _records(predict: Predict, writer: Writer, block: RecordBlock) -> list[bytes]:
    told = predict(block.batch)
    return writer.rows(block, block.errors(told.faults), told.labels, told.probabilities)


def _replaced(writer: Writer, block: PlainBlock, told: Predicted) -> dict[int, bytes]:
    """The answers to the plain rows that cannot be written at once; to those that the model has no answer for, say."""
    rows = np.unique(np.concatenate([writer.closer(block), *(fault.rows for fault in told.faults)]))
    if not rows.size:
        return {}
    records = block.records(rows)
    faults = [Fault(fault.code, fault.message, np.searchsorted(rows, fault.rows)) for fault in told.faults]
    spread = None if told.probabilities is None else told.probabilities[rows]
    lines = writer.rows(records, records.errors(faults), told.labels[rows], spread)
    return dict(zip(rows.tolist(), lines, strict=True))
