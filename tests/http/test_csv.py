"""A CSV as a whole over HTTP: what is read, and what is refused before a row is predicted."""

import pytest

from tests.support.bodies import CANARY, COLUMNS, HEADER, LINE, assert_refused_in_silence, records, table
from tests.support.server import Api, slug

ADDED = ["prediction", "probability_setosa", "probability_versicolor", "probability_virginica", "error"]

VIRGINICA = "6.3,3.3,6.0,2.5"


READ = {
    "as it should be": table(LINE, VIRGINICA),
    "no final line break": table(LINE, VIRGINICA)[:-1],
    "CR LF": table(LINE, VIRGINICA, end="\r\n"),
    "CR": table(LINE, VIRGINICA, end="\r"),
    "line breaks mixed": f"{HEADER}\r\n{LINE}\r{VIRGINICA}\n".encode(),
    "byte order mark": b"\xef\xbb\xbf" + table(LINE, VIRGINICA),
    "byte order mark, quoted": b'\xef\xbb\xbf"sepal_length"' + table(LINE, VIRGINICA)[12:],
    "blank lines": f"\n\r\n{HEADER}\n\n\n{LINE}\n\r\n{VIRGINICA}\n\n".encode(),
    "semicolons": table(LINE, VIRGINICA).replace(b",", b";"),
    "tabs": table(LINE, VIRGINICA).replace(b",", b"\t"),
    "blanks around": table(" 5.1 , 3.5,1.4\t,0.2 ", VIRGINICA, header=" " + HEADER.replace(",", " , ")),
    "no-break space": table(LINE.replace(",", ",\xa0"), VIRGINICA),
    "quoted numbers": table('"5.1","3.5","1.4","0.2"', VIRGINICA),
    "quoted header": table(LINE, VIRGINICA, header='"' + HEADER.replace(",", '","') + '"'),
    "quoted header, semicolons": table(LINE, VIRGINICA, header='"' + HEADER.replace(",", '","') + '"').replace(
        b",", b";"
    ),
    "quoted header, tabs": table(LINE, VIRGINICA, header='"' + HEADER.replace(",", '","') + '"').replace(b",", b"\t"),
    "spelled otherwise": table("+5.1,35e-1,01.40,.2", "63E-1,3.3,6.,2.5"),
}

NO_TEXT = {
    "UTF-16": table(LINE).decode().encode("utf-16"),
    "UTF-16 without a mark": table(LINE).decode().encode("utf-16-be"),
    "UTF-32": table(LINE).decode().encode("utf-32"),
    "latin-1": table(f"{LINE},\xe9", header=f"{HEADER},note").decode().encode("latin-1"),
    "latin-1 at the end": table(LINE) + b"\xe9",
    "latin-1 late": table(*[LINE] * 20_000) + b"\xe9,1,1,1\n",
    "NUL": table(LINE) + b"5.1,3.5,1.4,\0\n",
}

NO_TABLE = {
    "empty": (b"", "csv-columns"),
    "mark only": (b"\xef\xbb\xbf", "csv-columns"),
    "blank lines only": (b"\n\r\n\r", "csv-columns"),
    "header only": (HEADER.encode(), "no-rows"),
    "header and blank lines": (table("", ""), "no-rows"),
    "no header": (f"{LINE}\n{LINE}\n".encode(), "csv-columns"),
    "wrong names": (table(LINE, header="a,b,c,d"), "csv-columns"),
    "a name missing": (table("5.1,3.5,1.4", header=",".join(COLUMNS[:3])), "csv-columns"),
    "names in upper case": (table(LINE, header=HEADER.upper()), "csv-columns"),
    "a name twice": (table(f"{LINE},1", header=f"{HEADER},petal_width"), "csv-columns"),
    "a name twice but for blanks": (table(f"{LINE},1", header=f"{HEADER}, petal_width "), "csv-columns"),
    "another name twice": (table(f"{LINE},1,2", header=f"{HEADER},{CANARY},{CANARY}"), "csv-columns"),
    "separated by |": (table(LINE).replace(b",", b"|"), "csv-columns"),
    "separated by blanks": (table(LINE).replace(b",", b" "), "csv-columns"),
    "two delimiters": (table(LINE, header=HEADER.replace(",", ";", 1)), "csv-columns"),
    "JSON": (b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}', "csv-columns"),
    "4,097 columns": (
        table(LINE, header=HEADER + "".join(f",c{number}" for number in range(4093))),
        "too-many-features",
    ),
    "unterminated in the header": (f'"{HEADER}\n{LINE}\n'.encode(), "csv-malformed"),
    "unterminated": (table(LINE, f'"{CANARY},1,1,1', LINE), "csv-malformed"),
    "text behind a quote": (table(LINE, f'"5.1"{CANARY},1,1,1'), "csv-malformed"),
    "large cell": (table(LINE, "1" * (2**16 + 1) + ",1,1,1"), "csv-cell-too-large"),
    "large quoted cell": (table(LINE, '"' + "a\n" * 2**16 + '",1,1,1'), "csv-cell-too-large"),
    "large cell in the header": (table(f"{LINE},1", header=f"{HEADER},{'c' * (2**16 + 1)}"), "csv-cell-too-large"),
    "large row": (table("1," * 2**20), "csv-cell-too-large"),
    "large row of many lines": (table('"\n",' * 2**19), "csv-cell-too-large"),
}


@pytest.fixture(scope="module")
def wanted(api: Api) -> list[dict[str, str]]:
    """What is added to the two flowers."""
    return [{name: record[name] for name in ADDED} for record in records(api.post_csv(table(LINE, VIRGINICA)))]


@pytest.mark.parametrize("body", READ.values(), ids=READ)
def test_a_table_may_be_written_in_many_ways(api: Api, body: bytes, wanted: list[dict[str, str]]) -> None:
    """Line breaks, delimiters, quotes and blanks change no prediction, and the response keeps the delimiter."""
    answer = api.post_csv(body)

    delimiter = next(sign for sign in ";\t," if sign.encode() in body.splitlines()[-1] or sign == ",")
    got = records(answer, delimiter=delimiter)
    assert [{name: record[name] for name in ADDED} for record in got] == wanted
    assert [record["prediction"] for record in got] == ["setosa", "virginica"]


@pytest.mark.parametrize("body", NO_TEXT.values(), ids=NO_TEXT)
def test_another_encoding_is_422_with_the_first_invalid_byte(api: Api, body: bytes) -> None:
    """A file that is not UTF-8 is refused before any prediction, with the position of the first invalid byte."""
    answer = api.post_csv(body)

    assert answer.status_code == 422
    assert slug(answer) == "csv-encoding"
    assert f"byte {_first_wrong_byte(body)}" in answer.json()["detail"]
    assert_refused_in_silence(api, answer)


def _first_wrong_byte(body: bytes) -> int:
    if b"\0" in body:
        return body.index(b"\0")
    with pytest.raises(UnicodeDecodeError) as caught:
        body.decode()
    return caught.value.start


@pytest.mark.parametrize("place", [2**20 - 1, 2**20, 2**20 + 1, 2**20 + 2])
def test_an_invalid_byte_is_found_at_any_position(api: Api, place: int) -> None:
    """Its position counts from the start of the file, also if a character is split between chunks."""
    body = table(*[LINE] * (2**16 + 2000))[: place - 2] + "é".encode() + b"\xc3("

    answer = api.post_csv(body)

    assert slug(answer) == "csv-encoding"
    assert f"byte {place}" in answer.json()["detail"]


@pytest.mark.parametrize(("body", "code"), NO_TABLE.values(), ids=NO_TABLE)
def test_an_invalid_table_is_422(api: Api, body: bytes, code: str) -> None:
    """A fault that belongs to no row is refused before a row is predicted."""
    answer = api.post_csv(body)

    assert answer.status_code == 422
    assert slug(answer) == code
    assert_refused_in_silence(api, answer)


@pytest.mark.parametrize("name", [*ADDED, " error ", "prediction\t"])
def test_a_column_that_the_response_adds_is_refused(api: Api, name: str) -> None:
    """Two columns of one name would be ambiguous, so the client has to rename its own."""
    answer = api.post_csv(table(f"{LINE},x", header=f"{HEADER},{name}"))

    assert slug(answer) == "csv-columns"
    assert name.strip() in answer.json()["detail"]


def test_missing_columns_are_named(api: Api) -> None:
    """The advice names what is missing, and only that."""
    answer = api.post_csv(table("5.1,3.5", header="petal_width;sepal_width"))

    assert "missing: sepal_length, petal_length" in answer.json()["detail"]
    assert "petal_width" not in answer.json()["detail"]


def test_columns_are_matched_by_name(api: Api, wanted: list[dict[str, str]]) -> None:
    """Another order of the columns gets bit-equal answers, and is kept."""
    answer = api.post_csv(table("0.2,5.1,1.4,3.5", header="petal_width,sepal_length,petal_length,sepal_width"))

    record = records(answer)[0]
    assert list(record) == ["petal_width", "sepal_length", "petal_length", "sepal_width", *ADDED]
    assert float(record["probability_setosa"]) == pytest.approx(float(wanted[0]["probability_setosa"]), abs=1e-9)
    assert record["prediction"] == "setosa"
