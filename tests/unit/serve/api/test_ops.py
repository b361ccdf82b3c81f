"""Readiness: what the canary found, kept for a while, and the state of the threads."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from artifacts.errors import ArtifactDigest, ArtifactSelfTest
from serve.api.ops import Canary, Health
from serve.inference.registry import LOADING, Failure, Registry, ServedModel
from serve.inference.threads import ModelThreads

LOADED = ServedModel("iris", versions=cast(Any, {1: None}), aliases={"champion": 1})
FAILURE = Failure(ArtifactDigest.slug, "model.joblib was changed")
REPLACED = ServedModel("iris", cast(Any, {1: None}), {"champion": 1}, {2: FAILURE}, failed_champion=2)
REPLACED_DETAIL = "version 1 is served instead of the champion, version 2, which could not be loaded (artifact-digest)"


def make(
    canary: Callable[[], None] = lambda: None, *models: ServedModel, interval_s: float = 60.0, **more: Any
) -> tuple[Canary, Registry, ModelThreads]:
    """Return the canary of a server with these models."""
    registry, threads = Registry(), ModelThreads(4, deadline_s=10)
    registry.replace(models or [LOADED])
    services: Any = SimpleNamespace(registry=registry, inference=SimpleNamespace(canary=canary), threads=threads)
    return Canary(services, interval_s=interval_s, **more), registry, threads


def check(*models: ServedModel, is_away: bool = False) -> Health:
    """Return the health of a server with these models."""

    async def get() -> Health:
        canary, registry, _ = make()
        registry.replace(models, is_away=is_away)
        return await canary.health()

    return asyncio.run(get())


@pytest.mark.parametrize(("models", "status", "detail"), [
    ([LOADED], "ok", ""),
    ([], "unready", "no model is loaded"),
    ([LOADED, ServedModel("rose", {}, {}, reason=LOADING)], "unready", "a model is still being loaded"),
    ([LOADED, ServedModel("rose", {}, {}, reason=FAILURE)], "degraded", "a version could not be loaded"),
    ([REPLACED], "degraded", REPLACED_DETAIL),
])  # fmt: skip
def test_health_depends_on_the_models(models: list[ServedModel], status: str, detail: str) -> None:
    """The detail has no name of a model, since a probe has no token."""
    assert check(*models) == Health(status=status, detail=detail)  # type: ignore[arg-type]  # one of three literals


def test_an_unreadable_store_makes_the_server_unready() -> None:
    """It may have other models."""
    assert check(LOADED, is_away=True) == Health(status="unready", detail="the model store cannot be read")


def test_a_failed_canary_is_kept_until_it_is_too_old_or_the_models_change() -> None:
    """A model that predicts its examples differently makes the server unready."""
    calls: list[None] = []

    def fail() -> None:
        calls.append(None)
        raise ArtifactSelfTest("other labels")

    async def get() -> list[str]:
        canary, registry, _ = make(fail)
        statuses = [(await canary.health()).status for _ in range(2)]
        assert len(calls) == 1
        registry.put(LOADED)
        return [*statuses, (await canary.health()).status]

    assert asyncio.run(get()) == ["unready"] * 3
    assert len(calls) == 2


def test_a_canary_that_does_not_return_makes_the_server_unready() -> None:
    """It fails at its deadline, and the models are not called again while they have not returned."""
    end = threading.Event()
    calls: list[None] = []

    def block() -> None:
        calls.append(None)
        assert end.wait(20)

    async def get() -> list[str]:
        canary, _, _ = make(block, interval_s=0.0, deadline_s=0.05)
        statuses = [(await canary.health()).status for _ in range(2)]
        end.set()
        while canary._thread.overdue:  # noqa: ASYNC110  # a thread causes it, and sets no event of the loop
            await asyncio.sleep(0.001)
        return [*statuses, (await canary.health()).status]

    assert asyncio.run(get()) == ["unready", "unready", "ok"]
    assert len(calls) == 2


def test_threads_that_do_not_return_make_the_server_degraded_then_unready() -> None:
    """Their state is the present one, however old the result of the canary is."""

    async def get() -> list[Health]:
        canary, _, threads = make()
        threads._overdue[object()] = 0.0
        degraded = await canary.health()
        threads.is_exhausted = True
        return [degraded, await canary.health()]

    degraded, unready = asyncio.run(get())

    assert degraded.status == "degraded"
    assert degraded.detail == "1 of 4 threads are in calls of models that do not return in time"
    assert unready.status == "unready"
