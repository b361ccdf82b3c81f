"""Error messages: each frequent mistake is answered with what to do."""

from collections.abc import Iterator

import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from artifacts import Store
from tests.support.bodies import HEADER, LINE, ROW, table
from tests.support.server import Api, Server, environment, slug, untraced
from train import publish

TOKEN = "/api/v1/token"
CITY = "/api/v1/models/city/predict"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Run a server for a model with names and categories that are not ASCII, and a nullable column."""
    X = pd.DataFrame({"größe": [1.5, 2.5, None, 4.5] * 10, "stadt": ["Köln", "東京"] * 20})
    one_hot = make_column_transformer((OneHotEncoder(), ["stadt"]), remainder="passthrough")
    tree = make_pipeline(one_hot, DecisionTreeClassifier()).fit(X, X["stadt"] == "Köln")
    store = Store(tmp_path_factory.mktemp("city"))
    with untraced():
        publish(tree, X, name="city", store=store)
    env = environment(artifacts=store.root, state=tmp_path_factory.mktemp("state"), expose="docs")
    with Server(env) as running:
        yield Api(running, running.bearer())


@pytest.mark.parametrize("path", ["/predict", "/v1/predict", "/api/predict", "/models/iris/predict", "/nothing"])
def test_an_unknown_path_names_the_prefix(api: Api, path: str) -> None:
    """A path without a part of the prefix is 404 with the prefix of the API."""
    answer = api.predict([ROW], path)

    assert (answer.status_code, slug(answer)) == (404, "not-found")
    assert "/api/v1/predict" in answer.json()["detail"]


def test_an_unsupported_method_is_answered_with_the_supported_ones(api: Api) -> None:
    """The header Allow has them, and the detail names the header."""
    answer = api.get("/api/v1/predict")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "Allow" in answer.json()["detail"]


@pytest.mark.parametrize("path", [TOKEN, f"{TOKEN}/revoke"])
@pytest.mark.parametrize("headers", [
    {"Content-Type": "application/json"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"},
    {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "deflate, identity"},
], ids=str)  # fmt: skip
def test_a_login_is_a_form(api: Api, path: str, headers: dict[str, str]) -> None:
    """JSON and compressed bodies are 415, with what to send, and the code of OAuth 2."""
    body = b'{"username": "developer", "password": "secret", "token": "x"}'

    answer = api.server.client.post(path, content=body, headers=headers)

    assert (answer.status_code, slug(answer), answer.json()["error"]) == (
        415, "unsupported-media-type", "invalid_request",
    )  # fmt: skip
    assert "send a form" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["predict", "predict/csv"])
def test_a_model_is_suggested_to_callers_who_may_list_models(api: Api, path: str) -> None:
    """The 404 suggests a model only to a token of the scope `models:read`."""
    url = f"/api/v1/models/irsi/{path}"
    may_list = api.server.client.post(url, headers=api.headers)
    may_not = api.server.client.post(url, headers=api.server.bearer("predict", "batch"))

    assert (may_list.status_code, may_not.status_code) == (404, 404)
    assert may_list.json()["detail"].endswith("; did you mean iris?")
    assert "iris" not in may_not.text


@pytest.mark.parametrize(("query", "name", "code", "message"), [
    ("probability=false", "probability", "unknown-name", "unknown; did you mean probabilities?"),
    ("Version=1", "Version", "unknown-name", "unknown; did you mean version?"),
    ("limit=10", "limit", "unknown-name",
     "unknown; the parameters of this path are version, probabilities, on_error"),
    ("probabilities=maybe", "probabilities", "not-a-boolean", "expected true or false"),
    ("on_error=ignore", "on_error", "unknown-value", "expected 'fail' or 'report'"),
    ("version=1&version=2", "version", "duplicate", "sent more than once: send it once"),
    ("version=1&version=1", "version", "duplicate", "sent more than once: send it once"),
])  # fmt: skip
def test_a_mistake_in_the_query_is_described(api: Api, query: str, name: str, code: str, message: str) -> None:
    """The error names the parameter, what is wrong with it, and what was probably meant."""
    answer = api.server.client.post(f"/api/v1/predict?{query}", json={"instances": [ROW]}, headers=api.headers)

    assert (answer.status_code, slug(answer)) == (422, "invalid-request")
    assert answer.json()["errors"] == [{"row": None, "column": name, "code": code, "message": message}]


@pytest.mark.parametrize("path", ["/predict", "/predict/csv", "/models/iris/predict", "/models/iris/predict/csv"])
def test_a_parameter_is_sent_once(api: Api, path: str) -> None:
    """Every route with parameters refuses a repeated one, after it has authenticated the caller."""
    url = f"/api/v1{path}?version=1&version=champion"

    answer = api.server.client.post(url, content=b"", headers=api.headers)
    stranger = api.server.client.post(url, content=b"")

    assert (answer.status_code, slug(answer), stranger.status_code) == (422, "invalid-request", 401)


def test_a_mistake_in_a_field_is_described(api: Api) -> None:
    """The response has no message of a library."""
    answer = api.server.client.put("/api/v1/me/password", json={"old_password": 5, "more": 1}, headers=api.headers)

    assert answer.status_code == 422
    assert {(entry["column"], entry["code"], entry["message"]) for entry in answer.json()["errors"]} == {
        ("old_password", "not-a-text", "expected a text"),
        ("new_password", "missing", "missing"),
        ("more", "unknown-name", "unknown"),
    }


@pytest.mark.parametrize(("path", "rows", "message"), [
    ("/api/v1/models/city/predict", '[[NaN, "Köln"]]',
     "expected a finite number: send null for a missing value, in a CSV an empty cell"),
    ("/api/v1/models/city/predict", '[["1,5", "Köln"]]', "expected a number: write a decimal point, not a comma"),
    ("/api/v1/models/city/predict", '[[1.5, "Bonn"]]',
     "expected one of the categories that training saw: Köln, 東京"),
])  # fmt: skip
def test_an_invalid_value_is_answered_with_what_to_send(city: Api, path: str, rows: str, message: str) -> None:
    """Null for NaN, a point for a decimal comma; categories are not escaped."""
    body = f'{{"instances": {rows}}}'.encode()

    answer = city.server.client.post(path, content=body, headers={**city.headers, "Content-Type": "application/json"})

    assert answer.json()["errors"][0]["message"] == message
    assert message.encode() in answer.content


def test_names_are_not_escaped(city: Api) -> None:
    """Neither missing nor unknown ones."""
    answer = city.predict([{"stadt": "Köln", "größer": 1}], CITY)
    missing = city.post_csv("Größe;stadt\n1;Köln\n".encode(), f"{CITY}/csv")

    assert [entry["column"] for entry in answer.json()["errors"]] == ["größer", "größe"]
    assert "größer".encode() in answer.content
    assert missing.json()["detail"].endswith("missing: größe; rename Größe to größe")


def test_a_category_in_the_first_line_is_a_value(city: Api) -> None:
    """A CSV without a header is detected by its texts too."""
    answer = city.post_csv("n.d.;Köln\n1;Köln\n".encode(), f"{CITY}/csv")

    assert answer.json()["detail"].endswith("expected: größe, stadt")


def test_too_many_rows_are_to_be_sent_as_csv(api: Api) -> None:
    """The message has the limit and the alternative."""
    answer = api.predict([ROW] * 1001)

    assert slug(answer) == "too-many-rows"
    assert answer.json()["detail"].startswith("1001 rows were sent, and a request may have 1000: send a CSV")


@pytest.mark.parametrize(("body", "code", "part"), [
    (table(LINE, header="Sepal Length,sepal-width,PETAL_LENGTH,petal_width"), "csv-columns",
     "rename Sepal Length to sepal_length, sepal-width to sepal_width, PETAL_LENGTH to petal_length"),
    (table(LINE, header="sepal_lenght,sepal_width,petal_length,petal_width"), "csv-columns",
     "rename sepal_lenght to sepal_length"),
    (table(LINE, LINE).replace(b"\n", b""), "csv-columns", "send it with --data-binary"),
    (f"{LINE}\n{LINE}\n".encode(), "csv-columns",
     "it must be the header, which names the columns; expected: sepal_length, sepal_width, petal_length, petal_width"),
    (table(f"{LINE},K\xf6ln", header=f"{HEADER},town").decode().encode("latin-1"), "csv-encoding",
     "iconv -f WINDOWS-1252 -t UTF-8"),
    (table(LINE).decode().encode("utf-16"), "csv-encoding", "iconv -f UTF-16 -t UTF-8"),
], ids=["spelling", "typing error", "line breaks", "no header", "WINDOWS-1252", "UTF-16"])  # fmt: skip
def test_an_invalid_csv_is_answered_with_what_to_change(api: Api, body: bytes, code: str, part: str) -> None:
    """The advice is that of training with the same file."""
    answer = api.post_csv(body)

    assert (answer.status_code, slug(answer)) == (422, code)
    assert part in answer.json()["detail"]


def test_a_column_of_the_model_is_never_to_be_renamed(api: Api) -> None:
    """A valid name is not taken for a misspelling of a missing one, however similar the two are."""
    answer = api.post_csv(table("3.5,1.4,0.2", header=HEADER.partition(",")[2]))

    assert answer.json()["detail"].endswith("missing: sepal_length")


def test_a_decimal_comma_is_an_error_of_its_row(api: Api) -> None:
    """It names the column and how to write the number; the other rows are predicted."""
    answer = api.post_csv(table(LINE.replace(",", ";"), "5,1;3,5;1,4;0,2", header=HEADER.replace(",", ";")))

    first, second = answer.content.decode().splitlines()[1:]
    assert first.split(";")[4] == "setosa"
    assert "sepal_length: expected a number: write a decimal point, not a comma" in second
