"""The OpenAPI document of an app, without a server."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from artifacts import Store
from serve.api.deps import PREFIX
from serve.api.docs import document
from serve.app.root import create_app
from serve.dialects.native.limits import Limits
from serve.inference.loader import load_model
from serve.inference.registry import Registry, ServedModel
from serve.settings import Settings
from tests.support import tiny_models

LIMITS = Limits()


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """Return an app that serves its documentation."""
    outermost: Any = create_app(Settings(_env_file=None, state=tmp_path, secret_key=SecretStr("x" * 32)))
    inner: FastAPI = outermost._app._app
    return inner


def make_registry(*models: ServedModel, default: str = "") -> Registry:
    """Return a registry of these models."""
    registry = Registry(default=default)
    registry.replace(models)
    return registry


def test_no_operation_can_only_be_404(app: FastAPI) -> None:
    """Without a model there is no operation that predicts or shows one."""
    paths = document(app, make_registry())["paths"]

    assert [path for path in paths if "predict" in path or "{model}" in path] == []
    assert f"{PREFIX}/models" in paths


def test_without_a_default_model_its_operations_are_left_out(app: FastAPI) -> None:
    """Several models, none of which is the default."""
    paths = document(app, make_registry(ServedModel("one", {}, {}), ServedModel("two", {}, {})))["paths"]

    assert not [path for path in paths if path.startswith(f"{PREFIX}/predict")]


def test_every_loaded_model_has_an_operation(app: FastAPI, tmp_path: Path) -> None:
    """It has the schema and the examples of the model, and comes before the other paths."""
    store = Store(tmp_path / "store")
    tiny_models.make().publish(store)
    model = load_model(store, "tiny", LIMITS)

    openapi = document(app, make_registry(model))

    operation = openapi["paths"][f"{PREFIX}/models/tiny/predict"]["post"]
    assert next(iter(openapi["paths"])) == f"{PREFIX}/models/tiny/predict"
    assert (operation["summary"], operation["operationId"]) == ("Predict with tiny", "predict_tiny")
    assert "model" not in [parameter["name"] for parameter in operation["parameters"]]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert examples["records"]["value"]["instances"][0] == {"length": 0.5, "leaves": 1}
    assert openapi["paths"][f"{PREFIX}/predict"]["post"]["operationId"] == "predictDefault"
    assert f"{PREFIX}/models/{{model}}/card" not in openapi["paths"]


def test_errors_are_documented_as_problems(app: FastAPI) -> None:
    """FastAPI's own validation error, which is never sent, is not documented."""
    openapi = document(app, make_registry())

    assert "HTTPValidationError" not in str(openapi)
    responses = openapi["paths"][f"{PREFIX}/models"]["get"]["responses"]
    assert {"400", "401", "403", "405", "408", "429", "431", "503"} <= responses.keys()
    assert "application/problem+json" in responses["401"]["content"]
