"""Lines of a CSV that are one record each, taken from the file as bytes, many at once."""

import csv
import re
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from serve.dialects import arrays

# The bytes that are read at once, and the rows of a block at most: so many that the work per block costs little, so few
# that they fit into the processor's cache.
CHUNK_BYTES = 2**18
CHUNK_ROWS = 10_000
# The size of the answer to a block.
_ANSWER_CHARACTERS = 2**20
_MARK = "\ufeff".encode()


@dataclass(frozen=True, slots=True)
class Lines:
    """
    Lines that follow each other, without the blank ones.

    Attributes:
        texts: Each line with the line break before it, and not its own: in memory they are one CSV.
        numbers: Shape (lines,), the number of each physical line.
        taken: How many bytes they take in the file, blank lines included.
        breaks: How many physical lines these are, blank ones included.
        has_quotes: Whether any of them has a quote.
    """

    texts: pa.StringArray
    numbers: NDArray[np.intp]
    taken: int
    breaks: int
    has_quotes: bool

    def kept(self, keep: NDArray[np.bool_]) -> "Lines":
        """Return some of these lines."""
        return replace(self, texts=self.texts.filter(arrays.flags(keep)), numbers=self.numbers[keep])

    def cells(self, delimiter: str) -> list[list[str]] | None:
        """Return the cells of each line, by the csv module; None if one of them is not a whole record."""
        texts = [text[1:] for text in self.texts.to_pylist()]
        try:
            cells = list(csv.reader(texts, delimiter=delimiter, strict=True))
        except csv.Error:
            return None
        # A record that continues in the next line takes that too.
        return cells if len(cells) == len(texts) else None

    def matching(self, signs: str) -> NDArray[np.bool_]:
        """Return which lines, shape (lines,), match a regular expression somewhere."""
        return arrays.are_set(pc.match_substring_regex(self.texts, signs))

    def widths(self, delimiter: str) -> NDArray[np.intp]:
        """Return how many cells each line has, shape (lines,), if none of its delimiters is in quotes."""
        ends, content = self._ends, np.frombuffer(self.texts.buffers()[2], dtype=np.uint8)
        places = np.flatnonzero(content[: ends[-1]] == ord(delimiter))
        return np.diff(np.searchsorted(places, ends)) + 1

    @property
    def csv(self) -> pa.Buffer:
        """Return the lines as one CSV."""
        ends = self._ends
        return self.texts.buffers()[2][int(ends[0]) + 1 : int(ends[-1])]

    @property
    def _ends(self) -> NDArray[np.int32]:
        places = np.frombuffer(self.texts.buffers()[1], dtype=np.int32)
        return places[self.texts.offset : self.texts.offset + len(self.texts) + 1]


def block_rows(answered: int, *, part: int = 1) -> int:
    """
    Return how many lines are a block at most, or such a part of one; it has room for one in any case.

    Args:
        answered: How many characters the answer to a row has, about.
        part: What part of a block.
    """
    return max(1, min(CHUNK_ROWS, _ANSWER_CHARACTERS // max(1, answered) + 1) // part)


def take(file: BinaryIO, offset: int, line: int, *, delimiter: str, max_bytes: int, max_rows: int) -> Lines | None:
    """
    Return the next lines; None if they are not a record each for all that can be seen.

    That is where one of them is long, where a line ends in CR only, and at the end.

    Args:
        file: The whole CSV.
        offset: Of the byte that the first line begins with.
        line: The number of that line.
        delimiter: The character between cells.
        max_bytes: How long a line may be.
        max_rows: How many lines are taken at most.
    """
    file.seek(offset)
    chunk = _whole(file.read(CHUNK_BYTES))
    if not chunk:
        return None
    ends = _breaks(chunk)[:max_rows]
    chunk = chunk[: ends[-1] + 1]
    content = b"\n" + (chunk.replace(b"\r\n", b"\n") if b"\r" in chunk else chunk)
    if b'"' in content:
        content = _unquoted(content, delimiter)
    places = np.concatenate([[0], ends + 1] if len(content) == len(chunk) + 1 else [_breaks(content)], dtype=np.int32)
    lengths = np.diff(places)
    # Arrow takes what looks like a byte order mark for one.
    if b"\r" in content or content.startswith(_MARK, 1) or lengths.max() > max_bytes or lengths.max() == 1:
        return None
    texts = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(places), pa.py_buffer(content))
    lines = Lines(texts, np.arange(line, line + len(lengths)), len(chunk), len(lengths), b'"' in content)
    return lines if lengths.min() > 1 else lines.kept(lengths > 1)


def _whole(chunk: bytes) -> bytes:
    """Return the whole lines of a chunk; the last line of the file needs no line break."""
    if len(chunk) < CHUNK_BYTES and not chunk.endswith(b"\n"):
        return chunk + b"\n" if chunk else b""
    return chunk[: chunk.rfind(b"\n") + 1]


def _unquoted(content: bytes, delimiter: str) -> bytes:
    """Return lines without quotes if none of them needs any, as the csv module writes their cells."""
    border = f"[{delimiter}\n]".encode()
    inner = f'[^{delimiter}\n"]+'.encode()
    bare = re.sub(b'(?<=%b)"(%b)"(?=%b)' % (border, inner, border), rb"\1", content)
    return content if b'"' in bare else bare


def _breaks(content: bytes) -> NDArray[np.intp]:
    return np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == ord("\n"))
