"""What the models expect, predict and scored."""

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from artifacts import CHAMPION, Column
from artifacts.manifest import Execution
from serve.api.deps import PREFIX, ModelReader, PartsDep
from serve.registry import Model, Served

router = APIRouter(prefix=PREFIX, tags=["models"])


class VersionView(BaseModel):
    """One version in memory."""

    version: int
    created_at: datetime
    task: str
    estimator: str
    columns: list[Column]
    classes: list[bool | int | str]
    scores: dict[str, float]
    libraries: dict[str, str]
    execution: Execution | None

    @classmethod
    def of(cls, model: Model) -> "VersionView":
        """Drawn from the manifest."""
        manifest = model.bundle.manifest
        return cls(
            columns=list(manifest.signature.columns),
            classes=list(manifest.classes),
            **manifest.model_dump(include={"version", "created_at", "task", "estimator", "scores", "libraries"}),
            execution=manifest.execution,
        )


class Unavailable(BaseModel):
    """A version that could not be loaded, or with none all of a model; the code stays, the detail is for people."""

    version: int | None
    code: str
    detail: str


class ModelView(BaseModel):
    """One model: the version that answers by default, and the others that can be asked for."""

    name: str
    champion: int | None
    failed_champion: int | None = Field(
        description="The champion that could not be loaded, where `champion` is the former one instead."
    )
    aliases: dict[str, int]
    unavailable: list[Unavailable]
    versions: list[VersionView]

    @classmethod
    def of(cls, served: Served) -> "ModelView":
        """Drawn from memory."""
        missing = [(None, served.reason)] if served.reason else sorted(served.failures.items())
        return cls(
            name=served.name,
            champion=served.aliases.get(CHAMPION),
            failed_champion=served.failed_champion,
            aliases=dict(served.aliases),
            unavailable=[Unavailable(version=version, **asdict(failure)) for version, failure in missing],
            versions=[VersionView.of(model) for _, model in sorted(served.versions.items())],
        )


class ModelList(BaseModel):
    """Every model."""

    models: list[ModelView]


@router.get("/models")
async def list_models(caller: ModelReader, parts: PartsDep) -> ModelList:
    """Every model that is served."""
    return ModelList(models=[ModelView.of(served) for served in parts.registry.all()])


@router.get("/models/{model}")
async def show_model(model: str, caller: ModelReader, parts: PartsDep) -> ModelView:
    """What one model expects, predicts and scored."""
    return ModelView.of(parts.registry.show(model))
