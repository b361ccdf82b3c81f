"""Files that are no text, known by the bytes that they begin with; nothing of them is unpacked."""

import re

from serve.errors import InvalidInput

HEAD_BYTES = 512

_UNPACK = "send the CSV unpacked"
_SAVE = "save it as CSV"

# Each holds a byte that no table begins with, a control character or one that is not UTF-8: a column may be called PK,
# BZh9 or PAR1. After the checksum of its first block bzip2 has such a byte, and so has the first structure of Parquet
# and of ORC. A PDF may be all text, but no header is its first line.
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
    ("a spreadsheet or document of an old CommandContext", _SAVE, rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
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


def refuse_foreign(head: bytes) -> None:
    """
    Pass what may be text.

    Args:
        head: The first 512 bytes, or all if there are fewer.

    Raises:
        InvalidInput: It is an archive, a document, or a table in another format.
    """
    for what, advice, pattern in _PATTERNS:
        if pattern.match(head):
            raise InvalidInput("unsupported-media-type", f"this is {what}: {advice}")
