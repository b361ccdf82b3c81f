"""A block: some rows of a table in their order, checked, with the cells that pass through; it knows no format."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from artifacts.predictions import Predictions
from artifacts.signature import Batch
from artifacts.values import Fault
from serve.dialects.arrays import joined, merged

# An error message has at most this many characters; the faults that are left out are counted.
_ERROR_CHARACTERS = 2_000


class PassThrough(Protocol):
    """The cells of rows as they were sent."""

    def columns(self) -> Sequence[pa.StringArray]:
        """Return one array of texts per column that was sent."""


@dataclass(frozen=True, slots=True)
class Block:
    """
    Some rows of a table.

    Attributes:
        batch: The rows, checked.
        lines: Shape (rows,), the physical line that each row begins on.
        passed: Their cells as they were sent.
    """

    batch: Batch
    lines: NDArray[np.intp]
    passed: PassThrough

    def errors(self, faults: Sequence[Fault]) -> tuple[NDArray[np.intp], list[str]]:
        """Return the rows that have a fault, and what is wrong with each of them."""
        # Rows with the same faults share one text, however many they are: each is a way through these steps.
        steps, reached = [(0, "")], np.zeros(len(self.lines), dtype=np.intp)
        for fault in faults:
            message = f"{fault.column}: {fault.message}" if fault.column else fault.message
            before, ways = np.unique(reached[fault.rows], return_inverse=True)
            reached[fault.rows] = len(steps) + ways
            steps += [(step, message) for step in before.tolist()]
        rows = np.flatnonzero(reached)
        ends = reached[rows].tolist()
        texts = {end: _listed(_messages(steps, end)) for end in set(ends)}
        lines = self.lines[rows].tolist()
        return rows, [f"line {line}: {texts[end]}" for line, end in zip(lines, ends, strict=True)]


class BlockEncoder(Protocol):
    """How one format writes rows with their predictions: each row behind a line break."""

    header: bytes
    """What precedes the rows."""

    def sent(self, block: Block) -> Sequence[pa.StringArray | str]:
        """Return the beginning of each row, which repeats what was sent, in parts."""

    def predicted(
        self, values: NDArray[np.float64], probabilities: NDArray[np.float64] | None
    ) -> Sequence[pa.StringArray | str]:
        """Return the rest of each row that has a prediction, in parts; there is at least one such row."""

    def failed(self, errors: Sequence[str]) -> pa.StringArray:
        """Return the rest of each row that has none."""


def encode(encoder: BlockEncoder, block: Block, predictions: Predictions) -> bytes:
    """Write the rows of a block with their predictions or errors."""
    rows, errors = block.errors(predictions.faults)
    values, spread = predictions.values, predictions.probabilities
    if not errors:
        ends = encoder.predicted(values, spread)
    elif len(errors) == len(values):
        ends = [encoder.failed(errors)]
    else:
        valid = np.ones(len(values), dtype=bool)
        valid[rows] = False
        written = joined(encoder.predicted(values[valid], None if spread is None else spread[valid]))
        ends = [merged(written, encoder.failed(errors), valid)]
    texts = joined([*encoder.sent(block), *ends])
    _, ends_at, content = texts.buffers()
    size = int(np.frombuffer(ends_at, dtype=np.int32)[len(texts)])
    return b"".join([memoryview(content)[1:size], b"\n"])


def _messages(steps: Sequence[tuple[int, str]], end: int) -> list[str]:
    """Return the messages on the way to a step: each step has the one before it and its message."""
    messages = []
    while end:
        end, message = steps[end]
        messages.append(message)
    return messages[::-1]


def _listed(messages: list[str]) -> str:
    shown = max(1, sum(end <= _ERROR_CHARACTERS for end in accumulate(map(len, messages))))
    rest = len(messages) - shown
    return "; ".join([*messages[:shown], f"and {rest} more"] if rest else messages)
