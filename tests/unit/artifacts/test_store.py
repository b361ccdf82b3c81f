"""Versions are published, promoted, signed and deleted in atomic steps."""

import os
import shutil
from pathlib import Path

import pytest

from artifacts import CHAMPION, Store
from artifacts.errors import (
    ArtifactError,
    ArtifactFormat,
    ArtifactPath,
    ArtifactSelfTest,
    NameInvalid,
)
from artifacts.history import HISTORY
from artifacts.pointers import POINTERS
from tests.support import tiny_models


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store whose folder does not exist yet."""
    return Store(tmp_path / "deep" / "store")


def test_versions_grow_by_one(store: Store) -> None:
    """Each publication is the next version, whole, and the champion."""
    numbers = [tiny_models.make().publish(store).version for _ in range(3)]

    assert numbers == store.versions("tiny") == [1, 2, 3]
    assert store.aliases("tiny") == {CHAMPION: 3}
    assert [store.load("tiny", number).manifest.version for number in numbers] == numbers


@pytest.mark.parametrize("promote", [True, False])
def test_a_number_is_never_given_twice(store: Store, promote: bool) -> None:
    """The number of a deleted version is not used again, for it would name another model."""
    tiny_models.make().publish(store)
    tiny_models.make().publish(store, promote=promote)
    shutil.rmtree(store.root / "tiny" / "2")

    assert tiny_models.make().publish(store).version == 3


def test_without_pointers_the_next_version_follows_the_last_folder(store: Store) -> None:
    """Without aliases.json the next version has a higher number than every folder."""
    tiny_models.make().publish(store)
    tiny_models.make().publish(store)
    (store.root / "tiny" / POINTERS).unlink()

    assert tiny_models.make().publish(store).version == 3


def test_a_version_can_be_published_without_promotion(store: Store) -> None:
    """The champion does not move; after a first version there is none."""
    tiny_models.make().publish(store, promote=False)
    champions = [store.aliases("tiny")]
    tiny_models.make().publish(store)
    tiny_models.make().publish(store, promote=False)

    assert champions == [{}]
    assert store.versions("tiny") == [1, 2, 3]
    assert store.resolve("tiny") == 2


def test_promote_and_roll_back(store: Store) -> None:
    """The champion moves to any version and back, and nothing else changes."""
    for _ in range(2):
        tiny_models.make().publish(store)
    champions = []

    for version in (1, 2):
        store.promote("tiny", version)
        champions.append(store.resolve("tiny"))

    assert champions == [1, 2]
    assert store.versions("tiny") == [1, 2]
    assert tiny_models.make().publish(store).version == 3


def test_aliases_are_independent(store: Store) -> None:
    """A challenger keeps its version when a new champion is published."""
    tiny_models.make().publish(store)
    store.promote("tiny", 1, alias="challenger")

    tiny_models.make().publish(store)

    assert store.aliases("tiny") == {CHAMPION: 2, "challenger": 1}


@pytest.mark.parametrize("alias", ["7", "1", "", "Best", "a/b"])
def test_an_alias_is_not_a_number(store: Store, alias: str) -> None:
    """An alias that looks like a version, or is invalid, is refused and changes nothing."""
    tiny_models.make().publish(store)

    with pytest.raises(NameInvalid):
        store.promote("tiny", 1, alias=alias)

    assert store.aliases("tiny") == {CHAMPION: 1}


@pytest.mark.parametrize("name", ["../evil", "Tiny", "", ".staging-x"])
def test_an_invalid_name_is_not_used_in_a_path(store: Store, name: str) -> None:
    """Reading and publishing refuse the name, and create nothing."""
    with pytest.raises(NameInvalid):
        tiny_models.make().publish(store, model=name)
    with pytest.raises(NameInvalid):
        store.versions(name)

    assert not store.root.exists()


def test_the_next_publication_removes_abandoned_folders(store: Store) -> None:
    """Temporary folders of killed publishers are removed, and nothing else."""
    tiny_models.make().publish(store)
    abandoned = store.root / "tiny" / ".staging-abc"
    abandoned.mkdir()
    (abandoned / "model.joblib").write_bytes(b"half")

    tiny_models.make().publish(store)

    assert sorted(path.name for path in (store.root / "tiny").iterdir()) == [".lock", "1", "2", POINTERS, HISTORY]


@pytest.mark.parametrize("how", ["link", "dangling", "file", "pipe"])
def test_only_the_abandoned_name_is_removed(store: Store, tmp_path: Path, how: str) -> None:
    """A link with the name of a temporary folder is removed, and what it points to stays."""
    tiny_models.make().publish(store)
    beyond = tmp_path / "beyond"
    beyond.mkdir()
    (beyond / "kept").touch()
    staging = store.root / "tiny" / ".staging-x"
    if how in {"link", "dangling"}:
        staging.symlink_to(beyond if how == "link" else "nowhere")
    elif how == "file":
        staging.touch()
    else:
        os.mkfifo(staging)

    assert tiny_models.make().publish(store).version == 2

    assert (beyond / "kept").exists()
    assert not list((store.root / "tiny").glob(".staging-*"))


@pytest.mark.parametrize("how", ["file", "link"])
def test_a_number_that_is_in_use_is_skipped(store: Store, how: str) -> None:
    """A file or a link with the name of the next version stays, and the number after it is used."""
    tiny_models.make().publish(store)
    taken = store.root / "tiny" / "2"
    taken.touch() if how == "file" else taken.symlink_to("nowhere")

    assert tiny_models.make().publish(store).version == 3

    assert [event.version for event in store.history("tiny") if event] == [1, 1, 3, 3]
    assert store.aliases("tiny") == {CHAMPION: 3}


@pytest.mark.parametrize("how", ["pointers", "folder"])
def test_nothing_is_published_after_the_last_number(store: Store, how: str) -> None:
    """If no number is left, publication fails without a line in the history."""
    tiny_models.make().publish(store)
    if how == "pointers":
        (store.root / "tiny" / POINTERS).write_text('{"latest": 999999999, "aliases": {"champion": 1}}')
    else:
        (store.root / "tiny" / "999999999").mkdir()
    before = sorted(path.name for path in (store.root / "tiny").iterdir())

    with pytest.raises(ArtifactFormat, match="version 999999999, the last possible one"):
        tiny_models.make().publish(store)

    assert sorted(path.name for path in (store.root / "tiny").iterdir()) == before
    assert len(store.history("tiny")) == 2
    assert store.aliases("tiny") == {CHAMPION: 1}


@pytest.mark.parametrize("name", [".aliases.json", ".manifest.sig"])
def test_a_folder_does_not_block_a_pointer(store: Store, name: str) -> None:
    """Temporary files have random names, so that no existing folder blocks them."""
    tiny_models.make().publish(store)
    (store.root / "tiny" / name).mkdir()

    tiny_models.make().publish(store)
    store.sign("tiny", 1)

    assert store.aliases("tiny") == {CHAMPION: 2}


def test_a_folder_named_like_the_signature_is_refused(store: Store) -> None:
    """A signature that cannot be written has no line in the history."""
    tiny_models.make().publish(store)
    (store.root / "tiny" / "1" / "manifest.sig").unlink()
    (store.root / "tiny" / "1" / "manifest.sig").mkdir()

    with pytest.raises(ArtifactPath, match="a folder"):
        store.sign("tiny", 1)

    assert len(store.history("tiny")) == 2


@pytest.mark.parametrize("how", ["model", "dangling", "store"])
def test_a_file_instead_of_a_folder_is_refused(store: Store, how: str) -> None:
    """A file or a dangling link named like a model or the store is an ArtifactError."""
    (store.root.parent if how == "store" else store.root).mkdir(parents=True)
    if how == "dangling":
        (store.root / "tiny").symlink_to("nowhere")
    else:
        (store.root if how == "store" else store.root / "tiny").touch()

    with pytest.raises(ArtifactError):
        tiny_models.make().publish(store)


def test_what_cannot_be_loaded_is_not_published(store: Store) -> None:
    """A version that cannot be loaded gets no number, the champion does not move, and no file is left."""
    tiny_models.make().publish(store)
    other = tiny_models.make().promise.examples.model_copy(update={"predictions": ("long",) * 6})

    with pytest.raises(ArtifactSelfTest):
        tiny_models.make(examples=other).publish(store)

    assert store.versions("tiny") == [1]
    assert store.aliases("tiny") == {CHAMPION: 1}
    assert not list((store.root / "tiny").glob(".staging-*"))


def test_other_users_can_read_a_published_version(store: Store) -> None:
    """A version's folder is readable by other users, although a temporary folder is not."""
    tiny_models.make().publish(store)

    assert (store.root / "tiny" / "1").stat().st_mode & 0o777 == 0o755
