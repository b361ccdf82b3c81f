"""Versions that only grow, and pointers that move in one step."""

import os
import shutil
from pathlib import Path

import pytest

from artifacts import CHAMPION, Store
from artifacts.errors import (
    ArtifactError,
    ArtifactFormat,
    ArtifactMissing,
    ArtifactPath,
    ArtifactRollback,
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


def test_an_empty_store_has_no_model(store: Store) -> None:
    """A folder that nobody made is an empty store, and reading does not make it."""
    assert store.models() == []
    assert not store.root.exists()


def test_versions_grow_by_one(store: Store) -> None:
    """Each publication is the next version, whole, and the champion."""
    numbers = [tiny_models.make().publish(store).version for _ in range(3)]

    assert numbers == store.versions("tiny") == [1, 2, 3]
    assert store.aliases("tiny") == {CHAMPION: 3}
    assert [store.load("tiny", number).manifest.version for number in numbers] == numbers


@pytest.mark.parametrize("promote", [True, False])
def test_a_number_is_never_given_twice(store: Store, promote: bool) -> None:
    """The number of a deleted version is not given again: it would name another model."""
    tiny_models.make().publish(store)
    tiny_models.make().publish(store, promote=promote)
    shutil.rmtree(store.root / "tiny" / "2")

    assert tiny_models.make().publish(store).version == 3


def test_folders_count_where_the_pointers_are_lost(store: Store) -> None:
    """Without aliases.json the next version still comes after every folder that is there."""
    tiny_models.make().publish(store)
    tiny_models.make().publish(store)
    (store.root / "tiny" / POINTERS).unlink()

    assert tiny_models.make().publish(store).version == 3


def test_versions_are_sorted_as_numbers(store: Store) -> None:
    """Version 10 comes after version 9."""
    for _ in range(10):
        tiny_models.make().publish(store)

    assert store.versions("tiny") == list(range(1, 11))


def test_a_version_may_wait(store: Store) -> None:
    """Published without promotion, a version is there and the champion stays; a first one leaves no champion."""
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


def test_aliases_stand_side_by_side(store: Store) -> None:
    """A challenger keeps its version when a new champion is published."""
    tiny_models.make().publish(store)
    store.promote("tiny", 1, alias="challenger")

    tiny_models.make().publish(store)

    assert store.aliases("tiny") == {CHAMPION: 2, "challenger": 1}


@pytest.mark.parametrize(("reference", "version"), [(1, 1), ("1", 1), (CHAMPION, 2), ("shadow", 1)], ids=repr)
def test_a_reference_is_a_number_a_text_or_an_alias(store: Store, reference: str | int, version: int) -> None:
    """A version is found by its number, by the text of it, and by an alias."""
    for _ in range(2):
        tiny_models.make().publish(store)
    store.promote("tiny", 1, alias="shadow")

    assert store.resolve("tiny", reference) == version


@pytest.mark.parametrize(
    "reference", [0, -1, 2, "0", "-1", "2", "1.0", "none", "²", "../1", pytest.param("9" * 5000, id="long")]
)
def test_an_unknown_reference_is_missing(store: Store, reference: str | int) -> None:
    """What names no version is missing, and the error says which model and which reference."""
    tiny_models.make().publish(store)

    with pytest.raises(ArtifactMissing, match=r"no version or alias '.+' of model 'tiny'$"):
        store.resolve("tiny", reference)


def test_an_unknown_model_is_missing(store: Store) -> None:
    """A model that was never published is missing under every question."""
    questions = (store.versions, store.resolve, lambda name: store.promote(name, 1))

    for question in questions:
        with pytest.raises(ArtifactMissing, match="no model 'ghost'"):
            question("ghost")

    assert store.aliases("ghost") == {}


def test_an_alias_whose_version_is_gone_is_missing(store: Store) -> None:
    """A champion that was deleted by hand is an error with a name, not a crash."""
    for _ in range(2):
        tiny_models.make().publish(store)
    shutil.rmtree(store.root / "tiny" / "2")

    with pytest.raises(ArtifactMissing, match="'champion'"):
        store.resolve("tiny")


@pytest.mark.parametrize("alias", ["7", "1", "", "Best", "a/b"])
def test_an_alias_never_passes_for_a_version(store: Store, alias: str) -> None:
    """An alias is a name and no number, or tiny@7 would mean two things; a refused one changes nothing."""
    tiny_models.make().publish(store)

    with pytest.raises(NameInvalid):
        store.promote("tiny", 1, alias=alias)

    assert store.aliases("tiny") == {CHAMPION: 1}


@pytest.mark.parametrize("name", ["../evil", "Tiny", "", ".staging-x"])
def test_a_bad_name_reaches_no_folder(store: Store, name: str) -> None:
    """Neither reading nor writing makes a path of what is no name."""
    with pytest.raises(NameInvalid):
        tiny_models.make().publish(store, model=name)
    with pytest.raises(NameInvalid):
        store.versions(name)

    assert not store.root.exists()


def test_only_numbered_folders_are_versions(store: Store) -> None:
    """Staging, notes, files with a number and numbers with a leading zero are no versions."""
    tiny_models.make().publish(store)
    for name in (".staging-abc", "notes", "02", "0", "²", "-3"):
        (store.root / "tiny" / name).mkdir()
    (store.root / "tiny" / "5").touch()

    assert store.versions("tiny") == [1]


def test_only_folders_of_versions_are_models(store: Store) -> None:
    """What else lies in the store's folder, a volume's lost+found included, is no model."""
    tiny_models.make().publish(store)
    (store.root / "lost+found" / "1").mkdir(parents=True)
    (store.root / "empty").mkdir()
    (store.root / "README").touch()

    assert store.models() == ["tiny"]


def test_what_a_killed_publisher_left_is_cleaned(store: Store) -> None:
    """The next publication removes abandoned staging folders, and nothing else."""
    tiny_models.make().publish(store)
    abandoned = store.root / "tiny" / ".staging-abc"
    abandoned.mkdir()
    (abandoned / "model.joblib").write_bytes(b"half")

    tiny_models.make().publish(store)

    assert sorted(path.name for path in (store.root / "tiny").iterdir()) == [".lock", "1", "2", POINTERS, HISTORY]


@pytest.mark.parametrize("how", ["link", "dangling", "file", "pipe"])
def test_what_looks_abandoned_is_taken_away_and_nothing_else(store: Store, tmp_path: Path, how: str) -> None:
    """A link that is called like a staging folder goes, and what it points to stays."""
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
def test_a_number_that_something_has_taken_is_passed_over(store: Store, how: str) -> None:
    """What is no folder, and is called like the next version, is in nobody's way, and stays."""
    tiny_models.make().publish(store)
    taken = store.root / "tiny" / "2"
    taken.touch() if how == "file" else taken.symlink_to("nowhere")

    assert tiny_models.make().publish(store).version == 3

    assert [event.version for event in store.history("tiny") if event] == [1, 1, 3, 3]
    assert store.aliases("tiny") == {CHAMPION: 3}


@pytest.mark.parametrize("how", ["pointers", "folder"])
def test_the_last_number_is_the_last(store: Store, how: str) -> None:
    """Where no number is left nothing is published, and nothing is told as if it were."""
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
def test_nobody_can_stand_in_the_way_of_a_pointer(store: Store, name: str) -> None:
    """What is written beside has a name that nobody can have taken."""
    tiny_models.make().publish(store)
    (store.root / "tiny" / name).mkdir()

    tiny_models.make().publish(store)
    store.sign("tiny", 1)

    assert store.aliases("tiny") == {CHAMPION: 2}


def test_a_folder_in_the_place_of_a_signature_is_refused(store: Store) -> None:
    """Nothing is told of a signature that cannot be put there."""
    tiny_models.make().publish(store)
    (store.root / "tiny" / "1" / "manifest.sig").unlink()
    (store.root / "tiny" / "1" / "manifest.sig").mkdir()

    with pytest.raises(ArtifactPath, match="a folder"):
        store.sign("tiny", 1)

    assert len(store.history("tiny")) == 2


@pytest.mark.parametrize("how", ["model", "dangling", "store"])
def test_what_is_no_folder_is_not_published_into(store: Store, how: str) -> None:
    """A file or a link to nowhere in the place of a model or of the store is an error of ours."""
    (store.root.parent if how == "store" else store.root).mkdir(parents=True)
    if how == "dangling":
        (store.root / "tiny").symlink_to("nowhere")
    else:
        (store.root if how == "store" else store.root / "tiny").touch()

    with pytest.raises(ArtifactError):
        tiny_models.make().publish(store)


def test_what_cannot_be_loaded_is_not_published(store: Store) -> None:
    """A version that no server could load never gets a number, the champion stays, and nothing is left behind."""
    tiny_models.make().publish(store)
    other = tiny_models.make().promise.examples.model_copy(update={"predictions": ("long",) * 6})

    with pytest.raises(ArtifactSelfTest):
        tiny_models.make(examples=other).publish(store)

    assert store.versions("tiny") == [1]
    assert store.aliases("tiny") == {CHAMPION: 1}
    assert not list((store.root / "tiny").glob(".staging-*"))


@pytest.mark.parametrize("path", ["aliases.json", "1/manifest.json", "1/model.joblib"])
def test_what_the_file_system_refuses_is_an_error_of_ours(store: Store, path: str) -> None:
    """A loop of links where a file should be is no error of the driver's, but an artifact that cannot be read."""
    tiny_models.make().publish(store)
    file = store.root / "tiny" / path
    file.unlink()
    file.symlink_to(file)

    with pytest.raises(ArtifactError):
        store.load("tiny", store.resolve("tiny"))


def test_a_renamed_folder_is_refused(store: Store) -> None:
    """An older version in the place of a newer one is not that version, though it was signed as well."""
    tiny_models.make().publish(store)
    tiny_models.make().publish(store)
    shutil.rmtree(store.root / "tiny" / "2")
    shutil.copytree(store.root / "tiny" / "1", store.root / "tiny" / "2")

    with pytest.raises(ArtifactRollback, match="folder of tiny version 2 holds tiny version 1"):
        store.load("tiny", 2)


def test_a_folder_of_another_model_is_refused(store: Store) -> None:
    """A model's folder under another model's name is refused too."""
    tiny_models.make().publish(store)
    shutil.copytree(store.root / "tiny", store.root / "other")

    with pytest.raises(ArtifactRollback, match="folder of other version 1 holds tiny version 1"):
        store.load("other", 1)


def test_a_manifest_is_read_without_the_model(store: Store) -> None:
    """What a version promises is known even where its model is damaged."""
    written = tiny_models.make().publish(store)
    (store.root / "tiny" / "1" / "model.joblib").write_bytes(b"")

    assert store.manifest("tiny", 1) == written


def test_a_manifest_that_is_not_there_is_missing(store: Store) -> None:
    """A version that does not exist, or is only a folder, has no manifest."""
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
def test_pointers_that_cannot_be_read_stop_everything(store: Store, content: bytes) -> None:
    """Where aliases.json is no list of pointers nothing is guessed: reading and publishing both refuse."""
    tiny_models.make().publish(store)
    (store.root / "tiny" / POINTERS).write_bytes(content)

    for question in (store.resolve, store.aliases, lambda model: tiny_models.make().publish(store, model=model)):
        with pytest.raises(ArtifactFormat, match=POINTERS):
            question("tiny")

    assert store.versions("tiny") == [1]


def test_models_share_nothing(store: Store) -> None:
    """Each model counts its own versions."""
    tiny_models.make().publish(store, model="b")
    tiny_models.make().publish(store, model="a")
    tiny_models.make().publish(store, model="a")

    assert {name: store.versions(name) for name in store.models()} == {"a": [1, 2], "b": [1]}


def test_others_may_read_what_one_has_published(store: Store) -> None:
    """A version's folder is readable by the server's user, though a temporary folder is not."""
    tiny_models.make().publish(store)

    assert (store.root / "tiny" / "1").stat().st_mode & 0o777 == 0o755
