"""The served models: their columns, classes, scores and cards."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from artifacts import CHAMPION, Column
from artifacts.manifest import Execution
from serve.api.deps import PREFIX, ModelReader, ServicesDep
from serve.errors import CardNotFound
from serve.inference.registry import LoadedModel, ServedModel

# The page was written by the publisher: it may show its plots, but run no script and load nothing.
_CARD_POLICY = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)

router = APIRouter(prefix=PREFIX, tags=["models"])


class VersionView(BaseModel):
    """One loaded version."""

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
    def of(cls, model: LoadedModel) -> "VersionView":
        """Return the view of a loaded version."""
        manifest = model.bundle.manifest
        return cls(
            columns=list(manifest.signature.columns),
            classes=list(manifest.classes),
            **manifest.model_dump(include={"version", "created_at", "task", "estimator", "scores", "libraries"}),
            execution=manifest.execution,
        )


class Unavailable(BaseModel):
    """A version that could not be loaded, or the whole model if `version` is null; only `code` is stable."""

    version: int | None
    code: str
    detail: str


class ModelView(BaseModel):
    """One model: the version that is used by default, and all loaded versions."""

    name: str
    champion: int | None
    failed_champion: int | None = Field(
        description="The champion that could not be loaded, if `champion` is the former one instead."
    )
    aliases: dict[str, int]
    unavailable: list[Unavailable]
    versions: list[VersionView]

    @classmethod
    def of(cls, model: ServedModel) -> "ModelView":
        """Return the view of a model."""
        return cls(
            name=model.name,
            champion=model.aliases.get(CHAMPION),
            failed_champion=model.failed_champion,
            aliases=dict(model.aliases),
            unavailable=[Unavailable(version=version, **asdict(failure)) for version, failure in model.all_failures],
            versions=[VersionView.of(version) for _, version in sorted(model.versions.items())],
        )


class ModelList(BaseModel):
    """All models."""

    models: list[ModelView]


class CardOptions(BaseModel):
    """The query parameters."""

    model_config = ConfigDict(extra="forbid")

    version: str | None = Field(None, description="A version number or an alias; by default the champion.")


@router.get("/models")
async def list_models(caller: ModelReader, services: ServicesDep) -> ModelList:
    """Return every model."""
    return ModelList(models=[ModelView.of(served) for served in services.registry.all()])


@router.get("/models/{model}")
async def show_model(model: str, caller: ModelReader, services: ServicesDep) -> ModelView:
    """Return the columns, classes and scores of a model."""
    return ModelView.of(services.registry.find(model))


@router.get("/models/{model}/card", response_class=HTMLResponse)
async def show_card(
    model: str, caller: ModelReader, services: ServicesDep, options: Annotated[CardOptions, Query()]
) -> HTMLResponse:
    """Return the model card of a version: what it predicts, from which data, how well, and its limits."""
    card = services.registry.get(model, options.version).bundle.card
    if card is None:
        raise CardNotFound
    return HTMLResponse(card, headers={"Content-Security-Policy": _CARD_POLICY})
