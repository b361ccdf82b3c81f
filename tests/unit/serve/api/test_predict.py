"""Predictions in JSON, in an app without a server: the one endpoint in front of FastAPI."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from artifacts import Store
from serve.api.deps import PREFIX
from serve.auth.principals import Permission
from serve.inference.loader import load_model
from serve.inference.registry import ServedModel
from tests.support import tiny_models
from tests.support.in_process import InProcess, served
from tests.support.server import slug

ROWS = [[0.5, 1], [6.0, 9]]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    """A loaded classifier of two columns."""
    store = Store(tmp_path_factory.mktemp("store"))
    tiny_models.make().publish(store)
    return load_model(store, "tiny", tiny_models.LIMITS)


async def post(app: InProcess, body: Any = None, path: str = "/predict", **more: Any) -> httpx2.Response:
    """Send instances, or any body, with the scope that predictions need."""
    content = body if isinstance(body, bytes) else json.dumps({"instances": ROWS if body is None else body}).encode()
    headers = {"Content-Type": "application/json", **more.pop("headers", {})}
    return await app.call("POST", path, app.token(Permission.PREDICT), content=content, headers=headers, **more)


@pytest.mark.parametrize(
    "path", ["/predict", "/models/tiny/predict", "/predict?version=1", "/predict?version=champion"]
)
def test_every_path_predicts(tmp_path: Path, tiny: ServedModel, path: str) -> None:
    """The default model, a named model, a version and an alias have the same predictions, also the second time."""

    async def test(app: InProcess) -> list[httpx2.Response]:
        return [await post(app, path=path) for _ in range(2)]

    first, second = served(tmp_path, test, tiny)

    assert first.status_code == 200, first.text
    assert first.json()["predictions"] == ["short", "long"]
    assert first.json()["version"] == 1
    assert second.content == first.content


def test_parameters_choose_what_the_response_has(tmp_path: Path, tiny: ServedModel) -> None:
    """Without probabilities there are none; with `on_error=report` an invalid row is null, and its error is listed."""

    async def test(app: InProcess) -> list[Any]:
        labels = await post(app, path="/predict?probabilities=false")
        report = await post(app, [*ROWS, ["x", 1]], "/predict?on_error=report")
        invalid = await post(app, [["x", 1]], "/predict?on_error=report")
        return [labels.json(), report.json(), invalid.json()]

    labels, report, invalid = served(tmp_path, test, tiny)

    assert "probabilities" not in labels
    assert report["predictions"] == ["short", "long", None]
    assert [(error["row"], error["column"], error["code"]) for error in report["errors"]] == [
        (2, "length", "not-a-number")
    ]
    assert invalid["predictions"] == [None]


@pytest.mark.parametrize(
    ("body", "path", "headers", "status", "code"),
    [
        ([["x", 1]], "/predict", {}, 422, "not-a-number"),
        (b"{", "/predict", {}, 400, "malformed-json"),
        (None, "/predict?versoin=1", {}, 422, "invalid-request"),
        (None, "/predict?version=1&version=1", {}, 422, "invalid-request"),
        (None, "/predict?on_error=ignore", {}, 422, "invalid-request"),
        (None, "/predict?version=7", {}, 404, "version-not-loaded"),
        (None, "/models/other/predict", {}, 404, "model-not-found"),
        (None, "/predict", {"Content-Type": "text/csv"}, 415, "unsupported-media-type"),
        (None, "/predict", {"Content-Encoding": "gzip"}, 415, "unsupported-media-type"),
        (None, "/predict", {"Authorization": "Bearer x"}, 401, "token-invalid"),
        (None, "/predict", {"Authorization": "Basic x"}, 401, "token-invalid"),
        ([ROWS[0]] * 200, "/predict", {}, 413, "body-too-large"),
    ],
)
def test_a_refused_request_has_a_reason(
    tmp_path: Path, tiny: ServedModel, body: Any, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    """The endpoint answers errors itself: input, parameters, models, media types, tokens and sizes."""

    async def test(app: InProcess) -> httpx2.Response:
        return await post(app, body, path, headers=headers)

    answer = served(tmp_path, test, tiny, max_json_bytes=1024)

    assert (answer.status_code, slug(answer)) == (status, code)


def test_a_body_may_arrive_in_pieces(tmp_path: Path, tiny: ServedModel) -> None:
    """Pieces are joined, and refused as soon as they are larger than a body may be."""

    async def pieces(count: int) -> Any:
        yield b'{"instances": ['
        for _ in range(count):
            yield b"[0.5, 1],"
        yield b"[6.0, 9]]}"

    async def test(app: InProcess) -> list[httpx2.Response]:
        headers = {"Content-Type": "application/json"}
        token = app.token(Permission.PREDICT)
        return [await app.call("POST", "/predict", token, content=pieces(count), headers=headers) for count in (1, 500)]

    short, long = served(tmp_path, test, tiny, max_json_bytes=1024)

    assert short.json()["predictions"] == ["short", "long"]
    assert (long.status_code, slug(long)) == (413, "body-too-large")


def test_a_token_needs_the_scope_predict(tmp_path: Path, tiny: ServedModel) -> None:
    """A valid token without it is 403, whether it was verified before or not."""

    async def test(app: InProcess) -> list[int]:
        token = app.token(Permission.MODELS_READ)
        body = {"instances": ROWS}
        await app.call("GET", "/models", token)
        return [(await app.call("POST", "/predict", token, json=body)).status_code for _ in range(2)]

    assert served(tmp_path, test, tiny) == [403, 403]


def test_calls_and_rows_are_limited(tmp_path: Path, tiny: ServedModel) -> None:
    """Each request counts under the limit of its path, and its rows under the limit of rows."""

    async def test(app: InProcess) -> list[tuple[int, str]]:
        answers = [await post(app) for _ in range(3)]
        return [(answer.status_code, answer.headers["ratelimit-policy"]) for answer in answers]

    by_call = served(tmp_path, test, tiny, rates="predict=2/day,rows=off")
    by_row = served(tmp_path, test, tiny, rates="predict=off,rows=4/day")

    assert [status for status, _ in by_call] == [200, 200, 429]
    assert [status for status, _ in by_row] == [200, 200, 429]
    assert '"predict"' in by_call[0][1]
    assert '"rows"' in by_row[0][1]


def test_other_requests_go_to_the_app(tmp_path: Path, tiny: ServedModel) -> None:
    """A method or a path that is not in the table is answered by the routes."""

    async def test(app: InProcess) -> list[int]:
        token = app.token()
        got = await app.call("GET", "/predict", token)
        models = await app.call("GET", "/models", token)
        return [got.status_code, models.status_code]

    assert served(tmp_path, test, tiny) == [405, 200]


def test_an_unexpected_error_is_500(tmp_path: Path, tiny: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text stays in the log."""

    async def test(app: InProcess) -> httpx2.Response:
        monkeypatch.setattr(type(app.services.inference), "predict", lambda *_: 1 / 0)
        return await post(app)

    answer = served(tmp_path, test, tiny)

    assert (answer.status_code, slug(answer)) == (500, "internal")
    assert "division" not in answer.text
    assert answer.json()["instance"]
    assert answer.request.url.path.startswith(PREFIX)
