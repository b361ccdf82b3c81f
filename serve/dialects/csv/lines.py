"""The lines of a CSV that are a record each, taken from the file as bytes, many at once."""

import csv
import re
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from serve.dialects import arrays

# So much is read at once, and so many rows are a block at most: large enough that what is done once a block costs
# little, small enough that it stays in the processor's memory.
CHUNK_BYTES = 2**18
CHUNK_ROWS = 10_000
# The answers to the rows of a block, all together.
_ANSWER_CHARACTERS = 2**20
_MARK = "\ufeff".encode()


@dataclass(frozen=True, slots=True)
class Lines:
    """
    Lines that follow each other, the blank ones left out.

    Attributes:
        texts: Each line behind the line break before it, without its own: in memory they are one CSV.
        numbers: Shape (lines,), the physical line that each one is.
        taken: How many bytes they take in the file, blank ones included.
        breaks: How many physical lines these are.
        has_quotes: Whether there is one anywhere in them.
    """

    texts: pa.StringArray
    numbers: NDArray[np.intp]
    taken: int
    breaks: int
    has_quotes: bool

    def kept(self, keep: NDArray[np.bool_]) -> "Lines":
        """Some of these lines."""
        return replace(self, texts=self.texts.filter(arrays.flags(keep)), numbers=self.numbers[keep])

    def cells(self, delimiter: str) -> list[list[str]] | None:
        """The cells of each line as the slow reader reads them; None if one of them is no record by itself."""
        texts = [text[1:] for text in self.texts.to_pylist()]
        try:
            found = list(csv.reader(texts, delimiter=delimiter, strict=True))
        except csv.Error:
            return None
        # A record that went on in the next line has swallowed it.
        return found if len(found) == len(texts) else None

    def matching(self, signs: str) -> NDArray[np.bool_]:
        """Shape (lines,): which of them match a regular expression somewhere."""
        return arrays.are_set(pc.match_substring_regex(self.texts, signs))

    def widths(self, delimiter: str) -> NDArray[np.intp]:
        """Shape (lines,): how many cells each has if none of its delimiters is in quotes."""
        ends, content = self._ends, np.frombuffer(self.texts.buffers()[2], dtype=np.uint8)
        places = np.flatnonzero(content[: ends[-1]] == ord(delimiter))
        return np.diff(np.searchsorted(places, ends)) + 1

    @property
    def csv(self) -> pa.Buffer:
        """The lines as they stand in the file, after the first line break."""
        ends = self._ends
        return self.texts.buffers()[2][int(ends[0]) + 1 : int(ends[-1])]

    @property
    def _ends(self) -> NDArray[np.int32]:
        places = np.frombuffer(self.texts.buffers()[1], dtype=np.int32)
        return places[self.texts.offset : self.texts.offset + len(self.texts) + 1]


@dataclass(frozen=True, slots=True)
class LineLimits:
    """What a line may be to be read at once with others."""

    max_bytes: int
    answered: int
    delimiter: str
    part: int = 1

    @property
    def rows(self) -> int:
        """How many may be one block, or such a part of one; one may in any case."""
        return max(1, min(CHUNK_ROWS, _ANSWER_CHARACTERS // max(1, self.answered) + 1) // self.part)


def take(file: BinaryIO, offset: int, line: int, limits: LineLimits) -> Lines | None:
    """
    The lines from a place on, as many as fit into a block; None if they need a closer look.

    That is where one of them is long, where a line ends in CR only, and where there is none.

    Args:
        file: The whole CSV.
        offset: Of the byte that the first line begins with.
        line: The number of that line.
        limits: Of a line and of a block.
    """
    file.seek(offset)
    chunk = _whole(file.read(CHUNK_BYTES))
    if not chunk:
        return None
    ends = _breaks(chunk)[: limits.rows]
    chunk = chunk[: ends[-1] + 1]
    content = b"\n" + (chunk.replace(b"\r\n", b"\n") if b"\r" in chunk else chunk)
    if b'"' in content:
        content = _unquoted(content, limits.delimiter)
    places = np.concatenate([[0], ends + 1] if len(content) == len(chunk) + 1 else [_breaks(content)], dtype=np.int32)
    lengths = np.diff(places)
    # Arrow takes what looks like a byte order mark for one.
    if b"\r" in content or content.startswith(_MARK, 1) or lengths.max() > limits.max_bytes or lengths.max() == 1:
        return None
    texts = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(places), pa.py_buffer(content))
    lines = Lines(texts, np.arange(line, line + len(lengths)), len(chunk), len(lengths), b'"' in content)
    return lines if lengths.min() > 1 else lines.kept(lengths > 1)


def _whole(chunk: bytes) -> bytes:
    """The lines of a chunk that are there to their end; the last one of the file needs none."""
    if len(chunk) < CHUNK_BYTES and not chunk.endswith(b"\n"):
        return chunk + b"\n" if chunk else b""
    return chunk[: chunk.rfind(b"\n") + 1]


def _unquoted(content: bytes, delimiter: str) -> bytes:
    """The lines without their quotes, if none of them needs any: that is how the slow writer writes their cells."""
    border = f"[{delimiter}\n]".encode()
    inner = f'[^{delimiter}\n"]+'.encode()
    bare = re.sub(b'(?<=%b)"(%b)"(?=%b)' % (border, inner, border), rb"\1", content)
    return content if b'"' in bare else bare


def _breaks(content: bytes) -> NDArray[np.intp]:
    return np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == ord("\n"))
