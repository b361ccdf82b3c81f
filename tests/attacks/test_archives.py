"""Archives and documents sent as CSV to the running server: recognised by their first bytes, and never unpacked."""

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from contextlib import closing

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.dialects.csv.encoding import check_text
from tests.support.bodies import HEADER, LINE, assert_refused_in_silence, column, quoted, table
from tests.support.server import Api, slug

UPLOAD = "/api/v1/predict/csv"


def zipped(name: str = "rows.csv", content: bytes = table(LINE), method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with one file in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def _tarred(form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        entry = tarfile.TarInfo("rows.csv")
        entry.size = len(table(LINE))
        archive.addfile(entry, io.BytesIO(table(LINE)))
    return buffer.getvalue()


def _database() -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("create table rows (x)")
        return connection.serialize()


FOREIGN = {
    "gzip": (gzip.compress(table(LINE)), "gzip: send the CSV unpacked"),
    "gzip of nothing": (gzip.compress(b""), "gzip"),
    "compress": (b"\x1f\x9d\x90" + table(LINE), "(.Z)"),
    "bzip2": (bz2.compress(table(LINE)), "bzip2: send the CSV unpacked"),
    "bzip2, fast": (bz2.compress(table(LINE) * 9999, 1), "bzip2"),
    "bzip2 of nothing": (bz2.compress(b""), "bzip2"),
    "xz": (lzma.compress(table(LINE)), "xz: send the CSV unpacked"),
    "lzma": (lzma.compress(table(LINE), lzma.FORMAT_ALONE), "xz"),
    "lzip": (b"LZIP\x01\x0c", "lzip"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x58" + table(LINE), "zstd: send the CSV unpacked"),
    "zstd, a frame to skip": (b"\x5e\x2a\x4d\x18\x01\0\0\0x", "zstd"),
    "lz4": (b"\x04\x22\x4d\x18\x64\x40\xa7", "lz4"),
    "snappy": (b"\xff\x06\0\0sNaPpY", "snappy"),
    "zip": (zipped(), "a spreadsheet or zip archive: save it as CSV"),
    "zip of nothing": (b"PK\x05\x06" + bytes(18), "zip archive"),
    "zip in parts": (b"PK\x07\x08" + zipped(), "zip archive"),
    "xlsx": (zipped("[Content_Types].xml", b"<Types/>"), "a spreadsheet or zip archive: save it as CSV"),
    "ods": (zipped("mimetype", b"application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED), "spreadsheet"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old Office: save it as CSV"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04", "7z archive: send the CSV unpacked"),
    "rar 4": (b"Rar!\x1a\x07\0", "rar archive: send the CSV unpacked"),
    "rar 5": (b"Rar!\x1a\x07\x01\0", "rar archive"),
    "cab": (b"MSCF\0\0\0\0", "cab archive"),
    "tar, POSIX": (_tarred(tarfile.PAX_FORMAT), "tar archive"),
    "tar, GNU": (_tarred(tarfile.GNU_FORMAT), "tar archive"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF: save it as CSV"),
    "PDF, CR LF": (b"%PDF-1.4\r\n%\xe2\xe3\xcf\xd3\r\n", "a PDF"),
    "PDF, text only": (b"%PDF-1.1\n1 0 obj\n<< >>\nendobj\n", "a PDF"),
    "Parquet": (b"PAR1\x15\x04\x15\x10\x15\x14\x4c\x15\x02", "Parquet: save it as CSV"),
    "Parquet without rows": (b"PAR1\x15\x04\x19\x1c\x35\0", "Parquet"),
    "Parquet, encrypted": (b"PARE\x2c\0\0\0abc", "Parquet"),
    "ORC": (b"ORC\x11\0\0\n\x06\x12", "ORC"),
    "Arrow": (b"ARROW1\0\0\xff\xff\xff\xff", "Arrow"),
    "Avro": (b"Obj\x01\x04\x14avro.codec", "Avro"),
    "HDF5": (b"\x89HDF\r\n\x1a\n\0\0", "HDF5"),
    "SQLite": (_database(), "SQLite"),
}

# Names of a first column that begin like an archive.
LETTERS = "PK PK00PK PAR1 PARE PAR1_a ORC Obj Rar! Rar 7z LZIP MSCF ARROW1 FEA1 HDF BZh9 BZh9x BZh91AY&SY %PDF %PDF-1.7"
NAMES = [*LETTERS.split(), "%PDF-1.7 a", "BZh91AY&SYabcd", "P*M", "(x", "]", "\x1f", "SQLite format 3", "Ð", "þ"]


def _form(api: Api, body: bytes) -> httpx2.Response:
    return api.server.client.post(UPLOAD, files={"file": ("rows.csv", body, "text/csv")}, headers=api.headers)


@pytest.mark.parametrize(("body", "detail"), FOREIGN.values(), ids=FOREIGN)
def test_an_archive_or_a_document_is_415(api: Api, body: bytes, detail: str) -> None:
    """As a body and as the file of a form it is refused, and the detail names the format and what to send instead."""
    for answer in (api.post_csv(body), _form(api, body)):
        assert answer.status_code == 415
        assert slug(answer) == "unsupported-media-type"
        assert detail in answer.json()["detail"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_column_may_be_named_as_archives_begin(api: Api, name: str) -> None:
    """A header that begins with the letters of a format is text, unless bytes follow that no text has."""
    body = table(f"1,{LINE}", header=f"{quoted(name)},{HEADER}")

    for answer in (api.post_csv(body), _form(api, body)):
        assert column(answer, "prediction") == ["setosa"]


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\xff", b",\xe9"])
@pytest.mark.parametrize("start", [b"PAR1", b"ORC", b"PK", b"BZh9", b"%PDF", b"Rar!", b"ustar"])
def test_text_that_begins_like_an_archive_is_refused_as_text(api: Api, start: bytes, end: bytes) -> None:
    """Without bytes that no text has, the error is that of the encoding or of the columns."""
    answer = api.post_csv(start + end)

    assert answer.status_code == 422
    assert slug(answer) == ("csv-encoding" if end[-1:] > b"\x7f" else "csv-columns")


@pytest.mark.parametrize(
    "archive", [zipped(), gzip.compress(b"x"), zipped(content=b"a" * 2**20)], ids=["zip", "gzip", "bomb"]
)
def test_an_archive_behind_a_table_is_not_text(api: Api, archive: bytes) -> None:
    """A table with an archive at its end is 422 as a whole, and the detail has the position of the invalid byte."""
    rows = table(LINE)

    answer = api.post_csv(rows + archive)

    assert (answer.status_code, slug(answer)) == (422, "csv-encoding")
    assert 0 < int(answer.json()["detail"].rsplit("byte ", 1)[1].split()[0]) - len(rows) < len(archive)


def test_names_of_archive_formats_below_a_table_are_text(api: Api) -> None:
    """Later lines that begin like an archive are rows, each with an error of its own."""
    answer = api.post_csv(table(LINE, "%PDF-1.1", "BZh91AY&SY", "PK", "7z"))

    assert column(answer, "prediction") == ["setosa", "", "", "", ""]


def test_archives_in_archives_are_not_opened(api: Api) -> None:
    """Five layers of sixteen zips, gigabytes if they were unpacked, are refused by their first bytes at once."""
    bomb = zipped(content=bytes(2**24))
    for _ in range(5):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(16):
                archive.writestr(f"{number}.zip", bomb)
        bomb = buffer.getvalue()
    before_s = api.server.cpu_s

    answer = api.post_csv(bomb)

    assert slug(answer) == "unsupported-media-type"
    assert api.server.cpu_s - before_s < 1
    assert_refused_in_silence(api, answer)


@given(start=st.sampled_from(NAMES), rest=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=600))
def test_text_is_never_taken_for_an_archive(start: str, rest: str) -> None:
    """A header without control characters is accepted as text, whatever it begins with."""
    check_text(io.BytesIO(f"{start},{rest}".encode()))


def test_a_long_name_is_not_taken_for_a_tar() -> None:
    """`ustar` at the position where a tar archive has it is accepted within a text."""
    for end in (",a\n", "  ,a\n", " 00,a\n"):
        check_text(io.BytesIO(b"x" * 257 + b"ustar" + end.encode()))
