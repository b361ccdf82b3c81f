"""How a CSV reaches the running server: forms, media types, sizes, and malicious tables."""

import sys

import httpx2
import pytest

from tests.support.bodies import LINE, ROW, assert_refused_in_silence, column, table
from tests.support.server import Api, slug

UPLOAD = "/api/v1/predict/csv"


@pytest.mark.parametrize(
    "files",
    [[("file", ("rows.csv", table(LINE), "text/csv"))], [("file", ("../x", table(LINE), "image/png"))]],
    ids=["plain", "strange name and type"],
)
def test_a_file_of_a_form_is_read(api: Api, files: list[tuple[str, tuple[str, bytes, str]]]) -> None:
    """The file of the form field `file` is read like a body, whatever its file name is."""
    answer = api.server.client.post(UPLOAD, files=files, headers=api.headers)

    assert answer.content == api.post_csv(table(LINE)).content


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"files": {"rows": ("rows.csv", table(LINE))}}, 422, "file-missing"),
        ({"files": {"file": (None, table(LINE))}}, 422, "file-missing"),
        ({"files": [("file", ("a.csv", table(LINE))), ("file", ("b.csv", table(LINE)))]}, 400, "bad-request"),
        (
            {"files": [("file", ("a.csv", table(LINE))), *[(f"x{i}", (None, "1")) for i in range(5)]]},
            400,
            "bad-request",
        ),
        ({"files": [("file", ("a.csv", table(LINE))), ("x", (None, "1" * (2**16 + 1)))]}, 400, "bad-request"),
        ({"files": {"file": ("empty.csv", b"")}}, 422, "csv-columns"),
    ],
    ids=["without the file", "a field", "two files", "five fields", "a large field", "an empty file"],
)
def test_another_form_is_refused(api: Api, form: dict[str, object], status: int, code: str) -> None:
    """A form has one file and few small fields."""
    answer: httpx2.Response = api.server.client.post(UPLOAD, headers=api.headers, **form)  # type: ignore[arg-type]

    assert answer.status_code == status
    assert slug(answer) == code
    assert_refused_in_silence(api, answer)


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=x", 'multipart/form-data; boundary=""']
)
def test_an_invalid_form_is_400(api: Api, kind: str) -> None:
    """Without its boundary a form cannot be read."""
    answer = api.server.client.post(UPLOAD, content=table(LINE), headers={**api.headers, "Content-Type": kind})

    assert answer.status_code == 400
    assert slug(answer) == "bad-request"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "application/vnd.ms-excel"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "text/csv; charset=utf-16"},
        {"Content-Type": "text/csv; header=present; charset=ISO-8859-1"},
        {"Content-Type": "text/csv", "Content-Encoding": "gzip"},
        {},
    ],
    ids=str,
)
def test_another_content_type_is_415(api: Api, headers: dict[str, str]) -> None:
    """Only CSV in UTF-8 and forms are accepted."""
    answer = api.server.client.post(UPLOAD, content=table(LINE), headers={**api.headers, **headers})

    assert answer.status_code == 415
    assert slug(answer) == "unsupported-media-type"


@pytest.mark.parametrize(
    "kind", ["text/csv; charset=UTF-8", 'Text/CSV; charset="us-ascii"', "text/csv; header=present"]
)
def test_csv_may_be_announced_in_any_spelling(api: Api, kind: str) -> None:
    """Case, blanks, quotes and other parameters do not matter."""
    answer = api.server.client.post(UPLOAD, content=table(LINE), headers={**api.headers, "Content-Type": kind})

    assert column(answer, "prediction") == ["setosa"]


def test_an_unknown_model_is_404(api: Api) -> None:
    """An upload for a model that is not served is 404."""
    assert slug(api.post_csv(table(LINE), "/api/v1/models/unknown/predict/csv")) == "model-not-found"


def test_an_upload_over_the_limit_is_413(api: Api) -> None:
    """One byte over 64 MiB is too large."""
    answer = api.post_csv(b"\n" * (64 * 2**20 + 1))

    assert slug(answer) == "body-too-large"
    assert api.predict([ROW]).status_code == 200


@pytest.mark.timeout(60, func_only=True)
@pytest.mark.parametrize(
    "cell",
    [
        "1" * 65_000 + "x",
        "1" * 65_000,
        "+" + "1" * 32_000 + "." + "1" * 32_000 + "x",
        "-" * 65_000,
        "1e" + "1" * 65_000,
    ],
    ids=["digits and a letter", "digits", "a long fraction", "signs", "exponent"],
)
def test_a_malicious_cell_is_parsed_in_linear_time(api: Api, cell: str) -> None:
    """A cell of 64 KiB is parsed as a number, or refused, in time proportional to its length."""
    before_s = api.server.cpu_s

    answer = api.post_csv(table(f"{cell},3.5,1.4,0.2", LINE))

    assert column(answer, "prediction") == ["", "setosa"]
    assert api.server.cpu_s - before_s < 5


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory of another process")
@pytest.mark.parametrize(
    "body",
    [
        b"," * 2**24,
        b"x" * 2**24,
        table("1," * 2**23),
        table("x" * 2**24),
        table('"' + "x\n" * 2**23),
        table('"' * 2**24),
        table('"\n",' * 2**22),
        table(*["," * 13_000] * 1250),
    ],
    ids=["header", "header cell", "row", "cell", "lines", "quotes", "row of lines", "block"],
)
def test_a_malicious_table_takes_little_memory(api: Api, body: bytes) -> None:
    """16 MiB are never parsed into many times their size, nor into one block."""
    before = api.server.memory_mib()

    answer = api.post_csv(body)

    assert answer.status_code in {200, 422}
    assert api.server.memory_mib(peak=True) - before < 48


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [("version=999", 404, "version-not-loaded"), ("probabilities=false", 422, "invalid-request")],
)
def test_an_invalid_parameter_is_refused(api: Api, query: str, status: int, kind: str) -> None:
    """A version that is not served is 404, and an unknown parameter is 422; none is ignored."""
    refused = api.post_csv(table(LINE), path=f"/api/v1/predict/csv?{query}")

    assert (refused.status_code, slug(refused)) == (status, kind)
    assert api.post_csv(table(LINE), path="/api/v1/predict/csv?version=champion").status_code == 200
