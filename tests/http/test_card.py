"""The model card over HTTP."""

from pathlib import Path

import anyio
import pytest

from artifacts import Store
from artifacts.version_folder import CARD
from tests.support import tiny_models
from tests.support.browser import open_page
from tests.support.cards import Page
from tests.support.server import Api, Server, environment, slug, unmeasured


@pytest.mark.parametrize("query", ["", "?version=1", "?version=champion"])
def test_the_card_is_served_as_it_was_published(api: Api, store: Path, query: str) -> None:
    """The bytes of the file that the manifest lists, as HTML that may run no script and load nothing."""
    answer = api.get(f"/api/v1/models/iris/card{query}")

    policy = answer.headers["content-security-policy"]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.content == (store / "iris" / "1" / CARD).read_bytes()
    assert policy.startswith("sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; ")
    assert "script-src" not in policy
    assert Page(answer.content).has_plot("Confusion matrix")


def test_a_version_without_a_card_is_404(api: Api, tmp_path: Path) -> None:
    """A version without a card, an unknown version and an unknown model have different slugs."""
    tiny_models.make().publish(Store(tmp_path / "store"))
    env = environment(artifacts=tmp_path / "store", state=tmp_path / "state")
    with unmeasured(), Server(env) as server:
        bare = Api(server, server.bearer())
        without = bare.get("/api/v1/models/tiny/card")
        paths = server.client.get("/openapi.json").json()["paths"]

    assert (without.status_code, slug(without)) == (404, "card-not-found")
    assert "/api/v1/models/{model}/card" not in paths
    assert slug(api.get("/api/v1/models/iris/card?version=7")) == "version-not-loaded"
    assert slug(api.get("/api/v1/models/rose/card")) == "model-not-found"
    assert slug(api.get("/api/v1/models/iris/card?page=7")) == "invalid-request"


def test_a_browser_shows_the_whole_card(api: Api) -> None:
    """With the policy of the response, plots are drawn and the browser logs no message."""
    messages: list[str] = []

    async def look() -> list[bool]:
        async with open_page(base_url=f"http://127.0.0.1:{api.server.port}", extra_http_headers=api.headers) as page:
            page.on("console", lambda message: messages.append(message.text))
            await page.goto("/api/v1/models/iris/card")
            shown: list[bool] = await page.locator("img").evaluate_all("all => all.map(one => one.naturalWidth > 0)")
            return shown

    drawn = anyio.run(look)

    assert drawn
    assert all(drawn)
    assert messages == []
