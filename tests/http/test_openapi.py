"""OpenAPI keeps its word: no answer that it does not describe."""

from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.schemathesis_client import ask
from tests.support.server import Api, Server


def test_every_answer_is_one_that_openapi_describes(server: Server, tmp_path: Path) -> None:
    """Some hundred calls, right and wrong: no failure of ours, no other status, media type or body than documented."""
    report = ask(server, tmp_path, examples=20, seed=1, phases=("examples", "coverage", "fuzzing"))

    assert report["complete"]
    assert report["failures"] == report["errors"] == []
    assert report["test_cases"]["generated"] > 200


def test_every_failure_is_described_as_a_problem(api: Api) -> None:
    """Whatever is refused is a problem document, and nothing is left to a default."""
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
def test_what_needs_a_token_says_so(api: Api, path: str) -> None:
    """401 and 403 are described wherever a scope is needed."""
    [operation] = api.server.client.get("/openapi.json").json()["paths"][path].values()

    assert {"401", "403"} <= operation["responses"].keys()
