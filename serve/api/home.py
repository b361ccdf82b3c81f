"""The page at `/` that leads a browser to the documentation and the models; it exists where the documentation does."""

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
<li><a href="/docs">Documentation to try out</a>: log in, send a row, send a CSV</li>
<li><a href="/redoc">Documentation to read</a></li>
<li><a href="/openapi.json">OpenAPI</a></li>
<li><a href="/health/ready">Readiness</a></li>
</ul>
<h2>Models</h2>
{models}
</body>
</html>
"""


class BrowserRoute(Route):
    """A route for those who ask for HTML; all others are answered as if it were not there."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if match is Match.FULL and "text/html" in Request(scope).headers.get("accept", ""):
            return match, child
        return Match.NONE, {}


async def show_home(request: Request) -> HTMLResponse:
    """Links to the documentation and the models."""
    services: Services = request.app.state.services
    page = _PAGE.format(models=_list(services.registry.all()))
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "Vary": "Accept"})


def _list(models: list[ServedModel]) -> str:
    if not models:
        return "<p>There is none yet: <code>make train</code> makes one, and the server loads it when it starts.</p>"
    return f"<ul>\n{''.join(map(_line, models))}</ul>"


def _line(model: ServedModel) -> str:
    champion, name = model.champion, escape(model.name)
    if champion is None:
        return f"<li>{name}: could not be loaded</li>\n"
    columns = len(champion.bundle.manifest.signature.columns)
    told = f"version {champion.version}, {champion.bundle.manifest.task}, {columns} column{'s' if columns > 1 else ''}"
    return f'<li><a href="/docs#/predictions/predict_{name}">{name}</a>: {told}</li>\n'
