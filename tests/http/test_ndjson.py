"""NDJSON over HTTP: when it is the response, and that it has the same content as CSV."""

import json
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from serve.dialects.csv.lines import CHUNK_ROWS
from serve.dialects.csv.records import BLOCK_ROWS
from tests.conftest import WIDTH
from tests.support.bodies import COLUMNS, HEADER, LINE, ROW, column, quoted, records, table
from tests.support.server import Api, slug

CSV, NDJSON = "text/csv; charset=utf-8", "application/x-ndjson"
ADDED = ["prediction", "probability_setosa", "probability_versicolor", "probability_virginica", "error"]
UPLOADS = ["/api/v1/predict/csv", "/api/v1/models/iris/predict/csv"]
SINGLE, WIDE = "/api/v1/models/single/predict/csv", "/api/v1/models/wide/predict/csv"

HOSTILE = [
    "",
    " ",
    '"',
    "\\",
    "\\u2028",
    "\\\u2028",
    "a\nb\r\nc\rd",
    "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029",
    "\x01\x1b[31m\x7f",
    "</script>",
    "日本 \U0001f600 \ufeff",
    "1e5",
    "null",
    "}\n{",
]

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters, max_size=8) | st.sampled_from(HOSTILE)
names = texts.filter(lambda name: name.strip() not in {*COLUMNS, *ADDED})
numbers = st.floats(-1e6, 1e6).map(repr) | st.integers(-99, 99).map(str)
cells = st.one_of(numbers, numbers, numbers, numbers, texts)


def ask(api: Api, body: bytes, path: str = UPLOADS[0], *, accept: str | None = NDJSON) -> httpx2.Response:
    """Send a CSV and return the answer in the media types that the test accepts."""
    headers = {**api.headers, "Content-Type": "text/csv"}
    if accept is not None:
        headers["Accept"] = accept
    return api.server.client.post(path, content=body, headers=headers)


def objects(answer: httpx2.Response) -> list[dict[str, Any]]:
    """The rows of an NDJSON answer: each line is an object, however lines are split, and has no name twice."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NDJSON
    text = answer.content.decode()
    assert text.endswith("\n")
    lines = text.splitlines()
    assert lines == text[:-1].split("\n")
    return [json.loads(line, object_pairs_hook=_object, parse_constant=pytest.fail) for line in lines]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def as_cells(row: dict[str, Any], passed: int) -> dict[str, str]:
    """A row of NDJSON as the CSV has it: a number is the same text, since both write it as JSON does."""
    assert all(isinstance(value, str) for value in list(row.values())[:passed])
    return {name: _as_cell(value) for name, value in row.items()}


def _as_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return to_json(value).decode()
    return str(value).lower() if isinstance(value, bool) else str(value)


def assert_agree(ndjson: httpx2.Response, csv: httpx2.Response, *, delimiter: str = ",") -> None:
    """Both have the same rows in the same order, field by field and name by name."""
    wanted = records(csv, delimiter=delimiter)
    passed = list(wanted[0]).index("prediction")
    got = [as_cells(row, passed) for row in objects(ndjson)]
    assert [list(row.items()) for row in got] == [list(row.items()) for row in wanted]


@settings(max_examples=80, deadline=None)
@given(data=st.data(), delimiter=st.sampled_from(",;\t"))
def test_ndjson_has_the_same_content_as_csv(api: Api, data: st.DataObject, delimiter: str) -> None:
    """Good, bad, short and long rows, any name, any character and any delimiter: the fields are the same."""
    extra = data.draw(st.lists(names, max_size=3, unique_by=str.strip))
    header = data.draw(st.permutations([*COLUMNS, *extra]))
    rows = data.draw(st.lists(st.lists(cells, min_size=3, max_size=8), min_size=1, max_size=8))
    lines = [delimiter.join(map(quoted, line)) for line in [header, *rows]]
    body = table(*lines[1:], '"","","",""'.replace(",", delimiter), header=lines[0])

    answers = [ask(api, body, accept=accept) for accept in (NDJSON, CSV)]

    assert_agree(*answers, delimiter=delimiter)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_characters_that_json_escapes_are_returned_unchanged(api: Api, text: str) -> None:
    """A name and a cell of any characters are returned unchanged, and the object is on one line."""
    body = table(f"{LINE},{quoted(text)}", header=f"{HEADER},{quoted('n' + text)}")

    [row] = objects(ask(api, body))

    assert row["n" + text] == text


def test_a_row_is_an_object(api: Api) -> None:
    """Cells that were sent are texts under their own names, and added values have the types of a JSON response."""
    [row] = objects(ask(api, table(f"x,{LINE}", header=f" note ,{HEADER}")))

    wanted = api.predict([ROW]).json()
    assert list(row) == [" note ", *COLUMNS, *ADDED]
    assert list(row.values())[:5] == ["x", *LINE.split(",")]
    assert (row["prediction"], row["error"]) == ("setosa", None)
    assert [row[name] for name in ADDED[1:4]] == wanted["probabilities"][0]


def test_a_bad_row_is_null(api: Api) -> None:
    """It has its cells and the same error as in CSV; its neighbours are answered."""
    body = table("5.1", LINE, f"{LINE},7", "x,,3,4")

    rows = objects(ask(api, body))

    assert [row["error"] for row in rows] == [text or None for text in column(api.post_csv(body), "error")]
    assert [row["prediction"] for row in rows] == [None, "setosa", None, None]
    assert [rows[row][name] for row in (0, 2, 3) for name in ADDED[:4]] == [None] * 12
    assert [list(row.values())[:4] for row in rows[::2]] == [["5.1", "", "", ""], LINE.split(",")]


def test_a_boolean_is_a_boolean(zoo: Api) -> None:
    """Boolean classes are booleans and not texts, and name their columns as in CSV."""
    body = table("5,0.5,", "-5,0.5,NA", "x,0.5,1", header="count,ratio,extra")

    rows = objects(ask(zoo, body))

    assert [row["prediction"] for row in rows] == [True, False, None]
    assert list(rows[0])[3:] == ["prediction", "probability_false", "probability_true", "error"]
    assert_agree(ask(zoo, body), ask(zoo, body, accept=None))


def test_an_integer_is_an_integer(zoo: Api) -> None:
    """Integer classes are integers and not texts, and a model without probabilities adds none."""
    body = table(*(",".join([sign] * WIDTH) for sign in "19x"), header=",".join(f"x{place}" for place in range(WIDTH)))

    rows = objects(ask(zoo, body, WIDE))

    assert {type(row["prediction"]) for row in rows[:2]} == {int}
    assert list(rows[2])[WIDTH:] == ["prediction", "error"]
    assert_agree(ask(zoo, body, WIDE), ask(zoo, body, WIDE, accept=None))


def test_nothing_is_escaped_for_spreadsheets(zoo: Api) -> None:
    """No spreadsheet runs JSON: labels, names and cells stay as they are, even with SEPAL_CSV_ESCAPE=all."""
    rows = objects(ask(zoo, table("1,=1+1", "-1,@x", header="x,=note"), SINGLE))

    assert [row["prediction"] for row in rows] == ["=1+1", "@SUM(A1)"]
    assert [row["=note"] for row in rows] == ["=1+1", "@x"]
    assert list(rows[0])[3:5] == ["probability_=1+1", "probability_@SUM(A1)"]


@pytest.mark.parametrize("rows", [BLOCK_ROWS - 1, BLOCK_ROWS, CHUNK_ROWS, 2 * CHUNK_ROWS + 1])
def test_a_long_table_is_answered_in_order(api: Api, rows: int) -> None:
    """The rows of all blocks are returned in order, and the borders of blocks are not visible."""
    body = table(*(f"5.{row % 10},3.5,1.4,0.{row % 7},{row}" if row % 9 else "bad" for row in range(rows)))
    body = body.replace(HEADER.encode(), f"{HEADER},row".encode(), 1)

    assert_agree(ask(api, body), api.post_csv(body))


ACCEPTED = {
    "application/x-ndjson": NDJSON,
    "application/ndjson": NDJSON,
    "application/jsonl": NDJSON,
    "Application/X-NDJSON ; charset=utf-8": NDJSON,
    "application/x-ndjson, text/csv": NDJSON,
    "text/csv, application/x-ndjson": CSV,
    "text/html, application/jsonl, */*": NDJSON,
    "text/csv;q=0.5, application/x-ndjson": NDJSON,
    "text/csv;q=0.5, application/x-ndjson;q=0.50": CSV,
    "application/x-ndjson;q=0.9, text/csv; header=present ;Q=0.901": CSV,
    "application/x-ndjson;q=0": CSV,
    "application/x-ndjson;q=0.000, application/jsonl;q=0.001": NDJSON,
    "text/csv;q=0": NDJSON,
    "text/csv;q=0, */*": NDJSON,
    "text/csv;q=0, application/ndjson;q=0": CSV,
    "application/x-ndjson;q=nan, application/jsonl;q=2, application/ndjson;q=-1": CSV,
    "application/x-ndjson;q=, text/csv": CSV,
    "application/json": CSV,
    "*/*": CSV,
    ",;,;q=1,": CSV,
    "": CSV,
}


@pytest.mark.parametrize("path", UPLOADS)
@pytest.mark.parametrize("accept", ACCEPTED)
def test_the_accept_header_chooses_the_format(api: Api, accept: str, path: str) -> None:
    """The highest q of the two decides, then whichever is named first; else it is CSV, and never 406."""
    answer = ask(api, table(LINE), path, accept=accept)

    assert answer.headers["content-type"] == ACCEPTED[accept]
    assert answer.content.startswith(b"{" if ACCEPTED[accept] == NDJSON else HEADER.encode())


def test_accept_may_come_twice(api: Api) -> None:
    """Two Accept headers are read as one list, for forms too."""
    headers = [*api.headers.items(), ("Accept", "text/html"), ("Accept", NDJSON)]

    answer = api.server.client.post(UPLOADS[0], files={"file": ("a.csv", table(LINE))}, headers=headers)

    assert answer.content == ask(api, table(LINE)).content


@pytest.mark.parametrize(("body", "code"), [(b"", "csv-columns"), (table(), "no-rows"), (b"\xff", "csv-encoding")])
def test_a_problem_stays_a_problem(api: Api, body: bytes, code: str) -> None:
    """A file that cannot be read gets a problem document, whatever `Accept` says."""
    answer = ask(api, body)

    assert (answer.status_code, slug(answer)) == (422, code)


@pytest.mark.parametrize(("surplus", "status"), [(0, 200), (1, 422)])
def test_names_that_every_line_repeats_have_a_limit(api: Api, surplus: int, status: int) -> None:
    """All names of a row may be as long as one cell together, since each line repeats them; CSV has no such limit."""
    rest = len(json.dumps([*COLUMNS, ""], separators=(",", ":")))
    body = table(f"{LINE},1", header=f"{HEADER},{'n' * (2**16 - rest + surplus)}")

    answer = ask(api, body)

    assert answer.status_code == status
    assert status == 200 or slug(answer) == "csv-columns"
    assert api.post_csv(body).status_code == 200


def test_openapi_documents_csv_and_ndjson(api: Api) -> None:
    """The response 200 of both operations has both media types."""
    paths = api.server.client.get("/openapi.json").json()["paths"]

    operations: Sequence[dict[str, Any]] = [paths["/api/v1/predict/csv"], paths["/api/v1/models/{model}/predict/csv"]]
    assert [list(operation["post"]["responses"]["200"]["content"]) for operation in operations] == [
        ["text/csv", NDJSON]
    ] * 2
