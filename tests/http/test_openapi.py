"""Every response conforms to the OpenAPI document."""

from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.schemathesis_client import call_all
from tests.support.server import Api, Server


def test_every_response_conforms_to_openapi(server: Server, tmp_path: Path) -> None:
    """Some hundred valid and invalid calls: no server error, and only documented statuses, media types and bodies."""
    report = call_all(server, tmp_path, examples=20, seed=1, phases=("examples", "coverage", "fuzzing"))

    assert report["complete"]
    assert report["failures"] == report["errors"] == []
    assert report["test_cases"]["generated"] > 200


def test_every_error_is_documented_as_a_problem(api: Api) -> None:
    """Each operation lists its errors, and none has a default response."""
    openapi = api.server.client.get("/openapi.json").json()
    described = [operation["responses"] for path in openapi["paths"].values() for operation in path.values()]

    assert described
    for responses in described:
        assert {"400", "405", "408", "429", "431", "503"} <= responses.keys()
        assert "default" not in responses
        for status, response in responses.items():
            assert HTTPStatus(int(status))
            assert int(status) < 400 or response["content"]


@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v1/predict/csv", "/api/v1/models"])
def test_operations_with_a_scope_document_401_and_403(api: Api, path: str) -> None:
    """They are documented wherever a scope is needed."""
    [operation] = api.server.client.get("/openapi.json").json()["paths"][path].values()

    assert {"401", "403"} <= operation["responses"].keys()
