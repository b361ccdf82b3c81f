"""OpenAPI, and its page in a real browser: log in, try it out, read the answer."""

from pathlib import Path

import anyio
import pytest
from playwright.async_api import expect

from tests.browser import open_page
from tests.server import Api, Server

OPERATION = "#operations-predictions-predict_iris"


def test_every_model_has_an_operation_with_examples_that_work(api: Api) -> None:
    """What OpenAPI shows as an example is answered with 200, as vectors and as objects."""
    document = api.server.client.get("/openapi.json").json()
    operation = document["paths"]["/api/v1/models/iris/predict"]["post"]

    body = operation["requestBody"]["content"]["application/json"]
    answers = [api.predict(example["value"]["instances"]) for example in body["examples"].values()]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert [parameter["name"] for parameter in operation["parameters"]] == ["version", "probabilities", "on_error"]
    assert operation["security"] == [{"OAuth2PasswordBearer": ["predict"]}]


def test_the_request_schema_is_drawn_from_the_columns(api: Api) -> None:
    """The model's own schema names its columns, with the range that training saw."""
    schemas = api.server.client.get("/openapi.json").json()["components"]["schemas"]

    rows = schemas["iris.PredictRequest"]["properties"]["instances"]

    vector, record = rows["items"]["anyOf"]
    assert list(record["properties"]) == record["required"]
    assert record["properties"]["sepal_length"]["type"] == "number"
    assert record["properties"]["sepal_length"]["description"] == "Training saw 4.3 to 7.9."
    assert (vector["minItems"], vector["maxItems"], rows["maxItems"]) == (4, 4, 1000)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_need_no_other_host(server: Server, path: str) -> None:
    """Scripts, styles and icons come from this server."""
    page = server.client.get(path).text

    assert "http://" not in page
    assert "https://" not in page
    assert server.client.get("/docs/assets/swagger-ui-bundle.js").status_code == 200


def test_authorize_and_try_it_out_work(server: Server, tmp_path: Path) -> None:
    """A person logs in by Authorize, presses Try it out and Execute, and reads setosa."""

    async def try_it_out() -> None:
        async with open_page(base_url=f"http://127.0.0.1:{server.port}") as page:
            await page.goto("/docs")
            await page.get_by_role("button", name="Authorize").first.click()
            await page.get_by_role("textbox", name="username").fill("developer")
            await page.get_by_role("textbox", name="password").fill(server.password)
            await page.get_by_text("select all").click()
            await page.locator(".modal-btn.authorize").click()
            await page.get_by_role("button", name="Close").click()
            operation = page.locator(OPERATION)
            await operation.locator(".opblock-summary").click()
            await operation.get_by_role("button", name="Try it out").click()
            await operation.get_by_role("button", name="Execute").click()

            answer = operation.locator(".live-responses-table .highlight-code").first
            await expect(answer).to_contain_text('"predictions"', timeout=20_000)
            await expect(answer).to_contain_text('"setosa"')
            await page.screenshot(path=tmp_path / "docs.png", full_page=True)

    anyio.run(try_it_out)


def test_redoc_shows_the_model(server: Server) -> None:
    """ReDoc renders the operation of the model."""

    async def look() -> None:
        async with open_page(base_url=f"http://127.0.0.1:{server.port}") as page:
            await page.goto("/redoc")

            heading = page.get_by_role("heading").filter(has_text="Predict with iris")
            await expect(heading.first).to_be_visible(timeout=20_000)

    anyio.run(look)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_may_not_be_framed_nor_ask_others(api: Api, path: str) -> None:
    """The browser is told to ask this server alone, and to show the page in nobody's frame."""
    policy = api.server.client.get(path).headers["content-security-policy"]

    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
