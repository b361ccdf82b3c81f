"""The rows of a CSV in their order, some at a time: checked, and as they came."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from artifacts.signature import Batch
from artifacts.values import Fault
from serve.dialects.csv.csv_lines import Lines

# So much is told of what is wrong with one row; further mistakes are counted.
_ERROR_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class RecordBlock:
    """
    Some rows, each read by itself.

    Attributes:
        cells: A row each, as they came; where there were too few they are filled up, surplus ones are cut.
        lines: The physical line that each row began on.
        batch: The rows, checked.
    """

    cells: list[list[str]]
    lines: list[int]
    batch: Batch

    def errors(self, faults: Sequence[Fault]) -> list[str]:
        """Shape (rows,): what is wrong with each row, or an empty text; `faults` are all that were found."""
        # Rows with the same mistakes share one text, however many they are: each is a way through these steps.
        steps, reached = [(0, "")], np.zeros(len(self.lines), dtype=np.intp)
        for fault in faults:
            message = f"{fault.column}: {fault.message}" if fault.column else fault.message
            before, ways = np.unique(reached[fault.rows], return_inverse=True)
            reached[fault.rows] = len(steps) + ways
            steps += [(step, message) for step in before.tolist()]
        ends = reached.tolist()
        texts = {end: _joined(_messages(steps, end)) for end in set(ends) - {0}}
        return [f"line {line}: {texts[end]}" if end else "" for end, line in zip(ends, self.lines, strict=True)]


@dataclass(frozen=True, slots=True)
class PlainBlock:
    """
    Some rows, of which most are plainly right: these were read at once.

    Attributes:
        lines: These rows, as they came.
        batch: These rows, all of them good.
        odd: The other rows, each read by itself; None if there are none.
        is_plain: Shape (all rows,), which of them are in `lines`.
    """

    lines: Lines
    batch: Batch
    odd: RecordBlock | None
    is_plain: NDArray[np.bool_]
    delimiter: str

    def records(self, rows: NDArray[np.intp]) -> RecordBlock:
        """Some of the plain rows as records."""
        keep = np.zeros(len(self.lines.numbers), dtype=bool)
        keep[rows] = True
        lines = self.lines.kept(keep)
        return RecordBlock(lines.cells(self.delimiter) or [], lines.numbers.tolist(), self.batch)

    def joined(self, written: pa.StringArray, odd: Sequence[bytes], replaced: dict[int, bytes]) -> bytes:
        """
        The answers to all rows, in order.

        Args:
            written: Those to the plain rows, each behind a line break.
            odd: Those to the other rows, without a line break.
            replaced: Those that take the place of a plain one.
        """
        _, places, content = written.buffers()
        ends = np.frombuffer(places, dtype=np.int32)[written.offset : written.offset + len(written) + 1]
        before = np.cumsum(self.is_plain)[~self.is_plain].tolist()
        cuts = [(row, 0, text) for row, text in zip(before, odd, strict=True)]
        cuts += [(row, 1, text) for row, text in replaced.items()]
        text, begin = memoryview(content), 0
        pieces: list[bytes | memoryview] = []
        # By row: sorted as they are, two odd rows in one place would change places by their texts.
        for row, taken, answer in sorted(cuts, key=lambda cut: cut[:2]):
            pieces += [text[ends[begin] : ends[row]], b"\n", answer]
            begin = row + taken
        pieces.append(text[ends[begin] : ends[-1]])
        return b"".join([*pieces, b"\n"])[1:]


Block: TypeAlias = RecordBlock | PlainBlock


def _messages(steps: Sequence[tuple[int, str]], end: int) -> list[str]:
    """What is told on the way to a step: of each, the one before it and its message."""
    messages = []
    while end:
        end, message = steps[end]
        messages.append(message)
    return messages[::-1]


def _joined(messages: list[str]) -> str:
    told = max(1, sum(end <= _ERROR_CHARACTERS for end in accumulate(map(len, messages))))
    rest = len(messages) - told
    return "; ".join([*messages[:told], f"and {rest} more"] if rest else messages)
