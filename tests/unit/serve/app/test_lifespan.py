"""Models are loaded before the first request, and everything is closed after the last one."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from artifacts import Store
from serve.app.root import create_app
from serve.settings import Settings
from serve.storage import database
from tests.support import tiny_models


@pytest.fixture(autouse=True)
def _garbage() -> Iterator[None]:
    """Restore the garbage collection of the test process."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def app_of(settings: Settings) -> FastAPI:
    """Return the app, with a database."""
    settings.state.mkdir()
    database.prepare(settings.database)
    observed: Any = create_app(settings)
    app: FastAPI = observed._app._app
    return app


def test_models_are_loaded_before_the_first_request(settings: Settings) -> None:
    """The registry has the champion while the app serves; with two workers each counts separately."""
    tiny_models.make().publish(Store(settings.artifacts))
    app = app_of(settings.model_copy(update={"workers": 2}))

    async def serve() -> list[bool]:
        async with app.router.lifespan_context(app):
            return [model.champion is not None for model in app.state.services.registry.all()]

    assert asyncio.run(serve()) == [True]


def test_a_store_without_models_is_served_too(settings: Settings) -> None:
    """The app starts without models, and cancels the task that waits for them when it ends."""
    settings.artifacts.mkdir()
    app = app_of(settings)

    async def serve() -> list[object]:
        async with app.router.lifespan_context(app):
            return list(app.state.services.registry.all())

    assert asyncio.run(serve()) == []
