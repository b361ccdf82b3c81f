"""Aliases that make the signature of a route its policy, and the services that routes depend on."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ParamSpec, TypeVar
from urllib.parse import parse_qsl

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import OAuth2PasswordBearer, SecurityScopes

from serve.api import rates
from serve.api.context import context_of
from serve.api.rates import Rates
from serve.auth.callers import Callers
from serve.auth.grants import Grants
from serve.auth.login import Login
from serve.auth.principals import Permission, Principal
from serve.auth.security_store import SecurityStore
from serve.auth.thread_limiter import ThreadLimiter
from serve.auth.tokens import Tokens
from serve.dialects.csv.options import CsvOptions
from serve.errors import ScopeMissing, Unauthenticated
from serve.inference.observers import Observers
from serve.inference.registry import Registry
from serve.inference.service import InferenceService
from serve.inference.threads import ModelThreads
from serve.limits.rate import Rate
from serve.telemetry.metrics import Metrics

PREFIX = "/api/v1"
TOKEN_PATH = f"{PREFIX}/token"
REVOKE_PATH = f"{TOKEN_PATH}/revoke"
P = ParamSpec("P")
T = TypeVar("T")

_SCOPES = {
    Permission.PREDICT: "ask for predictions",
    Permission.BATCH: "upload CSV",
    Permission.MODELS_READ: "see what the models expect and how good they are",
    Permission.METRICS_READ: "read the metrics",
}
bearer = OAuth2PasswordBearer(
    TOKEN_PATH, scopes={scope.value: text for scope, text in _SCOPES.items()}, auto_error=False
)


@dataclass(frozen=True, slots=True)
class Services:
    """The services that routes depend on, joined in `serve.app`."""

    registry: Registry
    inference: InferenceService
    observers: Observers
    login: Login
    tokens: Tokens
    grants: Grants
    records: SecurityStore
    callers: Callers
    metrics: Metrics
    rates: Rates
    csv: CsvOptions
    threads: ModelThreads
    reading: CapacityLimiter
    password_threads: ThreadLimiter
    database_threads: ThreadLimiter
    open_metrics: bool

    async def compute(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a computation that calls no model in a thread, so that the event loop is not blocked."""
        return await to_thread.run_sync(partial(call, *args, **kwargs), limiter=self.reading)


async def services(request: Request) -> Services:
    """Return the services of this app; a coroutine, since FastAPI runs other functions in a thread."""
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(services)]


async def principal(
    required: SecurityScopes, services: ServicesDep, request: Request, token: Annotated[str | None, Depends(bearer)]
) -> Principal:
    """
    Authenticate the caller, and note them for the access log.

    Raises:
        Unauthenticated: The token is missing or invalid.
        ScopeMissing: The token lacks a scope that the route needs.
    """
    # Exactly one header, and printable: the framework takes the first of several, and strips more than spaces.
    headers = request.headers.getlist("authorization")
    if not token:
        raise Unauthenticated
    if len(headers) > 1:
        raise Unauthenticated("several Authorization headers")
    if not headers[0].isascii() or not headers[0].isprintable():
        raise Unauthenticated("not printable ASCII")
    caller = await services.callers.verify(token)
    context = context_of(request.scope)
    context.caller, context.permissions = caller.name, caller.permissions
    missing = sorted(set(required.scopes) - caller.permissions)
    if missing:
        await rates.ask(context, services.rates.read, caller.name)
        raise ScopeMissing(missing)
    return caller


async def maybe(
    services: ServicesDep, request: Request, token: Annotated[str | None, Depends(bearer)]
) -> Principal | None:
    """
    Authenticate the caller if there is an Authorization header.

    Raises:
        Unauthenticated: The token is invalid.
    """
    if "authorization" not in request.headers:
        return None
    return await principal(SecurityScopes(), services, request, token)


async def address(request: Request) -> str:
    """Return the address of the client; empty if it is unknown."""
    return request.client.host if request.client else ""


async def metrics_reader(
    services: ServicesDep, request: Request, token: Annotated[str | None, Depends(bearer)]
) -> None:
    """Let callers with the scope read the metrics, or everyone if the deployment allows it."""
    if not services.open_metrics:
        caller = await principal(SecurityScopes([Permission.METRICS_READ]), services, request, token)
        await rates.ask(context_of(request.scope), services.rates.read, caller.name)


async def authenticated(request: Request) -> Principal:
    """
    Authenticate the caller of a path that does not exist: without a token, no one learns which paths exist.

    Raises:
        Unauthenticated: The token is missing or invalid.
    """
    joined = await services(request)
    caller = await principal(SecurityScopes(), joined, request, await bearer(request))
    await rates.ask(context_of(request.scope), joined.rates.read, caller.name)
    return caller


def parameters_of(request: Request) -> list[str]:
    """Return the names of the query parameters of the route."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    models = [field.field_info.annotation for field in dependant.query_params] if dependant else []
    return [name for model in models for name in getattr(model, "model_fields", ())]


def refuse_repeated(query: bytes, parameters: Collection[str]) -> None:
    """
    Refuse a repeated query parameter: a proxy in front of the server may have read the other value.

    Raises:
        RequestValidationError: A parameter of the route was sent more than once.
    """
    if not query or not parameters:
        return
    counts = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    repeated = [name for name in parameters if counts[name] > 1]
    if repeated:
        raise RequestValidationError([{"type": "duplicate", "loc": ("query", name), "msg": ""} for name in repeated])


def within(limit: Callable[[Rates], Rate | None]) -> Callable[..., Awaitable[Principal]]:
    """Return a dependency that authenticates the caller and counts the request against a limit."""

    async def counted(
        caller: Annotated[Principal, Security(principal)], request: Request, services: ServicesDep
    ) -> Principal:
        await rates.ask(context_of(request.scope), limit(services.rates), caller.name)
        refuse_repeated(request.scope["query_string"], parameters_of(request))
        return caller

    return counted


async def visitor(request: Request, services: ServicesDep) -> str:
    """
    Count a request without a token against the limit of its address, and return the address.

    Raises:
        RateExceeded: The address has used up the limit.
        LimitsUnavailable: The request cannot be counted.
    """
    await rates.ask(context_of(request.scope), services.rates.login, rates.address(request.scope))
    return await address(request)


Address = Annotated[str, Depends(address)]
MaybeCaller = Annotated[Principal | None, Depends(maybe)]
Caller = Annotated[Principal, Security(within(lambda rates: rates.read))]
Changer = Annotated[Principal, Security(within(lambda rates: rates.change))]
Predictor = Annotated[Principal, Security(within(lambda rates: rates.predict), scopes=[Permission.PREDICT])]
Batcher = Annotated[Principal, Security(within(lambda rates: rates.batch), scopes=[Permission.BATCH])]
ModelReader = Annotated[Principal, Security(within(lambda rates: rates.read), scopes=[Permission.MODELS_READ])]
MetricsReader = Annotated[None, Security(metrics_reader, scopes=[Permission.METRICS_READ])]
Visitor = Annotated[str, Depends(visitor)]
