"""The page at `/`, which links the documentation and the models; it is served if the documentation is."""

from html import escape

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.routing import Match, Route
from starlette.types import Scope

from serve.api.deps import Services
from serve.inference.registry import ServedModel

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>sepal</title>
<link rel="icon" href="data:,">
<style>body {{ font: 16px/1.55 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1.25rem }}</style>
</head>
<body>
<h1>sepal</h1>
<p>This server predicts with models on tabular data.</p>
<ul>
<li><a href="/docs">Interactive documentation</a>: log in, send a row, send a CSV</li>
<li><a href="/redoc">Reference documentation</a></li>
<li><a href="/openapi.json">OpenAPI</a></li>
<li><a href="/health/ready">Readiness</a></li>
</ul>
<h2>Models</h2>
{models}
</body>
</html>
"""


class BrowserRoute(Route):
    """A route for clients that accept HTML; for all others it does not exist."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if match is Match.FULL and "text/html" in Request(scope).headers.get("accept", ""):
            return match, child
        return Match.NONE, {}


async def show_home(request: Request) -> HTMLResponse:
    """Return the page."""
    services: Services = request.app.state.services
    page = _PAGE.format(models=_list(services.registry.all()))
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "Vary": "Accept"})


def _list(models: list[ServedModel]) -> str:
    if not models:
        return "<p>There are no models yet: run <code>make train</code>, then restart the server.</p>"
    return f"<ul>\n{''.join(map(_line, models))}</ul>"


def _line(model: ServedModel) -> str:
    champion, name = model.champion, escape(model.name)
    if champion is None:
        return f"<li>{name}: could not be loaded</li>\n"
    manifest = champion.bundle.manifest
    columns = len(manifest.signature.columns)
    summary = f"version {champion.version}, {manifest.task}, {columns} column{'s' if columns > 1 else ''}"
    return f'<li><a href="/docs#/predictions/predict_{name}">{name}</a>: {summary}</li>\n'
