"""Disclosure: no error reveals the implementation, its location, or values of the request."""

import json
import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import httpx2
import pytest

from tests.support.server import Api

SENT = "Zyzzyva7391"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PREDICT, UPLOAD, TOKEN = "/api/v1/predict", "/api/v1/predict/csv", "/api/v1/token"
HEADER = b"sepal_length,sepal_width,petal_length,petal_width\n"
# The import names of all installed packages, except those that are also words of the API.
LIBRARIES = {name for name in packages_distributions() if len(name) > 4 and name.islower()} - {"limits", "multipart"}
REVEALING = re.compile(
    rb"Traceback|File \"|line \d+, in|site-packages|\.py\b|/home/|/tmp/|/app/|0x[0-9a-f]{6}|<[a-z_.]+ object|"
    rb"SELECT |INSERT |sqlite|psycopg|postgres|Error:|Exception|\b\d+\.\d+\.\d+\b|__\w+__"
)


def _requests() -> Iterator[tuple[str, str, dict[str, str], bytes]]:
    """Return a request for every kind of error, each with a text that must not be in the response."""
    values: tuple[object, ...] = (SENT, [SENT], {SENT: 1}, True, None, 10**70, float("inf"), float("nan"))
    for value in values:
        yield "POST", PREDICT, JSON, json.dumps({"instances": [[value, 1, 1, 1]]}).encode()
        yield "POST", PREDICT, JSON, json.dumps({"instances": [{"sepal_length": value, "petal_length": SENT}]}).encode()
        yield "POST", PREDICT, JSON, json.dumps({"instances": value}).encode()
    for body in (b"", b"{", b"[" * 10_000, b'{"instances":' + SENT.encode(), b"\xff\xfe", b'{"a":1,"a":2}', b"nul"):
        yield "POST", PREDICT, JSON, body
        yield "POST", PREDICT, {"Content-Type": f"text/{SENT}"}, body
    for query in ("version=Zyzzyva7391", "probabilities=Zyzzyva7391", "on_error=Zyzzyva7391", "Zyzzyva7391=1"):
        yield "POST", f"{PREDICT}?{query}", JSON, b'{"instances": [[1, 1, 1, 1]]}'
    yield "POST", f"/api/v1/models/{SENT.lower()}/predict", JSON, b"{}"
    yield "GET", f"/api/v1/models/{SENT}", {}, b""
    yield "GET", "/api/v1/models/..%2f..%2fetc", {}, b""
    yield SENT.upper(), PREDICT, JSON, b"{}"
    yield "POST", PREDICT, JSON, b" " * (4 * 2**20 + 1)
    for body in (b"", SENT.encode(), HEADER, HEADER + b'"' + SENT.encode(), HEADER + b"\xff", HEADER + b"1,2\n"):
        yield "POST", UPLOAD, {"Content-Type": "text/csv"}, body
        yield "POST", UPLOAD, {"Content-Type": f"multipart/form-data; boundary={SENT}"}, body
    for form in (b"", b"username=Zyzzyva7391", b"username=Zyzzyva7391&password=Zyzzyva7391", b"grant_type=Zyzzyva7391"):
        yield "POST", TOKEN, FORM, form
    yield "POST", TOKEN, JSON, b"{}"


@pytest.mark.parametrize(("method", "path", "headers", "body"), list(_requests()))
@pytest.mark.parametrize("is_known", [True, False])
def test_an_error_reveals_nothing_about_the_server(
    api: Api, method: str, path: str, headers: dict[str, str], body: bytes, is_known: bool
) -> None:
    """No response contains a traceback, path, module, library, version, statement or value of the request."""
    given = {**headers, **(api.headers if is_known else {})}

    answer = api.server.client.request(method, path, headers=given, content=body)

    response = answer.content + repr(list(answer.headers.items())).encode()
    assert answer.status_code < 500
    assert REVEALING.search(response) is None
    assert not set(re.findall(rb"[a-z_]{5,}", response)) & {name.encode() for name in LIBRARIES}
    assert _value_is_kept(answer)
    assert "server" not in answer.headers


def _value_is_kept(answer: httpx2.Response) -> bool:
    """Return whether an error contains no value of the request; names of columns and fields are allowed."""
    if answer.headers.get("content-type") != "application/problem+json":
        return True
    problem = answer.json()
    named = [entry.pop("column", None) for entry in problem.get("errors", [])]
    assert all(name is None or len(name) <= 64 for name in named)
    return SENT not in json.dumps(problem)
