"""Loads the models of the store while the server answers, and retries what could not be read."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import structlog
from anyio import CapacityLimiter, create_task_group, move_on_after, sleep, to_thread

from artifacts import CHAMPION, ArtifactError, Store
from artifacts.trial import Trials
from serve.dialects.native.limits import Limits
from serve.inference.loader import load_model
from serve.inference.registry import LOADING, Failure, Registry, ServedModel
from serve.telemetry.metrics import Metrics

# The server starts to answer if no model has become ready for this long, while trials of others go on.
SETTLE_S = 5.0
# How often a store, or a part of it, that could not be read is tried again.
AGAIN_S = 2.0
# Models whose versions are tried at once; each takes a thread.
_WAITING = 64

_log = structlog.get_logger("serve.app")
_audit = structlog.get_logger("serve.audit")


class Loader:
    """Fills the registry from the store."""

    def __init__(
        self,
        store: Store,
        into: Registry,
        limits: Limits,
        metrics: Metrics,
        *,
        fallback: bool = True,
        trials: Trials | None = None,
        settle_s: float = SETTLE_S,
        again_s: float = AGAIN_S,
    ) -> None:
        self._store = store
        self._registry = into
        self._metrics = metrics
        self._trials = trials
        self._load_model = partial(load_model, store, limits=limits, fallback=fallback)
        self._settle_s = settle_s
        self._again_s = again_s
        self._trying = CapacityLimiter(_WAITING)
        # One model at a time: loading measures how long the model takes for a row.
        self._loading = CapacityLimiter(1)
        self._loaded = 0
        self._is_settled = asyncio.Event()

    async def settled(self) -> None:
        """Wait until every model is loaded or refused, or only trials that take long are left."""
        before = -1
        while not self._is_settled.is_set() and (before != self._loaded or self._loading.borrowed_tokens):
            before = self._loaded
            with move_on_after(self._settle_s):
                await self._is_settled.wait()

    async def run(self) -> None:
        """Load all models; go on until nothing is left that the store could not read."""
        try:
            await self._load_all()
        finally:
            self._is_settled.set()
        while waiting := not self._has_any or [model for model in self._registry.all() if model.is_unreadable]:
            await sleep(self._again_s)
            if waiting is True:
                await self._load_all()
            else:
                await self._load(
                    [model.name for model in waiting if await to_thread.run_sync(self._is_readable, model)]
                )

    @property
    def _has_any(self) -> bool:
        """Whether the store has any version; the folder of a volume that is not mounted yet is empty."""
        return any(model.versions or model.problems for model in self._registry.all())

    async def _load_all(self) -> None:
        names = await self._names()
        self._registry.replace([ServedModel(name, {}, {}, reason=LOADING) for name in names])
        await self._load(names)
        if self._registry.notice and names:
            _log.warning("unknown default model", detail=self._registry.notice)
        elif not names and not self._is_settled.is_set():
            _log.warning("the store is empty", advice="make train")
        if self._trials:
            await to_thread.run_sync(self._trials.close)

    async def _names(self) -> Sequence[str]:
        """Return the models of the store; wait while it cannot be read."""
        while (names := await to_thread.run_sync(self._look, abandon_on_cancel=True)) is None:
            if not self._registry.is_away:
                self._registry.replace([], is_away=True)
                _log.error("the model store cannot be read", store=str(self._store.root), again_s=self._again_s)
                self._is_settled.set()
            await sleep(self._again_s)
        return names

    def _look(self) -> Sequence[str] | None:
        try:
            return self._store.models() if self._store.exists else None
        except ArtifactError:
            return None

    async def _load(self, names: Sequence[str]) -> None:
        async with create_task_group() as tasks:
            for name in names:
                tasks.start_soon(self._load_one, name)

    async def _load_one(self, name: str) -> None:
        # A shutdown does not wait for a trial: its child process ends by its own time limit.
        await to_thread.run_sync(self._try, name, limiter=self._trying, abandon_on_cancel=True)
        served = await to_thread.run_sync(self._load_model, name, limiter=self._loading, abandon_on_cancel=True)
        self._registry.put(served)
        self._loaded += 1
        self._report(served)

    def _try(self, name: str) -> None:
        """Try the versions in a child process, so that other models do not wait for one that takes long."""
        # Loading finds the same error again, at once.
        with suppress(ArtifactError):
            for version in sorted(set(self._store.aliases(name).values())):
                with suppress(ArtifactError):
                    self._store.check(name, version)

    def _is_readable(self, model: ServedModel) -> bool:
        """Whether versions that could not be read can be read now, valid or not."""
        try:
            self._store.aliases(model.name)
            for version, failure in model.failures.items():
                if failure.is_temporary:
                    self._store.check(model.name, version)
        except ArtifactError as error:
            return not Failure.of(error).is_temporary
        return True

    def _report(self, model: ServedModel) -> None:
        whole = [(None, model.reason)] if model.reason else []
        for version, failure in [*whole, *model.failures.items()]:
            self._metrics.load_failures.labels(model.name).inc()
            _log.error("model not loaded", model=model.name, version=version, code=failure.code, reason=failure.detail)
            _audit.warning("artifact refused", model=model.name, version=version, code=failure.code)
        if model.failed_champion is not None:
            _log.error(
                "former champion served",
                model=model.name,
                version=model.aliases[CHAMPION],
                failed_champion=model.failed_champion,
                code=model.failures[model.failed_champion].code,
                reason=model.failures[model.failed_champion].detail,
            )
        for version, loaded in model.versions.items():
            bundle = loaded.bundle
            _log.info("model loaded", model=model.name, version=version, key=bundle.key)
            if bundle.incompatible:
                self._metrics.version_mismatches.labels(model.name).inc()
            for difference in (*bundle.incompatible, *bundle.differing):
                _log.warning("other libraries", model=model.name, version=version, detail=difference)
