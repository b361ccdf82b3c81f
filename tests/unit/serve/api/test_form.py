"""A form with one file."""

import asyncio

import pytest
from fastapi import HTTPException, Request

from serve.api.form import file_of
from serve.errors import InvalidInput

FILE = 'name="file"; filename="a.csv"'


def _form(*parts: tuple[str, str], end: str = "--b--\r\n") -> bytes:
    written = [f"--b\r\nContent-Disposition: form-data; {name}\r\n\r\n{content}\r\n" for name, content in parts]
    return ("".join(written) + end).encode()


def _file(body: bytes) -> bytes:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def read() -> bytes:
        headers = [(b"content-type", b"multipart/form-data; boundary=b")]
        upload = await file_of(Request({"type": "http", "headers": headers}, receive))
        content = await upload.read()
        await upload.close()
        return content

    return asyncio.run(read())


def test_the_file_of_a_form_is_returned() -> None:
    """Small fields next to it are ignored."""
    assert _file(_form(("name=x", "1"), (FILE, "a,b\n"))) == b"a,b\n"


def test_a_form_without_a_file_is_explained() -> None:
    """A field of that name is not a file."""
    with pytest.raises(InvalidInput, match="curl -F") as caught:
        _file(_form(("name=file", "a,b\n")))

    assert caught.value.code == "file-missing"


@pytest.mark.parametrize(
    "body",
    [
        _form((FILE, "a,b\n"), end=""),
        _form((FILE, "a,b\n"), end="--b\r\n"),
        _form((FILE, "a,b\n"), (FILE, "c\n")),
        _form((FILE, "a,b\n"), ("name=x", "1"), ("name=x", "2")),
        _form((FILE, "a,b\n"), *((f"name=x{number}", "1") for number in range(5))),
        _form((FILE, "a,b\n"), ("name=x", "1" * 70_000)),
        b"no form",
    ],
    ids=["cut", "without an end", "two files", "a field twice", "many fields", "a large field", "none"],
)
def test_other_forms_are_refused(body: bytes) -> None:
    """Half a form is never taken for a whole one."""
    with pytest.raises(HTTPException) as caught:
        _file(body)

    assert caught.value.status_code == 400
