"""The app is joined from the settings."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from serve.api.predict import PredictEndpoint
from serve.app.root import create_app
from serve.settings import Settings
from tests.test_house import routes_of


def test_cors_is_added_only_with_origins(settings: Settings) -> None:
    """Without origins the endpoint of predictions is the first to see a request."""
    plain: Any = create_app(settings)
    opened: Any = create_app(settings.model_copy(update={"cors_origins": ("https://pages.example",)}))

    assert isinstance(plain._app, PredictEndpoint)
    assert isinstance(opened._app, CORSMiddleware)


@pytest.mark.parametrize(("expose", "has_docs", "open_metrics"), [
    (("docs", "metrics"), True, True),
    (("none",), False, False),
    (None, True, False),
])  # fmt: skip
def test_expose_adds_documentation_and_open_metrics(
    settings: Settings, expose: Any, has_docs: bool, open_metrics: bool
) -> None:
    """Documentation is a route, and metrics need no token, as SEPAL_EXPOSE says."""
    observed: Any = create_app(settings.model_copy(update={"expose": expose}))
    app: FastAPI = observed._app._app

    assert any(getattr(route, "path", "") == "/openapi.json" for route in routes_of(app.routes)) == has_docs
    assert app.state.services.open_metrics == open_metrics
