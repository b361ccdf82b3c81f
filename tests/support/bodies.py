"""What tests send as JSON and CSV, and how they read what comes back."""

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

# A text that is in no message of ours: where it turns up, something that was sent came back.
CANARY = "kanarienvogel"


def instances(value: str) -> bytes:
    """A body whose `instances` are this very text."""
    return f'{{"instances": {value}}}'.encode()


def cell(literal: str) -> bytes:
    """A body of one row, good but for this literal in its last column."""
    return instances(f"[[5.1, 3.5, 1.4, {literal}]]")


def table(*lines: str, header: str = HEADER, end: str = "\n") -> bytes:
    """A CSV of these lines."""
    return "".join(line + end for line in (header, *lines)).encode()


def quoted(text: str) -> str:
    """A CSV cell that holds exactly this text."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',;\t"\r\n') else text


def records(answer: httpx2.Response, *, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV that was answered, by column, as an independent parser reads them."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = io.StringIO(answer.content.decode(), newline="")
    return list(csv.DictReader(text, delimiter=delimiter, strict=True))


def column(answer: httpx2.Response, name: str) -> list[str]:
    """One column of a CSV that was answered."""
    return [record[name] for record in records(answer)]


def strict_json(answer: httpx2.Response) -> Any:
    """The body, which must be JSON as the standard has it: no NaN, no infinity."""
    return json.loads(answer.content, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))


def mistakes(answer: httpx2.Response) -> list[tuple[int, str | None, str]]:
    """The listed mistakes of an answer: row, column and code."""
    return [(entry["row"], entry["column"], entry["code"]) for entry in strict_json(answer)["errors"]]


def assert_refused_in_silence(api: Api, answer: httpx2.Response, sent: Sequence[str] = (CANARY,)) -> None:
    """Nothing of what was sent is in the answer or in the log, and the next good request is answered."""
    assert answer.status_code < 500
    assert strict_json(answer)["status"] == answer.status_code
    log = api.server.log.read_text()
    assert not [text for text in sent if text in answer.text or text in log]
    assert api.predict([ROW]).json()["predictions"] == ["setosa"]


def as_json(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as a body of vectors."""
    return json.dumps({"instances": [list(row) for row in rows]}).encode()
