"""What may be wrong with a version on disk, and that nothing of it runs before it is right."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron

from artifacts import bundle
from artifacts.answers import Answer, label_map
from artifacts.bundle import CARD, LABELS, MANIFEST, MODEL, Content
from artifacts.errors import (
    ArtifactDigest,
    ArtifactFormat,
    ArtifactIncomplete,
    ArtifactMissing,
    ArtifactUnloadable,
)
from artifacts.runtimes.original import ask
from tests import tiny
from tests.artifacts.folders import amend, seal, write


@dataclass(frozen=True, slots=True)
class MakesFolder:
    """Makes a folder when it is unpickled, as an attacker's model would do worse."""

    path: str

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.path,)


def test_what_was_written_is_read(folder: Path) -> None:
    """A version answers after the disk as its examples promise, to the last bit."""
    read = bundle.read(folder)

    answer = read.predict(tiny.table())
    assert read.has_probabilities
    assert tuple(answer.labels.tolist()) == read.manifest.examples.predictions == ("short",) * 3 + ("long",) * 3
    assert np.array_equal(np.asarray(answer.probabilities), np.asarray(read.manifest.examples.probabilities))


def test_the_folder_holds_three_files_with_their_digests(folder: Path) -> None:
    """A version is its model, its label map and a manifest with the sha256 of both."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    manifest = bundle.read(folder).manifest
    assert files.keys() == {MODEL, LABELS, MANIFEST}
    assert manifest.files == {name: files[name] for name in (MODEL, LABELS)}


def test_a_regressor_has_no_label_map(regressor: Path) -> None:
    """A version that predicts numbers is its model and a manifest; what it says are floats, and no probabilities."""
    read = bundle.read(regressor)

    answer = read.predict(tiny.table())
    assert {path.name for path in regressor.iterdir()} == {MODEL, MANIFEST}
    assert (read.labels, read.has_probabilities, answer.probabilities) == (None, False, None)
    assert answer.labels.tolist() == list(read.manifest.examples.predictions)
    assert set(map(type, answer.labels)) == {float}


def test_a_card_is_one_more_file_with_its_digest(tmp_path: Path) -> None:
    """A page for people is written with the version's number on it, and is as much under its digest as the model."""
    made = tiny.make()
    content = Content(made.promise, made.pickled, made.labels, lambda manifest: f"version {manifest.version}".encode())

    bundle.write(tmp_path, content, model="tiny", version=7)

    assert (tmp_path / CARD).read_text() == "version 7"
    assert bundle.read(tmp_path).manifest.files.keys() == {MODEL, LABELS, CARD}
    (tmp_path / CARD).write_text("version 8")
    with pytest.raises(ArtifactDigest, match=CARD):
        bundle.read(tmp_path)


@pytest.mark.parametrize(("task", "labels"), [("regression", None), ("classification", ["short", "long"])])
def test_an_answer_is_one_a_row(task: str, labels: list[str] | None) -> None:
    """An estimator that gives a column, as some do that were fitted on one, is understood like one that gives a row."""
    told = ask(Columnar(), tiny.X, classifies=labels is not None, probabilities=False)

    answered = Answer(told.predicted, told.probabilities, label_map(labels or ()))

    assert answered.labels.tolist() == ([0.0] * 6 if labels is None else ["short"] * 6)
    assert answered.probabilities is None


def test_probabilities_are_left_out_when_nobody_asks(folder: Path) -> None:
    """Labels alone cost no second call of the model."""
    answer = bundle.read(folder).predict(tiny.table(), probabilities=False)

    assert answer.probabilities is None
    assert answer.labels.tolist()[0] == "short"


def test_a_model_without_probabilities_has_none(tmp_path: Path) -> None:
    """An estimator that only decides is written, read and tested by its labels."""
    read = bundle.read(write(tmp_path / "1", tiny.make(estimator=Perceptron())))

    assert not read.has_probabilities
    assert read.predict(tiny.table()).probabilities is None


@pytest.mark.parametrize("labels", [(0, 1), (False, True), ("0", 0)], ids=repr)
def test_labels_keep_their_type(tmp_path: Path, labels: tuple[Any, Any]) -> None:
    """A caller who was promised false gets false, neither 0 nor "0"."""
    read = bundle.read(write(tmp_path / "1", tiny.make(labels=labels)))

    answered = read.predict(tiny.table()).labels.tolist()
    assert list(map(repr, answered)) == [repr(labels[0])] * 3 + [repr(labels[1])] * 3


@dataclass(frozen=True, slots=True)
class Columnar:
    """Gives shape (rows, 1)."""

    classes_ = np.array([0, 1])

    def predict(self, X: Any) -> Any:
        """The first class."""
        return np.zeros((len(X), 1), dtype=int)


@pytest.mark.parametrize("name", [MODEL, LABELS])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """A version without one of its files is incomplete."""
    (folder / name).unlink()

    with pytest.raises(ArtifactIncomplete, match=f"^missing: {name}$") as refused:
        bundle.read(folder)

    assert (refused.value.missing, refused.value.unlisted) == ([name], [])


@pytest.mark.parametrize(("lies_there", "reason"), [(True, "not listed"), (False, "missing")])
def test_a_version_without_model_in_its_list_is_incomplete(folder: Path, lies_there: bool, reason: str) -> None:
    """A manifest that lists no model does not make a version without one."""
    amend(folder, lambda manifest: manifest["files"].pop(MODEL))
    if not lies_there:
        (folder / MODEL).unlink()

    with pytest.raises(ArtifactIncomplete, match=f"^{reason}: {MODEL}$"):
        bundle.read(folder)


@pytest.mark.parametrize("name", ["extra.py", ".hidden", "model.joblib~"])
def test_an_unlisted_file_is_named(folder: Path, name: str) -> None:
    """Nothing may lie in a version's folder that was not published with it."""
    (folder / name).touch()

    with pytest.raises(ArtifactIncomplete, match=f"^not listed: {name}$"):
        bundle.read(folder)


@pytest.mark.parametrize("name", [MODEL, LABELS, MANIFEST])
def test_a_link_is_no_file(folder: Path, name: str) -> None:
    """A link to the very same bytes is refused: what it points to can change after the check."""
    elsewhere = (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(elsewhere)

    with pytest.raises(ArtifactIncomplete, match=f"^missing: {name}$"):
        bundle.read(folder)


def test_a_manifest_reaches_no_other_folder(folder: Path) -> None:
    """A listed path that leads out of the version is a missing file, whatever lies there."""
    secret = folder.parent / "secret"
    secret.write_bytes(b"")
    amend(folder, lambda manifest: manifest["files"].update({"../secret": hashlib.sha256(b"").hexdigest()}))

    with pytest.raises(ArtifactIncomplete, match=r"^missing: \.\./secret$"):
        bundle.read(folder)


@pytest.mark.parametrize("name", [MODEL, LABELS])
def test_one_flipped_bit_is_found(folder: Path, name: str) -> None:
    """A file of the same length that differs by one bit is not the published one."""
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(ArtifactDigest, match="sha256") as refused:
        bundle.read(folder)

    assert refused.value.file == name


def test_nothing_is_unpickled_before_its_digest_holds(folder: Path, tmp_path: Path) -> None:
    """A changed pickle never runs; the same pickle with the digest changed too does, so the trap is sound."""
    trap = tiny.pickle(MakesFolder(str(tmp_path / "sprung")))
    (folder / MODEL).write_bytes(trap)

    with pytest.raises(ArtifactDigest):
        bundle.read(folder)
    untouched = not (tmp_path / "sprung").exists()
    seal(folder, MODEL, trap)
    with pytest.raises(ArtifactUnloadable):
        bundle.read(folder)

    assert untouched
    assert (tmp_path / "sprung").exists()


def test_nothing_is_unpickled_while_another_file_is_wrong(folder: Path, tmp_path: Path) -> None:
    """The model waits for every file: a changed label map stops a version whose model is right."""
    seal(folder, MODEL, tiny.pickle(MakesFolder(str(tmp_path / "sprung"))))
    (folder / LABELS).write_bytes(b"[]")

    with pytest.raises(ArtifactDigest, match=LABELS):
        bundle.read(folder)

    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "EOFError"),
        (b"no pickle", "cannot be loaded"),
        (b"cnowhere\nNothing\n.", "ModuleNotFoundError"),
        (tiny.pickle({"predict": 1}), "holds a dict"),
        (tiny.pickle(LogisticRegression()), "does not name the classes"),
        (tiny.pickle(RandomForestClassifier(2).fit(tiny.X, np.eye(6, 2).astype(int))), "does not name the classes"),
        (tiny.pickle(LinearRegression().fit(tiny.X, tiny.Y)), "does not name the classes"),
        (tiny.pickle(LogisticRegression().fit(tiny.X, [3, 3, 3, 4, 4, 4])), "does not name the classes"),
    ],
    ids=["empty", "text", "unknown class", "dict", "unfitted", "several outputs", "regressor", "other classes"],
)
def test_bytes_that_are_no_classifier_are_unloadable(folder: Path, content: bytes, reason: str) -> None:
    """The right bytes of the wrong thing are refused, with what they hold."""
    seal(folder, MODEL, content)

    with pytest.raises(ArtifactUnloadable, match=reason):
        bundle.read(folder)


@pytest.mark.parametrize("content", [b"", b"{}", b'[{"class": 0}]', b'[{"class": 0.5, "label": "a"}]', b"[null]"])
def test_a_label_map_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    """labels.json is a list of class and label, or the version is not read."""
    seal(folder, LABELS, content)

    with pytest.raises(ArtifactFormat, match=LABELS):
        bundle.read(folder)


def test_a_label_map_of_other_classes_is_refused(folder: Path) -> None:
    """A class too few would give every later class its neighbour's label."""
    seal(folder, LABELS, b'[{"class": 0, "label": "short"}]')

    with pytest.raises(ArtifactFormat, match=f"other classes than {LABELS}"):
        bundle.read(folder)


def test_a_label_map_of_another_estimator_is_refused(folder: Path) -> None:
    """The lines name the classes of the very estimator that answers, in its order."""
    seal(folder, LABELS, b'[{"class": 1, "label": "short"}, {"class": 0, "label": "long"}]')

    with pytest.raises(ArtifactUnloadable, match=f"{LABELS} does not name the classes"):
        bundle.read(folder)


def test_a_classifier_without_label_map_is_incomplete(regressor: Path) -> None:
    """A manifest that calls a regressor a classifier lacks the map of its labels."""
    amend(regressor, lambda manifest: manifest.update(task="classification", classes=["short", "long"]))

    with pytest.raises(ArtifactIncomplete, match=f"^missing: {LABELS}$"):
        bundle.read(regressor)


def test_a_manifest_with_its_classes_swapped_is_refused(folder: Path) -> None:
    """The names over the probabilities are those of the label map, in its order."""
    amend(folder, lambda manifest: manifest["classes"].reverse())

    with pytest.raises(ArtifactFormat, match=f"{MANIFEST} lists other classes than {LABELS}"):
        bundle.read(folder)


@pytest.mark.parametrize("place", ["nowhere", "tiny/1/model.joblib", "tiny"])
def test_a_folder_without_manifest_is_no_version(folder: Path, tmp_path: Path, place: str) -> None:
    """What is no folder, or one without a manifest, is missing: half a version looks like none."""
    with pytest.raises(ArtifactMissing):
        bundle.read(tmp_path / place)


def test_a_folder_in_the_manifests_place_is_no_manifest(folder: Path) -> None:
    """A folder named manifest.json makes no version, and no error without a name."""
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()

    with pytest.raises(ArtifactMissing):
        bundle.read(folder)


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_manifest_cut_short_is_refused(folder: Path, size: int) -> None:
    """A manifest of which the disk has only the beginning is not read."""
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes()[:size])

    with pytest.raises(ArtifactFormat):
        bundle.read(folder)
