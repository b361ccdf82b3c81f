"""If a champion cannot be loaded, the champion before it is served, and responses name both versions."""

from pathlib import Path

from artifacts import Store
from tests.support import tiny_models
from tests.support.server import Api, Server, environment, slug, unmeasured

ROW = [[1.0, 2]]


def publish(root: Path, *, versions: int = 1) -> Store:
    """Return a store with this many versions of one model, each of which was champion."""
    store = Store(root)
    for _ in range(versions):
        tiny_models.make().publish(store)
    return store


def spoil(store: Store, *versions: int) -> None:
    """Change a file of these versions on disk."""
    for version in versions:
        (store.root / "tiny" / str(version) / "model.joblib").write_bytes(b"")


def test_the_former_champion_is_served_and_both_are_named(tmp_path: Path) -> None:
    """Version 1 is served instead of 2; predictions, OpenAPI, readiness, log and GET /models name both."""
    spoil(publish(tmp_path / "store", versions=2), 2)
    env = environment(artifacts=tmp_path / "store", state=tmp_path / "state", log_format="json")

    with unmeasured(), Server(env) as server:
        api = Api(server, server.bearer())
        answers = [
            api.predict(ROW),
            api.predict(ROW),
            api.predict(ROW, version="champion"),
            api.predict(ROW, on_error="report"),
        ]
        csv = api.post_csv(b"length,leaves\n1.0,2\n")
        named = api.predict(ROW, version="2")
        shown = api.get("/api/v1/models/tiny").json()
        health = server.client.get("/health/ready")
        paths = server.client.get("/openapi.json").json()["paths"]
        line = server.line("former champion served")

    for answer in answers:
        body = answer.json()
        assert (answer.status_code, body["version"], body["failed_champion"]) == (200, 1, 2)
        assert list(body)[:4] == ["model", "version", "failed_champion", "predictions"]
    assert csv.status_code == 200
    assert (named.status_code, slug(named)) == (503, "model-unavailable")
    assert (shown["champion"], shown["failed_champion"], shown["aliases"]) == (1, 2, {"champion": 1})
    assert [(each["version"], each["code"]) for each in shown["unavailable"]] == [(2, "artifact-digest")]
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["detail"] == (
        "version 1 is served instead of the champion, version 2, which could not be loaded (artifact-digest)"
    )
    assert "/api/v1/models/tiny/predict" in paths
    assert (line["version"], line["failed_champion"], line["code"]) == (1, 2, "artifact-digest")
    assert "model.joblib" in line["reason"]


def test_a_setting_turns_the_fallback_off(tmp_path: Path) -> None:
    """With SEPAL_FALLBACK=false the model is 503 until its champion can be loaded."""
    spoil(publish(tmp_path / "store", versions=2), 2)
    env = environment(artifacts=tmp_path / "store", state=tmp_path / "state", fallback="false")

    with unmeasured(), Server(env) as server:
        answer = Api(server, server.bearer()).predict(ROW)
        health = server.client.get("/health/ready")

    assert (answer.status_code, slug(answer)) == (503, "model-unavailable")
    assert health.status_code == 503


def test_a_loaded_champion_has_no_failed_champion(api: Api) -> None:
    """The prediction of a champion that was loaded has no further members."""
    shown = api.get("/api/v1/models/iris").json()

    assert "failed_champion" not in api.predict([[5.1, 3.5, 1.4, 0.2]]).json()
    assert shown["failed_champion"] is None
