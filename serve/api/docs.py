"""OpenAPI with one operation per model, and the pages that show it."""

import copy
from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from pydantic_core import to_json
from starlette.staticfiles import StaticFiles

from serve.api.deps import PREFIX, ServicesDep
from serve.api.home import BrowserRoute, show_home
from serve.api.media import CSV
from serve.api.problems import MEDIA_TYPE, Problem
from serve.errors import ModelNotFound
from serve.inference.registry import LoadedModel, Registry

# Swagger UI and ReDoc as packaged by fastapi-offline: the pages load nothing from other hosts.
ASSETS = Path(fastapi_offline.__file__).parent / "static"
_ASSETS_PATH = "/docs/assets"
_OPENAPI_PATH = "/openapi.json"
_PARAMETRIC = f"{PREFIX}/models/{{model}}/predict"
_DEFAULT = f"{PREFIX}/predict"
_MODEL = f"{PREFIX}/models/{{model}}"

# The pages have an inline script, load scripts of this server, and send requests to this server only.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)

# The order of the page.
_TAGS = (
    ("predictions", "Predict one row, many rows or a whole CSV. Each model has its own operation."),
    ("models", "The columns, classes and scores of the models."),
    ("tokens", "Log in, refresh a token, log out."),
    ("me", "The caller's own sessions and password."),
    ("operations", "Health and metrics."),
)
# What each operation does, by its id; pairs, since a security linter takes the names in a mapping for secrets.
_SUMMARIES = (
    ("predict_default", "Predict with the default model"),
    ("predict_csv_default", "Predict every row of a CSV with the default model"),
    ("predict_csv", "Predict every row of a CSV"),
    ("list_models", "List the models"),
    ("show_model", "Show the columns, classes and scores of a model"),
    ("show_card", "Show the model card"),
    ("issue_token", "Log in, or refresh a token"),
    ("revoke_token", "Log out"),
    ("show_public_keys", "List the public keys that verify tokens"),
    ("show_caller", "Show the owner of the token"),
    ("list_sessions", "List the caller's sessions"),
    ("end_session", "End one of the caller's sessions"),
    ("change_password", "Change the caller's password"),
    ("ready", "Report whether the server is ready for requests"),
    ("live", "Report whether the process is running"),
    ("show_metrics", "Show the Prometheus metrics"),
)
_INTRODUCTION = f"""\
Predictions of models on tabular data, in three steps:

1. **Log in.** Press *Authorize* and give a name and a password, or paste a token or an API key under *Token*. In
   development the user is `developer`, the password is in `.sepal/development.env`, and `make -s token` prints a
   token.
2. **Send a row.** Open a model below, press *Try it out*, then *Execute*: the example is a valid row. Other clients
   send `POST {PREFIX}/models/<model>/predict` with `{{"instances": [[...]]}}`.
3. **Send a CSV.** `POST {PREFIX}/models/<model>/predict/csv` returns the same rows with a prediction added to each; an
   invalid row has its error instead.
"""
# A token or an API key that the user pastes.
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token from `make -s token` or a login, or an API key from `python -m serve keys create`.",
}

router = APIRouter(include_in_schema=False)


def install(app: FastAPI) -> None:
    """Serve the documentation."""
    app.include_router(router)
    app.router.routes.append(BrowserRoute("/", show_home, methods=["GET"]))
    app.mount(_ASSETS_PATH, StaticFiles(directory=ASSETS), name="assets")


@router.get(_OPENAPI_PATH)
async def show_openapi(request: Request, services: ServicesDep) -> Response:
    """Return the OpenAPI document of the loaded models."""
    return Response(
        _content(request.app, services.registry, services.registry.generation), media_type="application/json"
    )


@router.get("/docs")
async def show_swagger() -> HTMLResponse:
    """Return the page of Swagger UI."""
    page = get_swagger_ui_html(
        openapi_url=_OPENAPI_PATH,
        title="sepal",
        swagger_js_url=f"{_ASSETS_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS_PATH}/favicon.png",
    )
    return _with_policy(page)


@router.get("/redoc")
async def show_redoc() -> HTMLResponse:
    """Return the page of ReDoc."""
    page = get_redoc_html(
        openapi_url=_OPENAPI_PATH,
        title="sepal",
        redoc_js_url=f"{_ASSETS_PATH}/redoc.standalone.js",
        redoc_favicon_url=f"{_ASSETS_PATH}/favicon.png",
        with_google_fonts=False,
    )
    return _with_policy(page)


def _with_policy(page: HTMLResponse) -> HTMLResponse:
    """Forbid that other pages embed a page, and that it sends requests to other servers."""
    page.headers["Content-Security-Policy"] = _POLICY
    return page


@lru_cache(maxsize=1)
def _content(app: FastAPI, registry: Registry, _generation: int) -> bytes:
    """Return the document, created again only if other models are loaded."""
    return to_json(document(app, registry))


def document(app: FastAPI, registry: Registry) -> dict[str, Any]:
    """Return the OpenAPI document of the app, with one prediction operation for every loaded model."""
    openapi = get_openapi(title=app.title, version=app.version, description=_INTRODUCTION, routes=app.routes)
    openapi["tags"] = [{"name": name, "description": text} for name, text in _TAGS]
    paths, schemas = openapi["paths"], openapi["components"]["schemas"]
    parametric = paths.pop(_PARAMETRIC)["post"]
    summaries = dict(_SUMMARIES)
    for operation in _operations(openapi):
        operation["summary"] = summaries.get(operation["operationId"], operation["summary"])
    champions = {served.name: champion for served in registry.all() if (champion := served.champion)}
    predictions = {}
    for name, model in champions.items():
        schemas[model.native.request.__name__] = _request_schema(model)
        operation = _documented(parametric, model)
        operation["parameters"] = [given for given in operation["parameters"] if given["name"] != "model"]
        predictions[_PARAMETRIC.replace("{model}", name)] = {"post": operation}
    # The operations of a section have the order of the paths.
    openapi["paths"] = {**predictions, **paths}
    default = _default_model(registry)
    if default in champions:
        paths[_DEFAULT]["post"] = _documented(paths[_DEFAULT]["post"], champions[default], suffix="default")
    _remove_unusable(openapi["paths"], registry, has_default=default in champions)
    _describe_problems(openapi)
    _accept_tokens(openapi)
    return openapi


def _operations(openapi: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in openapi["paths"].values():
        yield from operations.values()


def _remove_unusable(paths: dict[str, Any], registry: Registry, *, has_default: bool) -> None:
    """Remove operations that could only be 404, and list the models that a path parameter may name."""
    served = registry.all()
    loaded = [model for each in served for model in each.versions.values()]
    names = {
        f"{_PARAMETRIC}/csv": [model.name for model in served if model.champion],
        _MODEL: [model.name for model in served],
        f"{_MODEL}/card": sorted({model.name for model in loaded if model.bundle.card is not None}),
    }
    for path, models in names.items():
        for operation in paths[path].values():
            schemas = [given["schema"] for given in operation["parameters"] if given["name"] == "model"]
            for schema in schemas:
                schema["enum"] = models
        if not models:
            del paths[path]
    if not has_default:
        del paths[_DEFAULT], paths[f"{_DEFAULT}/csv"]


def _accept_tokens(openapi: dict[str, Any]) -> None:
    """Accept a pasted token or API key wherever a login is accepted."""
    openapi["components"]["securitySchemes"]["Token"] = _TOKEN
    for operation in _operations(openapi):
        if "security" in operation:
            operation["security"] = [*operation["security"], {"Token": []}]


def _describe_problems(openapi: dict[str, Any]) -> None:
    """Document the errors of each operation, which all are problem documents; FastAPI's own 422 is never sent."""
    schemas = openapi["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name)
    schemas["Problem"] = Problem.model_json_schema()
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operation in _operations(openapi):
        responses = operation["responses"]
        if "HTTPValidationError" in str(responses.get("422")):
            del responses["422"]
        for status in _problem_statuses(operation):
            responses.setdefault(str(status), {"description": HTTPStatus(status).phrase, "content": content})


def _problem_statuses(operation: dict[str, Any]) -> Iterator[int]:
    """Yield the statuses of errors that an operation may have."""
    yield from (400, 405, 408, 429, 431, 503)
    if "security" in operation:
        yield from (401, 403)
    if operation.get("parameters"):
        yield from (404, 422)
    if "requestBody" in operation:
        yield from (401, 413, 415, 422, 504, 507)
    if CSV in operation["responses"].get("200", {}).get("content", {}):
        yield 426


def _documented(operation: dict[str, Any], model: LoadedModel, *, suffix: str = "") -> dict[str, Any]:
    examples = model.bundle.manifest.examples.instances[:2]
    names = model.bundle.manifest.signature.names
    kinds = {
        "vectors": {"value": {"instances": [list(row) for row in examples]}},
        "records": {"value": {"instances": [dict(zip(names, row, strict=True)) for row in examples]}},
    }
    reference = {"$ref": f"#/components/schemas/{model.native.request.__name__}"}
    return {
        **copy.deepcopy(operation),
        "summary": f"Predict with {model.name}" + (" (the default model)" if suffix else ""),
        # With a capital letter, which no name of a model has.
        "operationId": "predictDefault" if suffix else f"predict_{model.name}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference, "examples": kinds}}},
    }


def _request_schema(model: LoadedModel) -> dict[str, Any]:
    return model.native.request.model_json_schema(ref_template="#/components/schemas/{model}")


def _default_model(registry: Registry) -> str:
    try:
        return registry.default()
    except ModelNotFound:
        return ""
