"""Only text in UTF-8 is read as CSV; of anything else the error says what it is, and what to do."""

import io

import pytest

from serve.dialects.csv import encoding
from serve.dialects.csv.encoding import check_text
from serve.errors import InvalidInput


def _refusal(content: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        check_text(io.BytesIO(content))
    return f"{caught.value.code}: {caught.value}"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 2**20])
def test_text_passes_wherever_it_is_cut(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A character of several bytes may lie across two chunks."""
    monkeypatch.setattr(encoding, "_CHUNK", size)

    check_text(io.BytesIO("\ufeffa,é,\U0001f338\nPK,BZh9,PAR1\n".encode()))


@pytest.mark.parametrize("size", [1, 2, 3, 2**20])
@pytest.mark.parametrize(("content", "place"), [(b"abc\xe9d", 3), (b"ab\xc3", 2), ("aé".encode() + b"\xff", 3)])
def test_the_first_invalid_byte_is_named(
    content: bytes, place: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its position does not depend on the size of chunks."""
    monkeypatch.setattr(encoding, "_CHUNK", size)

    assert f"see byte {place}. Save it as CSV UTF-8" in _refusal(content)


def test_utf_16_is_recognised() -> None:
    """UTF-16 is named in the error; other files with a NUL are not text."""
    assert "iconv -f UTF-16" in _refusal("a,b".encode("utf-16"))
    assert _refusal(b"a,b\0") == "csv-encoding: the CSV is not UTF-8 text: byte 3 is NUL"


@pytest.mark.parametrize(
    ("head", "what"),
    [(b"\x1f\x8b\x08", "gzip: send the CSV unpacked"), (b"PK\x03\x04", "a spreadsheet or zip archive: save it as CSV")],
)
def test_other_formats_are_named(head: bytes, what: str) -> None:
    """A format is recognised by its first bytes, and nothing is unpacked."""
    assert _refusal(head) == f"unsupported-media-type: this is {what}"
