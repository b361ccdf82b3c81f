"""What the models expect, predict and scored."""

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

# The page is the publisher's: it may show itself, with its plots, and run and fetch nothing.
_CARD_POLICY = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)

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
    def of(cls, model: LoadedModel) -> "VersionView":
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
    def of(cls, served: ServedModel) -> "ModelView":
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


class CardOptions(BaseModel):
    """What may stand behind the question mark."""

    model_config = ConfigDict(extra="forbid")

    version: str | None = Field(None, description="A version's number or an alias; unset: the champion.")


@router.get("/models")
async def list_models(caller: ModelReader, services: ServicesDep) -> ModelList:
    """Every model that is served."""
    return ModelList(models=[ModelView.of(served) for served in services.registry.all()])


@router.get("/models/{model}")
async def show_model(model: str, caller: ModelReader, services: ServicesDep) -> ModelView:
    """What one model expects, predicts and scored."""
    return ModelView.of(services.registry.find(model))


@router.get("/models/{model}/card", response_class=HTMLResponse)
async def show_card(
    model: str, caller: ModelReader, services: ServicesDep, options: Annotated[CardOptions, Query()]
) -> HTMLResponse:
    """What one version predicts, from what, how well and within which limits: a page for people."""
    card = services.registry.get(model, options.version).bundle.card
    if card is None:
        raise CardNotFound
    return HTMLResponse(card, headers={"Content-Security-Policy": _CARD_POLICY})
