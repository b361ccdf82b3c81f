"""The models of a store are loaded while the server answers, and what cannot be read is tried again."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from artifacts import Store
from serve.app.loading import Loader
from serve.dialects.native.limits import Limits
from serve.inference.registry import Registry
from serve.telemetry.metrics import Metrics
from tests.support import tiny_models


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that the loader brings about."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # threads bring it about, and set no event of the loop
            await asyncio.sleep(0.005)


def loader(root: Path, registry: Registry) -> Loader:
    """Return a loader that tries again after a moment."""
    return Loader(Store(root), registry, Limits(), Metrics(), again_s=0.01, settle_s=0.2)


def test_every_model_is_loaded(tmp_path: Path) -> None:
    """The loader ends once all are loaded; a version that is damaged is reported and not served."""
    store, registry = Store(tmp_path), Registry()
    tiny_models.make().publish(store)
    tiny_models.make().publish(store, promote=False)
    store.promote("tiny", 2, alias="challenger")
    (tmp_path / "tiny" / "2" / "model.joblib").write_bytes(b"")

    async def test() -> None:
        await loader(tmp_path, registry).run()

    asyncio.run(test())

    [model] = registry.all()
    assert (list(model.versions), list(model.failures)) == ([1], [2])


def test_a_store_that_appears_later_is_loaded(tmp_path: Path) -> None:
    """While it is missing the registry is away and the server may answer; an empty folder is tried again too."""
    registry, root = Registry(), tmp_path / "store"
    tiny_models.make().publish(Store(tmp_path / "prepared"))

    async def test() -> None:
        waiting = loader(root, registry)
        task = asyncio.create_task(waiting.run())
        await waiting.settled()
        assert registry.is_away
        root.mkdir()
        await until(lambda: not registry.is_away)
        shutil.move(tmp_path / "prepared" / "tiny", root / "tiny")
        await task

    asyncio.run(test())

    assert [model.name for model in registry.all() if model.champion] == ["tiny"]


def test_a_version_that_cannot_be_read_is_tried_again(tmp_path: Path) -> None:
    """The folder of the champion is missing for a while, and the former champion is served meanwhile."""
    registry, root = Registry(), tmp_path / "store"
    for _ in range(2):
        tiny_models.make().publish(Store(root))
    folder = root / "tiny" / "2"
    folder.rename(tmp_path / "away")

    async def test() -> None:
        task = asyncio.create_task(loader(root, registry).run())
        await until(lambda: any(model.is_unreadable for model in registry.all()))
        (tmp_path / "away").rename(folder)
        await task

    asyncio.run(test())

    [model] = registry.all()
    assert model.failed_champion is None
    assert list(model.versions) == [2]
