"""Aliases that make a route's signature its policy, and the services that routes are given."""

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
from serve.auth.auth_threads import AuthThreads
from serve.auth.callers import Callers
from serve.auth.grants import Grants
from serve.auth.login import Login
from serve.auth.principals import Principal
from serve.auth.security_store import SecurityStore
from serve.auth.tokens import Tokens
from serve.auth.users import Scope
from serve.dialects.csv.options import CsvOptions
from serve.errors import ScopeMissing, Unauthenticated
from serve.inference.observers import Observers
from serve.inference.registry import Registry
from serve.inference.service import InferenceService
from serve.inference.threads import ThreadLimiter
from serve.limits.rate import Rate
from serve.telemetry.metrics import Metrics

PREFIX = "/api/v1"
TOKEN_PATH = f"{PREFIX}/token"
REVOKE_PATH = f"{TOKEN_PATH}/revoke"
P = ParamSpec("P")
T = TypeVar("T")

_SCOPES = {
    Scope.PREDICT: "ask for predictions",
    Scope.BATCH: "upload CSV",
    Scope.MODELS_READ: "see what the models expect and how good they are",
    Scope.METRICS_READ: "read the metrics",
}
bearer = OAuth2PasswordBearer(
    TOKEN_PATH, scopes={scope.value: text for scope, text in _SCOPES.items()}, auto_error=False
)


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes are made of; joined in `serve.app`, read here."""

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
    threads: ThreadLimiter
    reading: CapacityLimiter
    password_threads: AuthThreads
    database_threads: AuthThreads
    open_metrics: bool

    async def compute(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what computes, but calls no model, in a thread, so that the event loop goes on turning."""
        return await to_thread.run_sync(partial(call, *args, **kwargs), limiter=self.reading)

    async def recognise(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what hashes a password in a thread of its own kind: predictions never wait for logins."""
        return await self.password_threads.run(call, *args, **kwargs)


async def services(request: Request) -> Services:
    """The services of this app; a coroutine, since FastAPI runs anything else in a thread."""
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(services)]


async def principal(
    required: SecurityScopes, services: ServicesDep, request: Request, token: Annotated[str | None, Depends(bearer)]
) -> Principal:
    """
    Who asks, noted for the access log.

    Raises:
        Unauthenticated: There is no token, or none that counts.
        ScopeMissing: It does not reach what the route needs.
    """
    # One header, and what stands in it: the framework takes the first of several, and strips more than blanks.
    headers = request.headers.getlist("authorization")
    if not token:
        raise Unauthenticated
    if len(headers) > 1:
        raise Unauthenticated("several Authorization headers")
    if not headers[0].isascii() or not headers[0].isprintable():
        raise Unauthenticated("not printable ASCII")
    caller = await services.callers.verify(token)
    context = context_of(request.scope)
    context.caller, context.permissions = caller.name, caller.scopes
    missing = sorted(set(required.scopes) - caller.scopes)
    if missing:
        await rates.ask(context_of(request.scope), services.rates.read, caller.name)
        raise ScopeMissing(missing)
    return caller


async def maybe(
    services: ServicesDep, request: Request, token: Annotated[str | None, Depends(bearer)]
) -> Principal | None:
    """
    Who asks, if they say so.

    Raises:
        Unauthenticated: They do, and it does not count.
    """
    if "authorization" not in request.headers:
        return None
    return await principal(SecurityScopes(), services, request, token)


async def address(request: Request) -> str:
    """Where a request comes from; empty where nobody knows."""
    return request.client.host if request.client else ""


async def metrics_reader(
    services: ServicesDep, request: Request, token: Annotated[str | None, Depends(bearer)]
) -> None:
    """Who may read the metrics: everybody, if the deployment says so."""
    if not services.open_metrics:
        caller = await principal(SecurityScopes([Scope.METRICS_READ]), services, request, token)
        await rates.ask(context_of(request.scope), services.rates.read, caller.name)


async def anybody(request: Request) -> Principal:
    """
    Who asks for what does not exist: without a token, nobody learns what does.

    Raises:
        Unauthenticated: There is no token, or none that counts.
    """
    joined = await services(request)
    caller = await principal(SecurityScopes(), joined, request, await bearer(request))
    await rates.ask(context_of(request.scope), joined.rates.read, caller.name)
    return caller


def parameters_of(request: Request) -> list[str]:
    """The names of the query parameters that the route of a request takes."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    models = [field.field_info.annotation for field in dependant.query_params] if dependant else []
    return [name for model in models for name in getattr(model, "model_fields", ())]


def refuse_repeated(query: bytes, parameters: Collection[str]) -> None:
    """
    Refuse a query parameter that is there twice: what stands before the server may have read the other one.

    Raises:
        RequestValidationError: One of the route's parameters was sent more than once.
    """
    if not query or not parameters:
        return
    counts = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    repeated = [name for name in parameters if counts[name] > 1]
    if repeated:
        raise RequestValidationError([{"type": "duplicate", "loc": ("query", name), "msg": ""} for name in repeated])


def within(limit: Callable[[Rates], Rate | None]) -> Callable[..., Awaitable[Principal]]:
    """A caller who has not asked too often, by one of the limits of `Rates`."""

    async def counted(
        caller: Annotated[Principal, Security(principal)], request: Request, services: ServicesDep
    ) -> Principal:
        await rates.ask(context_of(request.scope), limit(services.rates), caller.name)
        refuse_repeated(request.scope["query_string"], parameters_of(request))
        return caller

    return counted


async def visitor(request: Request, services: ServicesDep) -> str:
    """
    The address of one who is not recognised yet, and has not asked too often.

    Raises:
        RateExceeded: They have.
        LimitsUnavailable: Nobody can tell.
    """
    await rates.ask(context_of(request.scope), services.rates.login, rates.address(request.scope))
    return await address(request)


Address = Annotated[str, Depends(address)]
MaybeCaller = Annotated[Principal | None, Depends(maybe)]
Caller = Annotated[Principal, Security(within(lambda rates: rates.read))]
Changer = Annotated[Principal, Security(within(lambda rates: rates.change))]
Predictor = Annotated[Principal, Security(within(lambda rates: rates.predict), scopes=[Scope.PREDICT])]
Batcher = Annotated[Principal, Security(within(lambda rates: rates.batch), scopes=[Scope.BATCH])]
ModelReader = Annotated[Principal, Security(within(lambda rates: rates.read), scopes=[Scope.MODELS_READ])]
MetricsReader = Annotated[None, Security(metrics_reader, scopes=[Scope.METRICS_READ])]
Visitor = Annotated[str, Depends(visitor)]
