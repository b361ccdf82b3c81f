"""Bodies of requests in JSON and CSV, and parsers of responses."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import httpx2
import pytest

from tests.support.server import Api

COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
HEADER = ",".join(COLUMNS)
ROW = (5.1, 3.5, 1.4, 0.2)
LINE = "5.1,3.5,1.4,0.2"
RECORD = dict(zip(COLUMNS, ROW, strict=True))

# A text that no message contains: if it occurs in one, a value that was sent is shown.
CANARY = "kanarienvogel"


def instances(value: str) -> bytes:
    """Return a body with this text as `instances`."""
    return f'{{"instances": {value}}}'.encode()


def cell(literal: str) -> bytes:
    """Return a body of one row that is valid except for this literal in its last column."""
    return instances(f"[[5.1, 3.5, 1.4, {literal}]]")


def table(*lines: str, header: str = HEADER, end: str = "\n") -> bytes:
    """Return a CSV of these lines."""
    return "".join(line + end for line in (header, *lines)).encode()


def quoted(text: str) -> str:
    """Return a CSV cell with exactly this text."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',;\t"\r\n') else text


def records(answer: httpx2.Response, *, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of a CSV response by column, as the standard library parses them."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = io.StringIO(answer.content.decode(), newline="")
    return list(csv.DictReader(text, delimiter=delimiter, strict=True))


def column(answer: httpx2.Response, name: str) -> list[str]:
    """Return one column of a CSV response."""
    return [record[name] for record in records(answer)]


def strict_json(answer: httpx2.Response) -> Any:
    """Parse a body, which must be standard JSON: without NaN and infinity."""
    return json.loads(answer.content, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))


def mistakes(answer: httpx2.Response) -> list[tuple[int, str | None, str]]:
    """Return the row, column and code of each listed mistake."""
    return [(entry["row"], entry["column"], entry["code"]) for entry in strict_json(answer)["errors"]]


def assert_refused_in_silence(api: Api, answer: httpx2.Response, sent: Sequence[str] = (CANARY,)) -> None:
    """Check that neither response nor log shows what was sent, and that the next valid request is answered."""
    assert answer.status_code < 500
    assert strict_json(answer)["status"] == answer.status_code
    log = api.server.log.read_text()
    assert not [text for text in sent if text in answer.text or text in log]
    assert api.predict([ROW]).json()["predictions"] == ["setosa"]


def as_json(rows: Iterable[Sequence[object]]) -> bytes:
    """Return a body with rows as arrays."""
    return json.dumps({"instances": [list(row) for row in rows]}).encode()
