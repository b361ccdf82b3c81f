"""A store is read without a lock: versions, aliases, manifests, and what is refused."""

import shutil
from pathlib import Path

import pytest

from artifacts import CHAMPION, Store
from artifacts.errors import (
    ArtifactError,
    ArtifactFormat,
    ArtifactMissing,
    ArtifactRollback,
)
from artifacts.pointers import POINTERS
from tests.support import tiny_models


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store whose folder does not exist yet."""
    return Store(tmp_path / "deep" / "store")


def test_an_empty_store_has_no_model(store: Store) -> None:
    """A folder that does not exist is an empty store, and reading does not create it."""
    assert store.models() == []
    assert not store.root.exists()


def test_versions_are_sorted_as_numbers(store: Store) -> None:
    """Version 10 comes after version 9."""
    for _ in range(10):
        tiny_models.make().publish(store)

    assert store.versions("tiny") == list(range(1, 11))


@pytest.mark.parametrize(("reference", "version"), [(1, 1), ("1", 1), (CHAMPION, 2), ("shadow", 1)], ids=repr)
def test_a_reference_is_a_number_a_text_or_an_alias(store: Store, reference: str | int, version: int) -> None:
    """A version is found by its number, as integer or text, and by an alias."""
    for _ in range(2):
        tiny_models.make().publish(store)
    store.promote("tiny", 1, alias="shadow")

    assert store.resolve("tiny", reference) == version


@pytest.mark.parametrize(
    "reference", [0, -1, 2, "0", "-1", "2", "1.0", "none", "²", "../1", pytest.param("9" * 5000, id="long")]
)
def test_an_unknown_reference_is_missing(store: Store, reference: str | int) -> None:
    """The error has the model and the reference."""
    tiny_models.make().publish(store)

    with pytest.raises(ArtifactMissing, match=r"no version or alias '.+' of model 'tiny'$"):
        store.resolve("tiny", reference)


def test_an_unknown_model_is_missing(store: Store) -> None:
    """A model that was never published is missing for every function that reads it."""
    questions = (store.versions, store.resolve, lambda name: store.promote(name, 1))

    for question in questions:
        with pytest.raises(ArtifactMissing, match="no model 'ghost'"):
            question("ghost")

    assert store.aliases("ghost") == {}


def test_an_alias_whose_version_is_gone_is_missing(store: Store) -> None:
    """A champion whose folder was removed is an ArtifactMissing."""
    for _ in range(2):
        tiny_models.make().publish(store)
    shutil.rmtree(store.root / "tiny" / "2")

    with pytest.raises(ArtifactMissing, match="'champion'"):
        store.resolve("tiny")


def test_only_numbered_folders_are_versions(store: Store) -> None:
    """Temporary folders, notes, files with a number and numbers with a leading zero are ignored."""
    tiny_models.make().publish(store)
    for name in (".staging-abc", "notes", "02", "0", "²", "-3"):
        (store.root / "tiny" / name).mkdir()
    (store.root / "tiny" / "5").touch()

    assert store.versions("tiny") == [1]


def test_only_folders_of_versions_are_models(store: Store) -> None:
    """Other files and folders in the store, such as a volume's lost+found, are ignored."""
    tiny_models.make().publish(store)
    (store.root / "lost+found" / "1").mkdir(parents=True)
    (store.root / "empty").mkdir()
    (store.root / "README").touch()

    assert store.models() == ["tiny"]


@pytest.mark.parametrize("path", ["aliases.json", "1/manifest.json", "1/model.joblib"])
def test_an_error_of_the_file_system_is_an_artifact_error(store: Store, path: str) -> None:
    """A loop of links instead of a file is an ArtifactError."""
    tiny_models.make().publish(store)
    file = store.root / "tiny" / path
    file.unlink()
    file.symlink_to(file)

    with pytest.raises(ArtifactError):
        store.load("tiny", store.resolve("tiny"))


def test_a_renamed_folder_is_refused(store: Store) -> None:
    """An older version in the folder of a newer one is refused, although it is signed."""
    tiny_models.make().publish(store)
    tiny_models.make().publish(store)
    shutil.rmtree(store.root / "tiny" / "2")
    shutil.copytree(store.root / "tiny" / "1", store.root / "tiny" / "2")

    with pytest.raises(ArtifactRollback, match="folder of tiny version 2 holds tiny version 1"):
        store.load("tiny", 2)


def test_a_folder_of_another_model_is_refused(store: Store) -> None:
    """A model's folder under another model's name is refused, too."""
    tiny_models.make().publish(store)
    shutil.copytree(store.root / "tiny", store.root / "other")

    with pytest.raises(ArtifactRollback, match="folder of other version 1 holds tiny version 1"):
        store.load("other", 1)


def test_a_manifest_is_read_without_the_model(store: Store) -> None:
    """The manifest of a version can be read although its model is damaged."""
    written = tiny_models.make().publish(store)
    (store.root / "tiny" / "1" / "model.joblib").write_bytes(b"")

    assert store.manifest("tiny", 1) == written


def test_a_manifest_that_is_not_there_is_missing(store: Store) -> None:
    """A version that does not exist, or is an empty folder, has no manifest."""
    tiny_models.make().publish(store)
    (store.root / "tiny" / "2").mkdir()

    for version in (2, 3):
        with pytest.raises(ArtifactMissing):
            store.manifest("tiny", version)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"aliases": {"champion": 0}}',
        b'{"latest": 1, "traffic": {}}',
        *(b'{"aliases": {"champion": %b}}' % pointer for pointer in (b"true", b'"1"', b"1.0")),
        *(b'{"latest": %b}' % latest for latest in (b"true", b'"1"', b"1.0", b"1000000000")),
    ],
)
def test_invalid_pointers_are_an_error(store: Store, content: bytes) -> None:
    """If aliases.json is invalid, reading and publishing fail."""
    tiny_models.make().publish(store)
    (store.root / "tiny" / POINTERS).write_bytes(content)

    for question in (store.resolve, store.aliases, lambda model: tiny_models.make().publish(store, model=model)):
        with pytest.raises(ArtifactFormat, match=POINTERS):
            question("tiny")

    assert store.versions("tiny") == [1]


def test_each_model_has_its_own_versions(store: Store) -> None:
    """Each model numbers its own versions."""
    tiny_models.make().publish(store, model="b")
    tiny_models.make().publish(store, model="a")
    tiny_models.make().publish(store, model="a")

    assert {name: store.versions(name) for name in store.models()} == {"a": [1, 2], "b": [1]}
