"""Whether a file is text in UTF-8; other formats are recognised by their first bytes, and nothing is unpacked."""

import codecs
import re
from typing import BinaryIO

from serve.errors import InvalidInput

_HEAD_BYTES = 512
_CHUNK = 2**20
MARK = codecs.BOM_UTF8

_UNPACK = "send the CSV unpacked"
_SAVE = "save it as CSV"

# Each pattern has a byte that no table begins with, a control character or one that is not UTF-8: a column may be
# called PK, BZh9 or PAR1. bzip2 has such a byte after the checksum of its first block, Parquet and ORC in their first
# structure. A PDF may be all text, but its first line cannot be a header.
_KINDS = (
    ("gzip", _UNPACK, rb"\x1f\x8b"),
    ("a compressed file (.Z)", _UNPACK, rb"\x1f[\x9d\xa0]"),
    ("bzip2", _UNPACK, rb"BZh[1-9](?:1AY&SY.{4}[\x00-\x07]|\x17rE8P\x90)"),
    ("xz", _UNPACK, rb"\xfd7zXZ\x00|\x5d\x00\x00"),
    ("lzip", _UNPACK, rb"LZIP[\x00\x01]"),
    ("zstd", _UNPACK, rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    ("lz4", _UNPACK, rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18"),
    ("snappy", _UNPACK, rb"\xff\x06\x00\x00sNaPpY"),
    ("a spreadsheet or zip archive", _SAVE, rb"PK(?:\x03\x04|\x05\x06|\x07\x08|00PK\x03\x04)"),
    ("a spreadsheet or document of an old Office", _SAVE, rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ("a 7z archive", _UNPACK, rb"7z\xbc\xaf\x27\x1c"),
    ("a rar archive", _UNPACK, rb"Rar!\x1a\x07"),
    ("a cab archive", _UNPACK, rb"MSCF\x00\x00\x00\x00"),
    ("a tar archive", _UNPACK, rb".{257}ustar(?:\x00|  \x00)"),
    ("a PDF", _SAVE, rb"%PDF-[0-9]\.[0-9][ \t]*(?:[\r\n]|%[\x80-\xff])"),
    ("Parquet", _SAVE, rb"PAR[1E].{0,8}[\x00-\x08\x0e-\x1f]"),
    ("ORC", _SAVE, rb"ORC.{0,8}[\x00-\x08\x0e-\x1f]"),
    ("Arrow", _SAVE, rb"ARROW1\x00\x00|FEA1\x00"),
    ("Avro", _SAVE, rb"Obj\x01"),
    ("HDF5", _SAVE, rb"\x89HDF\r\n\x1a\n"),
    ("an SQLite database", _SAVE, rb"SQLite format 3\x00"),
)
_PATTERNS = tuple((what, advice, re.compile(pattern, re.DOTALL)) for what, advice, pattern in _KINDS)


def check_text(file: BinaryIO) -> None:
    """
    Read the whole file once, so that invalid bytes are found before anything is answered.

    Raises:
        InvalidInput: It is an archive, a document, a table in another format, or not UTF-8.
    """
    file.seek(0)
    _refuse_other_formats(file.read(_HEAD_BYTES))
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    offset = 0
    while chunk := file.read(_CHUNK):
        if b"\0" in chunk:
            is_wide = not offset and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            place = offset + chunk.index(0)
            raise _not_utf8(place, "UTF-16") if is_wide else _not_text(f"byte {place} is NUL")
        pending = len(decoder.getstate()[0])
        if pending or not chunk.isascii():
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise _not_utf8(offset - pending + error.start) from error
        offset += len(chunk)
    if pending := len(decoder.getstate()[0]):
        raise _not_utf8(offset - pending)


def _refuse_other_formats(head: bytes) -> None:
    for what, advice, pattern in _PATTERNS:
        if pattern.match(head):
            raise InvalidInput("unsupported-media-type", f"this is {what}: {advice}")


def _not_utf8(offset: int, known: str = "WINDOWS-1252") -> InvalidInput:
    advice = f"Save it as CSV UTF-8, or, if it is {known}: iconv -f {known} -t UTF-8"
    return _not_text(f"see byte {offset}. {advice}")


def _not_text(detail: str) -> InvalidInput:
    return InvalidInput("csv-encoding", f"the CSV is not UTF-8 text: {detail}")
