"""The files of a version are written and signed, and verified before anything of them runs."""

import hashlib
from pathlib import Path

import pytest

from artifacts import version_folder
from artifacts.errors import (
    ArtifactDigest,
    ArtifactFormat,
    ArtifactIncomplete,
    ArtifactMissing,
    ArtifactUnloadable,
    ArtifactUntrusted,
)
from artifacts.version_folder import CARD, LABELS, MANIFEST, MODEL, SIGNATURE, Content, Identity
from tests.support import tiny_models
from tests.support.version_folders import Trap, amend, put, read, seal, signer


def test_the_folder_holds_its_files_with_their_digests(folder: Path) -> None:
    """A version has a model, a label map, a manifest with digest and size of both, and a signature."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    manifest = read(folder).manifest
    assert files.keys() == {MODEL, LABELS, MANIFEST, SIGNATURE}
    assert manifest.sizes == {name: (folder / name).stat().st_size for name in (MODEL, LABELS)}
    assert manifest.files == {name: files[name] for name in (MODEL, LABELS)}


def test_a_card_has_a_digest(tmp_path: Path) -> None:
    """The model card is written with the version's number, and the manifest has its digest."""
    made = tiny_models.make()
    content = Content(made.promise, made.pickled, made.labels, lambda manifest: f"version {manifest.version}".encode())

    version_folder.write(tmp_path, content, model="tiny", version=7, signer=signer())

    assert (tmp_path / CARD).read_text() == "version 7"
    seventh = Identity("tiny", 7)
    assert read(tmp_path, of=seventh).manifest.files.keys() == {MODEL, LABELS, CARD}
    (tmp_path / CARD).write_text("version 8")
    with pytest.raises(ArtifactDigest, match=CARD):
        read(tmp_path, of=seventh)


@pytest.mark.parametrize("name", [MODEL, LABELS])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """A version without one of its files is incomplete."""
    (folder / name).unlink()

    with pytest.raises(ArtifactIncomplete, match=f"^missing: {name}$"):
        read(folder)


@pytest.mark.parametrize(("lies_there", "reason"), [(True, "not listed"), (False, "missing")])
def test_a_version_without_model_in_its_list_is_incomplete(folder: Path, lies_there: bool, reason: str) -> None:
    """A manifest must list a model."""
    amend(folder, lambda manifest: manifest["files"].pop(MODEL))
    if not lies_there:
        (folder / MODEL).unlink()

    with pytest.raises(ArtifactIncomplete, match=f"^{reason}: {MODEL}$"):
        read(folder)


@pytest.mark.parametrize("name", ["extra.py", ".hidden", "model.joblib~"])
def test_an_unlisted_file_is_named(folder: Path, name: str) -> None:
    """A version's folder must not have files that its manifest does not list."""
    (folder / name).touch()

    with pytest.raises(ArtifactIncomplete, match=f"^not listed: {name}$"):
        read(folder)


@pytest.mark.parametrize("name", [MODEL, LABELS])
def test_one_flipped_bit_is_found(folder: Path, name: str) -> None:
    """A file of the same length that differs by one bit is refused."""
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(ArtifactDigest, match=f"^{name} was changed .* sha256"):
        read(folder)


def test_nothing_is_unpickled_before_its_digest_is_verified(folder: Path, tmp_path: Path) -> None:
    """A changed pickle never runs; with its digest changed as well it does, so the trap works."""
    trap = tiny_models.pickle(Trap(str(tmp_path / "sprung")))
    (folder / MODEL).write_bytes(trap)

    with pytest.raises(ArtifactDigest):
        read(folder)
    untouched = not (tmp_path / "sprung").exists()
    seal(folder, MODEL, trap)
    with pytest.raises(ArtifactUnloadable):
        read(folder)

    assert untouched
    assert (tmp_path / "sprung").exists()


def test_nothing_is_unpickled_while_another_file_is_wrong(folder: Path, tmp_path: Path) -> None:
    """A changed label map prevents that the model, which is unchanged, is unpickled."""
    seal(folder, MODEL, tiny_models.pickle(Trap(str(tmp_path / "sprung"))))
    (folder / LABELS).write_bytes(b"[]")

    with pytest.raises(ArtifactDigest, match=LABELS):
        read(folder)

    assert not (tmp_path / "sprung").exists()


def test_a_classifier_without_label_map_is_incomplete(regressor: Path) -> None:
    """A manifest of a classifier must list a label map."""
    amend(regressor, lambda manifest: manifest.update(task="classification", classes=["short", "long"]))

    with pytest.raises(ArtifactIncomplete, match=f"^missing: {LABELS}$"):
        read(regressor)


@pytest.mark.parametrize("place", ["nowhere", "tiny/1/model.joblib", "empty"])
def test_an_empty_folder_is_a_missing_version(folder: Path, tmp_path: Path, place: str) -> None:
    """An empty folder, a file and a name that does not exist are missing versions."""
    (tmp_path / "empty").mkdir()

    with pytest.raises(ArtifactMissing):
        read(tmp_path / place)


def test_files_without_a_manifest_are_untrusted(folder: Path, tmp_path: Path) -> None:
    """A model that was copied into a folder without a manifest is not signed, and is not unpickled."""
    for path in folder.iterdir():
        path.unlink()
    (folder / MODEL).write_bytes(tiny_models.pickle(Trap(str(tmp_path / "sprung"))))

    with pytest.raises(ArtifactUntrusted, match=f"no {MANIFEST}"):
        read(folder)

    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_manifest_cut_short_is_refused(folder: Path, size: int) -> None:
    """An incomplete manifest is refused."""
    put(folder, (folder / MANIFEST).read_bytes()[:size])

    with pytest.raises(ArtifactFormat):
        read(folder)
