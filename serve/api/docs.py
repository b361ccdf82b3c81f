"""OpenAPI with one documented operation a model, and the pages that show it; their files are served from here."""

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

# Swagger UI and ReDoc as fastapi-offline carries them: the pages work without any other host.
ASSETS = Path(fastapi_offline.__file__).parent / "static"
_ASSETS_PATH = "/docs/assets"
_OPENAPI_PATH = "/openapi.json"
_PARAMETRIC = f"{PREFIX}/models/{{model}}/predict"
_DEFAULT = f"{PREFIX}/predict"
_MODEL = f"{PREFIX}/models/{{model}}"

# The pages carry a script of their own, run their own files, and ask their own server.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_ALWAYS = (400, 405, 408, 429, 431, 503)
_WITH_TOKEN = (401, 403)
_WITH_PARAMETERS = (404, 422)
_WITH_BODY = (401, 413, 415, 422, 504, 507)
_WITH_STREAM = (426,)

# The order of the page: what callers came for is first.
_TAGS = (
    ("predictions", "Predict one row, many rows or a whole CSV. Each model has an operation with rows of its own."),
    ("models", "What the models expect, and how good they are."),
    ("tokens", "Log in, stay logged in, log out."),
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
    ("show_public_keys", "List the public keys of the tokens' signatures"),
    ("show_caller", "Show whose token this is"),
    ("list_sessions", "List the caller's sessions"),
    ("end_session", "End one of the caller's sessions"),
    ("change_password", "Change the caller's password"),
    ("ready", "Tell whether requests should be sent here"),
    ("live", "Tell whether the process runs"),
    ("show_metrics", "Show the Prometheus metrics"),
)
_INTRODUCTION = f"""\
Predictions of models on tabular data, in three steps:

1. **Log in.** Press *Authorize* and give a name and a password, or paste a token or an API key under *Token*. In
   development the user is `developer`, the password stands in `.sepal/development.env`, and `make -s token` prints a
   token.
2. **Send a row.** Open a model below, press *Try it out*, then *Execute*: the example is a row that works. Elsewhere
   it is `POST {PREFIX}/models/<model>/predict` with `{{"instances": [[...]]}}`.
3. **Send a CSV.** `POST {PREFIX}/models/<model>/predict/csv` answers the same rows with a prediction added to each; a
   row that is wrong carries its error.
"""
# A token or a key is pasted; how it was come by is no concern of this scheme.
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of `make -s token` or of a login, or an API key of `python -m serve keys create`.",
}

router = APIRouter(include_in_schema=False)


def install(app: FastAPI) -> None:
    """Serve the documentation."""
    app.include_router(router)
    app.router.routes.append(BrowserRoute("/", show_home, methods=["GET"]))
    app.mount(_ASSETS_PATH, StaticFiles(directory=ASSETS), name="assets")


@router.get(_OPENAPI_PATH)
async def show_openapi(request: Request, services: ServicesDep) -> Response:
    """The OpenAPI document of the models that are in memory now."""
    return Response(
        _content(request.app, services.registry, services.registry.generation), media_type="application/json"
    )


@router.get("/docs")
async def show_swagger() -> HTMLResponse:
    """Swagger UI: log in by Authorize, then Try it out."""
    page = get_swagger_ui_html(
        openapi_url=_OPENAPI_PATH,
        title="sepal",
        swagger_js_url=f"{_ASSETS_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS_PATH}/favicon.png",
    )
    return _closed(page)


@router.get("/redoc")
async def show_redoc() -> HTMLResponse:
    """ReDoc."""
    page = get_redoc_html(
        openapi_url=_OPENAPI_PATH,
        title="sepal",
        redoc_js_url=f"{_ASSETS_PATH}/redoc.standalone.js",
        redoc_favicon_url=f"{_ASSETS_PATH}/favicon.png",
        with_google_fonts=False,
    )
    return _closed(page)


def _closed(page: HTMLResponse) -> HTMLResponse:
    """A page that no other may frame, and that asks nobody but this server."""
    page.headers["Content-Security-Policy"] = _POLICY
    return page


@lru_cache(maxsize=1)
def _content(app: FastAPI, registry: Registry, _generation: int) -> bytes:
    """Written once, and again when other models are in memory."""
    return to_json(document(app, registry))


def document(app: FastAPI, registry: Registry) -> dict[str, Any]:
    """The app's OpenAPI, its parametric prediction written out for every model that answers."""
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
    # Within their section operations stand in the order of the paths.
    openapi["paths"] = {**predictions, **paths}
    default = _default_model(registry)
    if default in champions:
        paths[_DEFAULT]["post"] = _documented(paths[_DEFAULT]["post"], champions[default], suffix="default")
    _leave_out(openapi["paths"], registry, has_default=default in champions)
    _describe_problems(openapi)
    _take_tokens(openapi)
    return openapi


def _operations(openapi: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in openapi["paths"].values():
        yield from operations.values()


def _leave_out(paths: dict[str, Any], registry: Registry, *, has_default: bool) -> None:
    """Take away what could only be 404 now, and name the models where one is to be chosen."""
    served = registry.all()
    loaded = [model for each in served for model in each.versions.values()]
    names = {
        f"{_PARAMETRIC}/csv": [model.name for model in served if model.champion],
        _MODEL: [model.name for model in served],
        f"{_MODEL}/card": sorted({model.name for model in loaded if model.bundle.card is not None}),
    }
    for path, known in names.items():
        for operation in paths[path].values():
            schemas = [given["schema"] for given in operation["parameters"] if given["name"] == "model"]
            for schema in schemas:
                schema["enum"] = known
        if not known:
            del paths[path]
    if not has_default:
        del paths[_DEFAULT], paths[f"{_DEFAULT}/csv"]


def _take_tokens(openapi: dict[str, Any]) -> None:
    """Let a token or a key be pasted wherever a login would do."""
    openapi["components"]["securitySchemes"]["Token"] = _TOKEN
    for operation in _operations(openapi):
        if "security" in operation:
            operation["security"] = [*operation["security"], {"Token": []}]


def _describe_problems(openapi: dict[str, Any]) -> None:
    """How each operation may fail: with a problem document, whatever the status. FastAPI's own 422 is never sent."""
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
    """What can go wrong with an operation, by what it takes."""
    yield from _ALWAYS
    if "security" in operation:
        yield from _WITH_TOKEN
    if operation.get("parameters"):
        yield from _WITH_PARAMETERS
    if "requestBody" in operation:
        yield from _WITH_BODY
    if CSV in operation["responses"].get("200", {}).get("content", {}):
        yield from _WITH_STREAM


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
        # A capital letter, as no model's name has one.
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
