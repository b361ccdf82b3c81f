"""OpenAPI, and its page in a real browser: log in, try it out, read the response."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import expect

from serve.api.deps import PREFIX
from tests.support.browser import open_page
from tests.support.cards import Page
from tests.support.server import Api, Server, environment, slug, unmeasured

OPERATION = "#operations-predictions-predict_iris"


def test_every_model_has_an_operation_with_valid_examples(api: Api) -> None:
    """The examples of OpenAPI are answered with 200, as arrays and as objects."""
    openapi = api.server.client.get("/openapi.json").json()
    operation = openapi["paths"]["/api/v1/models/iris/predict"]["post"]

    body = operation["requestBody"]["content"]["application/json"]
    answers = [api.predict(example["value"]["instances"]) for example in body["examples"].values()]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert [parameter["name"] for parameter in operation["parameters"]] == ["version", "probabilities", "on_error"]
    assert operation["security"] == [{"OAuth2PasswordBearer": ["predict"]}, {"Token": []}]


def test_the_request_schema_has_the_columns(api: Api) -> None:
    """The schema of a model has its columns, with the range of the training rows."""
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
    """A user logs in with Authorize, presses Try it out and Execute, and reads setosa."""

    async def try_it_out() -> None:
        async with open_page(base_url=f"http://127.0.0.1:{server.port}") as page:
            await page.goto("/docs")
            await page.get_by_role("button", name="Authorize").first.click()
            await page.get_by_role("textbox", name="username").fill("developer")
            await page.get_by_role("textbox", name="password").fill(server.password)
            await page.get_by_text("select all").click()
            await page.locator(".modal-btn.authorize").first.click()
            await page.get_by_role("button", name="Close").first.click()
            answer = await _executed(page)
            await expect(answer).to_contain_text('"predictions"', timeout=20_000)
            await expect(answer).to_contain_text('"setosa"')
            await page.screenshot(path=tmp_path / "docs.png", full_page=True)

    anyio.run(try_it_out)


async def _executed(page: Any) -> Any:
    """Call the operation with its own example, and return the element of the response."""
    operation = page.locator(OPERATION)
    await operation.locator(".opblock-summary").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    return operation.locator(".live-responses-table .highlight-code").first


def test_a_token_can_be_pasted(server: Server) -> None:
    """A user pastes a token into Authorize, and calls an operation with it."""

    async def paste() -> None:
        async with open_page(base_url=f"http://127.0.0.1:{server.port}") as page:
            await page.goto("/docs")
            await page.get_by_role("button", name="Authorize").first.click()
            await page.locator("#auth-bearer-value").fill(server.token("predict"))
            await page.get_by_role("button", name="Apply credentials").last.click()
            await page.get_by_role("button", name="Close").first.click()
            answer = await _executed(page)
            await expect(answer).to_contain_text('"setosa"', timeout=20_000)

    anyio.run(paste)


def test_predictions_are_first_and_every_operation_has_a_summary(api: Api) -> None:
    """Sections and operations have the order of their use, after an introduction."""
    openapi = api.server.client.get("/openapi.json").json()
    operations = [operation for path in openapi["paths"].values() for operation in path.values()]
    tags = [tag["name"] for tag in openapi["tags"]]

    assert tags == ["predictions", "models", "tokens", "me", "operations"]
    assert {tag for operation in operations for tag in operation["tags"]} == set(tags)
    assert next(iter(openapi["paths"])) == "/api/v1/models/iris/predict"
    assert operations[0]["summary"] == "Predict with iris"
    assert all(operation["summary"][0].isupper() and " " in operation["summary"] for operation in operations)
    introduction = openapi["info"]["description"].splitlines()
    assert [line[:2] for line in introduction if line[:1].isdigit()] == ["1.", "2.", "3."]


def test_a_path_parameter_lists_the_models(api: Api) -> None:
    """An operation for a model that is to be named lists the names."""
    paths = api.server.client.get("/openapi.json").json()["paths"]

    for path in ("/predict/csv", "", "/card"):
        [operation] = paths[f"{PREFIX}/models/{{model}}{path}"].values()
        [model] = [given for given in operation["parameters"] if given["name"] == "model"]
        assert model["schema"]["enum"] == ["iris"]


def test_a_default_model_is_documented(zoo: Api) -> None:
    """With several models, /predict is an operation if a default is set."""
    assert f"{PREFIX}/predict" in zoo.server.client.get("/openapi.json").json()["paths"]


def test_the_home_page_links_documentation_and_models(api: Api) -> None:
    """Only browsers get it; for other clients the path does not exist."""
    client = api.server.client
    page = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    others = [client.get("/", headers=headers) for headers in ({}, {"Accept": "application/json"}, api.headers)]

    links = [attributes["href"] for tag, attributes in Page(page.content).tags if tag == "a"]
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert links == ["/docs", "/redoc", "/openapi.json", "/health/ready", "/docs#/predictions/predict_iris"]
    assert [client.get(str(link)).status_code for link in links] == [200] * 5
    assert [(answer.status_code, slug(answer)) for answer in others] == [
        (401, "token-invalid"),
        (401, "token-invalid"),
        (404, "not-found"),
    ]
    assert client.post("/", headers={"Accept": "text/html", **api.headers}).status_code == 404


def test_without_documentation_there_is_no_home_page(store: Path, tmp_path: Path) -> None:
    """A browser gets 401, too."""
    with unmeasured(), Server(environment(artifacts=store, state=tmp_path, expose="values")) as server:
        answer = server.client.get("/", headers={"Accept": "text/html"})

    assert (answer.status_code, slug(answer)) == (401, "token-invalid")


def test_redoc_shows_the_model(server: Server) -> None:
    """ReDoc renders the operation of the model."""

    async def look() -> None:
        async with open_page(base_url=f"http://127.0.0.1:{server.port}") as page:
            await page.goto("/redoc")

            heading = page.get_by_role("heading").filter(has_text="Predict with iris")
            await expect(heading.first).to_be_visible(timeout=20_000)

    anyio.run(look)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_cannot_be_embedded_nor_call_other_servers(api: Api, path: str) -> None:
    """The policy allows requests to this server only, and no frame of another page."""
    policy = api.server.client.get(path).headers["content-security-policy"]

    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
