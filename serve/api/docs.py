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

from serve.api.deps import PREFIX, PartsDep
from serve.api.media import CSV
from serve.api.problems import MEDIA_TYPE, Problem
from serve.errors import ModelNotFound
from serve.registry import Model, Registry

# Swagger UI and ReDoc as fastapi-offline carries them: the pages work without any other host.
ASSETS = Path(fastapi_offline.__file__).parent / "static"
_ASSETS_PATH = "/docs/assets"
_OPENAPI_PATH = "/openapi.json"
_PARAMETRIC = f"{PREFIX}/models/{{model}}/predict"
_DEFAULT = f"{PREFIX}/predict"

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

router = APIRouter(include_in_schema=False)


def install(app: FastAPI) -> None:
    """Serve the documentation."""
    app.include_router(router)
    app.mount(_ASSETS_PATH, StaticFiles(directory=ASSETS), name="assets")


@router.get(_OPENAPI_PATH)
async def show_openapi(request: Request, parts: PartsDep) -> Response:
    """The OpenAPI document of the models that are in memory now."""
    return Response(_content(request.app, parts.registry, parts.registry.generation), media_type="application/json")


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
    openapi = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    paths, schemas = openapi["paths"], openapi["components"]["schemas"]
    parametric = paths.pop(_PARAMETRIC)["post"]
    champions = {served.name: champion for served in registry.all() if (champion := served.champion)}
    for name, model in champions.items():
        schemas[model.request.__name__] = _request_schema(model)
        operation = _documented(parametric, model)
        operation["parameters"] = [given for given in operation["parameters"] if given["name"] != "model"]
        paths[_PARAMETRIC.replace("{model}", name)] = {"post": operation}
    _describe_problems(openapi)
    default = _default_model(registry)
    if default in champions:
        paths[_DEFAULT]["post"] = _documented(paths[_DEFAULT]["post"], champions[default], suffix="default")
    return openapi


def _describe_problems(openapi: dict[str, Any]) -> None:
    """How each operation may fail: with a problem document, whatever the status. FastAPI's own 422 is never sent."""
    schemas = openapi["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name)
    schemas["Problem"] = Problem.model_json_schema()
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in openapi["paths"].values():
        for operation in operations.values():
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


def _documented(operation: dict[str, Any], model: Model, *, suffix: str = "") -> dict[str, Any]:
    examples = model.bundle.manifest.examples.instances[:2]
    names = model.bundle.manifest.signature.names
    kinds = {
        "vectors": {"value": {"instances": [list(row) for row in examples]}},
        "records": {"value": {"instances": [dict(zip(names, row, strict=True)) for row in examples]}},
    }
    reference = {"$ref": f"#/components/schemas/{model.request.__name__}"}
    return {
        **copy.deepcopy(operation),
        "summary": f"Predict with {model.name}" + (" (the default model)" if suffix else ""),
        # A capital letter, as no model's name has one.
        "operationId": "predictDefault" if suffix else f"predict_{model.name}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference, "examples": kinds}}},
    }


def _request_schema(model: Model) -> dict[str, Any]:
    return model.request.model_json_schema(ref_template="#/components/schemas/{model}")


def _default_model(registry: Registry) -> str:
    try:
        return registry.default()
    except ModelNotFound:
        return ""
