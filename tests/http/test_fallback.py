"""If a champion cannot be loaded, the champion before it is served, and responses name both versions."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts import Store
from artifacts.history import HISTORY
from artifacts.keys import Keys, generate
from serve.dialects.native.limits import Limits
from serve.inference.registry import Served, load
from tests.support import tiny_models
from tests.support.server import Api, Server, environment, slug, unmeasured
from tests.support.version_folders import put, stranger

ROW = [[1.0, 2]]
LIMITS = Limits()


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
        "version 1 is served in place of the champion, version 2, which could not be loaded (artifact-digest)"
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


def served(store: Store) -> Served:
    """Return the one model as a server loads it."""
    [name] = store.models()
    return load(store, name, LIMITS)


def _foreign(store: Store) -> None:
    folder = store.root / "tiny" / "3"
    put(folder, (folder / "manifest.json").read_bytes(), by=stranger())


@pytest.mark.parametrize(
    ("spoiled", "champion"),
    [([], 4), ([4], 3), ([4, 3], 2), ([4, 3, 2], 1), ([4, 3, 2, 1], None)],
)
def test_the_latest_former_champion_that_loads_is_served(
    tmp_path: Path, spoiled: list[int], champion: int | None
) -> None:
    """Former champions are tried from the latest to the first; each that fails is reported with its reason."""
    store = publish(tmp_path, versions=4)
    spoil(store, *spoiled)

    model = served(store)

    assert (model.champion.version if model.champion else None) == champion
    assert model.failed_champion == (4 if spoiled and champion else None)
    assert sorted(model.failures) == sorted(spoiled)


@pytest.mark.parametrize("change", [_foreign, lambda store: spoil(store, 3)])
def test_only_a_trusted_and_complete_version_is_served(tmp_path: Path, change: Callable[[Store], None]) -> None:
    """A former champion that is incomplete, or that no trusted key signed, is skipped."""
    store = publish(tmp_path, versions=4)
    spoil(store, 4)
    change(store)

    assert served(store).aliases["champion"] == 2


def test_the_fallback_follows_the_history_not_the_numbers(tmp_path: Path) -> None:
    """After a rollback from 3 to 1, the champion before 1 is 3; a version that was never champion is not served."""
    store = publish(tmp_path, versions=3)
    tiny_models.make().publish(store, promote=False)
    store.promote("tiny", 1)
    spoil(store, 1)

    assert served(store).aliases["champion"] == 3


def test_only_five_former_champions_are_tried(tmp_path: Path) -> None:
    """After five former champions that fail, the model is not served: the time of a start is bounded."""
    store = publish(tmp_path, versions=7)
    spoil(store, *range(2, 8))

    model = served(store)

    assert model.champion is None
    assert sorted(model.failures) == [2, 3, 4, 5, 6, 7]


def test_an_unreadable_history_is_not_an_error(tmp_path: Path) -> None:
    """Incomplete lines are skipped; without a history there is no former champion."""
    store = publish(tmp_path, versions=3)
    spoil(store, 3)
    path = tmp_path / "tiny" / HISTORY
    lines = path.read_bytes().splitlines(keepends=True)

    path.write_bytes(b'{"at"\n' + b"".join(lines[:-1]) + lines[-1][:-9])
    torn = served(store)
    path.unlink()
    bare = served(store)
    path.mkdir()
    blocked = served(store)

    assert torn.aliases["champion"] == 2
    assert (bare.champion, bare.failed_champion, list(bare.failures)) == (None, None, [3])
    assert (blocked.champion, blocked.failed_champion, list(blocked.failures)) == (None, None, [3])


def test_a_promotion_that_did_not_happen_made_no_champion(tmp_path: Path) -> None:
    """A line of the history whose promotion a crash prevented is skipped: version 3 was never champion."""
    store = publish(tmp_path, versions=2)
    tiny_models.make().publish(store, promote=False)
    path = tmp_path / "tiny" / HISTORY
    [move] = [line for line in path.read_text().splitlines() if '"from":1' in line]
    with path.open("a") as file:
        file.write(json.dumps({**json.loads(move), "version": 3, "from": 2, "to": 3}) + "\n")
    tiny_models.make().publish(store)
    spoil(store, 4)

    assert served(store).aliases["champion"] == 2


def test_a_forced_champion_of_an_untrusted_key_takes_nothing_down(tmp_path: Path) -> None:
    """A server that does not trust the new champion's key serves the former champion."""
    store = publish(tmp_path / "store")
    foreign = tmp_path / "foreign.key"
    generate(foreign)
    other = Store(tmp_path / "store", keys=Keys((), foreign, is_own=True))

    held = other.publish("tiny", tiny_models.make().content, promote=True)
    forced = other.publish("tiny", tiny_models.make().content, promote=True, force=True)
    model = served(store)

    assert held.publication is not None
    assert forced.publication is not None
    assert (held.publication.promoted, forced.publication.promoted) == (False, True)
    assert (model.aliases["champion"], model.failed_champion, model.failures[3].code) == (1, 3, "artifact-untrusted")
