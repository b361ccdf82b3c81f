"""Loading a model: its versions, the reasons of those that fail, and the former champion that replaces one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts import Store
from artifacts.history import HISTORY
from artifacts.keys import Keys, generate
from serve.dialects.native.limits import Limits
from serve.inference import loader
from serve.inference.loader import load_model
from serve.inference.registry import ServedModel
from tests.support import tiny_models
from tests.support.version_folders import put, stranger

LIMITS = Limits()


def publish(root: Path, *, versions: int = 1) -> Store:
    """Return a store with one model of so many versions, each promoted to champion in turn."""
    store = Store(root)
    for _ in range(versions):
        tiny_models.make().publish(store)
    return store


def damage(store: Store, *versions: int) -> None:
    """Change a file of these versions on disk."""
    for version in versions:
        (store.root / "tiny" / str(version) / "model.joblib").write_bytes(b"")


def load(store: Store, *, fallback: bool = True) -> ServedModel:
    """Load the model as a server does."""
    return load_model(store, "tiny", LIMITS, fallback=fallback)


def test_every_version_with_an_alias_is_loaded_and_timed(tmp_path: Path) -> None:
    """A version without an alias is not loaded."""
    store = publish(tmp_path, versions=3)
    store.promote("tiny", 1, alias="former")

    model = load(store)

    assert (sorted(model.versions), model.failures, model.reason) == ([1, 3], {}, None)
    assert model.champion is not None
    assert model.champion.version == 3
    assert model.champion.row_s > 0


def test_unreadable_aliases_are_the_failure_of_the_whole_model(tmp_path: Path) -> None:
    """No version is known then."""
    store = publish(tmp_path)
    (tmp_path / "tiny" / "aliases.json").write_text("{")

    model = load(store)

    assert model.reason is not None
    assert (model.reason.code, model.versions) == ("artifact-format", {})


def test_an_unexpected_error_is_the_failure_of_one_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any exception while a version is loaded is reported by its type alone."""

    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    store = publish(tmp_path)
    monkeypatch.setattr(loader, "NativeDecoder", fail)

    model = load(store)

    assert model.failures[1].code == "artifact-error"
    assert model.failures[1].detail == "it cannot be served: RuntimeError"


def test_no_former_champion_is_loaded_without_fallback(tmp_path: Path) -> None:
    """The model has no champion until it can be loaded."""
    store = publish(tmp_path, versions=2)
    damage(store, 2)

    model = load(store, fallback=False)

    assert (model.champion, model.aliases, list(model.failures)) == (None, {"champion": 2}, [2])


def _replace_signature(store: Store) -> None:
    folder = store.root / "tiny" / "3"
    put(folder, (folder / "manifest.json").read_bytes(), by=stranger())


@pytest.mark.parametrize(
    ("damaged", "champion"),
    [([], 4), ([4], 3), ([4, 3], 2), ([4, 3, 2], 1), ([4, 3, 2, 1], None)],
)
def test_the_latest_former_champion_that_loads_replaces_the_champion(
    tmp_path: Path, damaged: list[int], champion: int | None
) -> None:
    """Former champions are tried from the latest to the first; each that fails is listed with its reason."""
    store = publish(tmp_path, versions=4)
    damage(store, *damaged)

    model = load(store)

    assert (model.champion.version if model.champion else None) == champion
    assert model.failed_champion == (4 if damaged and champion else None)
    assert sorted(model.failures) == sorted(damaged)


@pytest.mark.parametrize("change", [_replace_signature, lambda store: damage(store, 3)])
def test_only_a_valid_version_replaces_the_champion(tmp_path: Path, change: Callable[[Store], None]) -> None:
    """A former champion that is damaged, or not signed by a trusted key, is skipped."""
    store = publish(tmp_path, versions=4)
    damage(store, 4)
    change(store)

    assert load(store).aliases["champion"] == 2


def test_former_champions_are_ordered_by_the_history(tmp_path: Path) -> None:
    """After a rollback from 3 to 1, the former champion is 3; a version that was never champion is not used."""
    store = publish(tmp_path, versions=3)
    tiny_models.make().publish(store, promote=False)
    store.promote("tiny", 1)
    damage(store, 1)

    assert load(store).aliases["champion"] == 3


def test_a_limited_number_of_former_champions_is_tried(tmp_path: Path) -> None:
    """After five former champions that fail, the model is not served, so that the start time is bounded."""
    store = publish(tmp_path, versions=7)
    damage(store, *range(2, 8))

    model = load(store)

    assert model.champion is None
    assert sorted(model.failures) == [2, 3, 4, 5, 6, 7]


def test_an_unreadable_history_is_not_a_failure(tmp_path: Path) -> None:
    """Truncated lines are skipped; without a history there is no former champion."""
    store = publish(tmp_path, versions=3)
    damage(store, 3)
    path = tmp_path / "tiny" / HISTORY
    lines = path.read_bytes().splitlines(keepends=True)

    path.write_bytes(b'{"at"\n' + b"".join(lines[:-1]) + lines[-1][:-9])
    torn = load(store)
    path.unlink()
    bare = load(store)
    path.mkdir()
    blocked = load(store)

    assert torn.aliases["champion"] == 2
    assert (bare.champion, bare.failed_champion, list(bare.failures)) == (None, None, [3])
    assert (blocked.champion, blocked.failed_champion, list(blocked.failures)) == (None, None, [3])


def test_a_promotion_that_a_crash_prevented_is_ignored(tmp_path: Path) -> None:
    """A line of the history that was never carried out is skipped: version 3 was never champion."""
    store = publish(tmp_path, versions=2)
    tiny_models.make().publish(store, promote=False)
    path = tmp_path / "tiny" / HISTORY
    [move] = [line for line in path.read_text().splitlines() if '"from":1' in line]
    with path.open("a") as file:
        file.write(json.dumps({**json.loads(move), "version": 3, "from": 2, "to": 3}) + "\n")
    tiny_models.make().publish(store)
    damage(store, 4)

    assert load(store).aliases["champion"] == 2


def test_an_untrusted_champion_is_replaced_by_the_trusted_one(tmp_path: Path) -> None:
    """A server that does not trust the key of the new champion serves the former one."""
    store = publish(tmp_path / "store")
    foreign = tmp_path / "foreign.key"
    generate(foreign)
    other = Store(tmp_path / "store", keys=Keys((), foreign, is_own=True))

    held = other.publish("tiny", tiny_models.make().content, promote=True)
    forced = other.publish("tiny", tiny_models.make().content, promote=True, force=True)
    model = load(store)

    assert held.publication is not None
    assert forced.publication is not None
    assert (held.publication.promoted, forced.publication.promoted) == (False, True)
    assert (model.aliases["champion"], model.failed_champion, model.failures[3].code) == (1, 3, "artifact-untrusted")
