"""Predictions for a body that is answered in one piece: one ASGI endpoint for both paths and all their parameters."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from artifacts import Batch, Predictions
from serve.api import rates
from serve.api.context import RequestContext, context_of
from serve.api.deps import PREFIX, Predictor, Services, bearer, principal, refuse_repeated
from serve.api.disconnect import wait_connected
from serve.api.media import require_media
from serve.api.problems import problem_of
from serve.api.rates import Rates
from serve.auth.principals import Permission
from serve.dialects.native.encoder import NativeEncoder
from serve.errors import ModelError, ServeError
from serve.inference.calls import Call
from serve.inference.faults import MODEL_ERROR, complete
from serve.inference.registry import LoadedModel
from serve.inference.service import Queue
from serve.limits.rate import Rate

router = APIRouter(prefix=PREFIX, tags=["predictions"])

DEFAULT_PATH = "/predict"
MODEL_PATH = "/models/{model}/predict"

_JSON = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
_BEARER = b"Bearer "
# Targets that are cached: a caller may spell a query in many ways.
_MOST_TARGETS = 1000

_log = structlog.get_logger("serve.predict")


class PredictOptions(BaseModel):
    """The query parameters."""

    model_config = ConfigDict(extra="forbid")

    version: str | None = Field(None, description="A version's number or an alias; unset: the champion.")
    probabilities: bool = Field(True, description="Whether the answer has a probability for each class.")
    on_error: Literal["fail", "report"] = Field(
        "fail", description="`fail`: one bad row fails the request. `report`: it is null, and `errors` says why."
    )


_DEFAULTS = PredictOptions()


class ErrorView(BaseModel):
    """One error of one row."""

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


# The signatures are what OpenAPI shows and what the routes' tests read; `PredictEndpoint` answers both paths.
@router.post(DEFAULT_PATH, response_model=PredictAnswer)
async def predict_default(caller: Predictor, options: Options) -> None:
    """Predict with the default model."""


@router.post(MODEL_PATH, response_model=PredictAnswer)
async def predict(model: str, caller: Predictor, options: Options) -> None:
    """Predict with one model."""


@dataclass(frozen=True, slots=True)
class Path:
    """
    One path of the endpoint and its policy.

    Attributes:
        pattern: Matches the path; its groups are the parameters of the path: the model and the version.
        route: What documents it; logs, metrics and messages name its path.
        permission: What a caller needs.
        rate: The limit that each request is counted under.
    """

    pattern: re.Pattern[str]
    route: APIRoute
    permission: Permission
    rate: Callable[[Rates], Rate | None]


def _path(route: APIRoute) -> Path:
    pattern = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route.path)))
    return Path(pattern, route, Permission.PREDICT, lambda rates: rates.predict)


PATHS = tuple(_path(route) for route in router.routes if isinstance(route, APIRoute))


@dataclass(frozen=True, slots=True)
class _Target:
    """What a path with its query means: a loaded version, and what the response has."""

    model: LoadedModel
    queue: Queue
    encoder: NativeEncoder
    probabilities: bool
    reports: bool


class PredictEndpoint:
    """Answers POST on both predict paths, refusals included; every other request goes to the app behind it."""

    def __init__(self, app: ASGIApp, services: Services, *, max_bytes: int) -> None:
        self._app = app
        self._services = services
        self._max_bytes = max_bytes
        # By path and query.
        self._targets: dict[tuple[str, bytes], _Target] = {}
        self._generation = -1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _find(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if path is None:
            await self._app(scope, receive, send)
            return
        context = context_of(scope)
        scope["route"] = path.route
        try:
            content = await self._predict(scope, receive, context, path)
        except Exception as error:  # noqa: BLE001  # each becomes a problem document
            if not isinstance(error, ServeError | ClientDisconnect | RequestValidationError | HTTPException):
                _log.exception("request failed")
            response = await problem_of(Request(scope), error)
            await response(scope, receive, send)
            return
        if context.respond(content):
            return
        headers = [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _predict(  # one frame for the whole fast path, since each further one costs as much as a step
        self, scope: Scope, receive: Receive, context: RequestContext, path: Path
    ) -> bytes:
        services, headers = self._services, context.headers
        self._check_length(headers)
        # Repeated headers are left to Starlette, which keeps each of them.
        is_plain = len(headers) == len(scope["headers"])
        caller = self._recall(context, path.permission) if is_plain else None
        if caller is None:
            caller = await self._authenticate(scope, path.permission)
        if (limit := path.rate(services.rates)) and not rates.take(context, limit, caller):
            await rates.ask(context, limit, caller)
        target = self._target(path, (scope["path"], scope["query_string"]))
        if not is_plain or headers.get(b"content-type") not in _JSON or b"content-encoding" in headers:
            require_media(Request(scope), "application/json")
        message = await receive()
        is_whole = message["type"] == "http.request" and not message.get("more_body")
        body: bytes = message["body"] if is_whole else await self._rest(message, receive)
        decoder = target.model.native
        decoded = decoder.decode_short(body, report=target.reports)
        if decoded is None:
            # In a thread, so that no other request waits for it.
            decoded = await services.compute(decoder.decode, body, report=target.reports)
        batch, rows = (decoded, decoded.data) if isinstance(decoded, Batch) else (None, decoded)
        if services.rates.rows:
            await rates.ask(context, services.rates.rows, caller, len(rows if batch is None else batch.good))
        if batch is not None and not len(rows):
            return _answer(target, target.model.bundle.no_predictions(0, probabilities=target.probabilities), batch)
        call = Call(target.model, rows, caller, context.request_id, target.probabilities)
        future = services.inference.predict(call)
        # While a slow model predicts, the request ends as soon as its client disconnects.
        is_soon = future.done() or target.queue.is_quick
        predictions = await (future if is_soon else wait_connected(receive, future))
        return _answer(target, predictions, batch)

    def _check_length(self, headers: Mapping[bytes, bytes]) -> None:
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._max_bytes:
            raise HTTPException(413)

    async def _authenticate(self, scope: Scope, permission: Permission) -> str:
        request = Request(scope)
        caller = await principal(SecurityScopes([permission]), self._services, request, await bearer(request))
        return caller.name

    def _recall(self, context: RequestContext, permission: Permission) -> str | None:
        """Return the caller of a token that was verified before and has the permission."""
        authorization = context.headers.get(b"authorization", b"")
        if not authorization.startswith(_BEARER):
            return None
        known = self._services.callers.recall(authorization[len(_BEARER) :].decode("latin-1"))
        if known is None or permission not in known.permissions:
            return None
        context.caller, context.permissions = known.name, known.permissions
        return known.name

    def _target(self, path: Path, key: tuple[str, bytes]) -> _Target:
        """
        Return what a path with its query means; it is kept until the loaded models change.

        Raises:
            RequestValidationError: A parameter is unknown, repeated or has an invalid value.
            ModelNotFound, VersionNotLoaded, ModelUnavailable: See `Registry.get`.
        """
        registry = self._services.registry
        target = self._targets.get(key) if self._generation == registry.generation else None
        if target is not None:
            return target
        if self._generation != registry.generation or len(self._targets) >= _MOST_TARGETS:
            self._generation, self._targets = registry.generation, {}
        options = _options(key[1]) if key[1] else _DEFAULTS
        match = path.pattern.fullmatch(key[0])
        named = match.groupdict() if match else {}
        model = registry.get(named.get("model"), named.get("version", options.version))
        encoder = NativeEncoder(model.bundle.manifest, failed_champion=model.failed_champion)
        queue = self._services.inference.queue(model)
        target = _Target(model, queue, encoder, options.probabilities, options.on_error == "report")
        self._targets[key] = target
        return target

    async def _rest(self, message: Message, receive: Receive) -> bytes:
        """Receive the rest of a body that comes in several messages, this one first."""
        pieces, size = [], 0
        while True:
            if message["type"] != "http.request":
                raise ClientDisconnect
            size += len(message["body"])
            if size > self._max_bytes:
                raise HTTPException(413)
            pieces.append(message["body"])
            if not message.get("more_body"):
                return b"".join(pieces)
            message = await receive()


def _answer(target: _Target, predictions: Predictions, batch: Batch | None) -> bytes:
    if batch is not None:
        predictions = complete(predictions, batch, target.model.bundle, probabilities=target.probabilities)
    if predictions.faults and not target.reports:
        raise _refusal(predictions, target.model)
    return target.encoder.encode(predictions, probabilities=target.probabilities, report=target.reports)


@lru_cache(maxsize=1024)
def _find(path: str) -> Path | None:
    """Return the entry of a path."""
    return next((entry for entry in PATHS if entry.pattern.fullmatch(path)), None)


def _options(query: bytes) -> PredictOptions:
    """
    Read the query parameters.

    Raises:
        RequestValidationError: A parameter is unknown, repeated or has an invalid value.
    """
    refuse_repeated(query, PredictOptions.model_fields)
    given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    try:
        return PredictOptions.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RequestValidationError([{**entry, "loc": ("query", *entry["loc"])} for entry in found]) from error


def _refusal(predictions: Predictions, model: LoadedModel) -> ServeError:
    if any(fault.code == MODEL_ERROR for fault in predictions.faults):
        return ModelError()
    return model.native.refusal(predictions.faults)
