"""Predictions for rows of JSON."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from artifacts import Predictions
from serve.answers import head
from serve.api import rates
from serve.api.deps import PREFIX, Parts, PartsDep, Predictor
from serve.api.disconnect import attended
from serve.api.media import require_media
from serve.errors import ModelError
from serve.inference import MODEL_ERROR
from serve.registry import Model
from serve.rows import invalid_rows, mistakes
from serve.schema import read
from serve.security.principals import Principal
from serve.threads import on_loop

router = APIRouter(prefix=PREFIX, tags=["predictions"])


class PredictOptions(BaseModel):
    """What may stand behind the question mark."""

    model_config = ConfigDict(extra="forbid")

    version: str | None = Field(None, description="A version's number or an alias; unset: the champion.")
    probabilities: bool = Field(True, description="Whether the answer has a probability a class.")
    on_error: Literal["fail", "report"] = Field(
        "fail", description="`fail`: one bad row fails the request. `report`: it is null, and `errors` says why."
    )


class ErrorView(BaseModel):
    """One mistake of one row."""

    row: int
    column: str | None
    code: str
    message: str


class PredictAnswer(BaseModel):
    """The answer, columnar: entry i of each list belongs to row i. A regressor has no `classes`."""

    model: str
    version: int
    failed_champion: int | None = Field(
        None, description="The champion that could not be loaded, where `version` is champion instead."
    )
    predictions: list[bool | int | float | str | None]
    classes: list[bool | int | str] | None = None
    probabilities: list[list[float] | None] | None = None
    errors: list[ErrorView] | None = None


Options = Annotated[PredictOptions, Query()]


@router.post("/predict", response_model=PredictAnswer)
async def predict_default(request: Request, caller: Predictor, parts: PartsDep, options: Options) -> Response:
    """Predict with the default model."""
    return await _predict(parts, None, request, caller, options)


@router.post("/models/{model}/predict", response_model=PredictAnswer)
async def predict(model: str, request: Request, caller: Predictor, parts: PartsDep, options: Options) -> Response:
    """Predict with one model."""
    return await _predict(parts, model, request, caller, options)


async def _predict(
    parts: Parts, name: str | None, request: Request, caller: Principal, options: PredictOptions
) -> Response:
    model = parts.registry.get(name, options.version)
    require_media(request, "application/json")
    body = await request.body()
    rows = min(max(1, body.count(b"[") + body.count(b"{") - 2), model.request.rows.limits.max_rows)
    admit = on_loop(partial(rates.ask, request.scope, parts.rates.rows, caller.name))
    answer = parts.inference.queue(model).alone(partial(_answer, parts, model, body, options, admit), rows=rows)
    content = await attended(request.receive, answer)
    return Response(content, media_type="application/json")


def _answer(parts: Parts, model: Model, body: bytes, options: PredictOptions, admit: Callable[[int], None]) -> bytes:
    reports = options.on_error == "report"
    batch = read(model.request, body, report=reports)
    if parts.rates.rows:
        admit(len(batch.good))
    predictions = parts.inference.predict(model, batch, probabilities=options.probabilities)
    if not reports and any(fault.code == MODEL_ERROR for fault in predictions.faults):
        raise ModelError
    if predictions.faults and not reports:
        raise invalid_rows(predictions.faults, (), model.request.rows)
    content = _content(model, predictions)
    if reports:
        content["errors"] = mistakes(predictions.faults, model.bundle.manifest.signature.names)
    return to_json(content)


def _content(model: Model, predictions: Predictions) -> dict[str, Any]:
    labels = predictions.labels.tolist()
    content: dict[str, Any] = {**head(model.name, model.version, model.failed_champion), "predictions": labels}
    if model.bundle.manifest.classes:
        content["classes"] = model.bundle.manifest.classes
    if predictions.probabilities is not None:
        rows = predictions.probabilities.tolist()
        content["probabilities"] = [row if label is not None else None for row, label in zip(rows, labels, strict=True)]
    return content
