"""The page at `/`."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.routing import Match

from artifacts import Store
from serve.api.home import BrowserRoute, show_home
from serve.dialects.native.limits import Limits
from serve.inference.loader import load_model
from serve.inference.registry import Registry, ServedModel
from tests.support import tiny_models

LIMITS = Limits()


def show(*models: ServedModel) -> str:
    """Return the page of a server with these models."""
    registry = Registry()
    registry.replace(models)
    app = SimpleNamespace(state=SimpleNamespace(services=SimpleNamespace(registry=registry)))
    response = asyncio.run(show_home(Request({"type": "http", "app": app})))
    return bytes(response.body).decode()


def test_the_page_links_every_loaded_model(tmp_path: Path) -> None:
    """One that could not be loaded is listed without a link."""
    tiny_models.make().publish(Store(tmp_path))
    tiny = load_model(Store(tmp_path), "tiny", LIMITS)

    page = show(tiny, ServedModel("rose", {}, {}))

    assert '<a href="/docs#/predictions/predict_tiny">tiny</a>: version 1, classification, 2 columns' in page
    assert "<li>rose: could not be loaded</li>" in page


def test_without_models_the_page_says_how_to_make_one() -> None:
    """The command is the one that a first user needs."""
    assert "make train" in show()


@pytest.mark.parametrize(("accept", "match"), [
    (b"text/html,*/*;q=0.8", Match.FULL), (b"application/json", Match.NONE), (b"", Match.NONE),
])  # fmt: skip
def test_the_route_exists_only_for_browsers(accept: bytes, match: Match) -> None:
    """All other clients are treated as if there were no such path."""
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept", accept)]}

    assert BrowserRoute("/", show_home, methods=["GET"]).matches(scope)[0] is match
