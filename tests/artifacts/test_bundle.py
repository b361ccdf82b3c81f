"""What may be wrong with a version on disk, and that nothing of it runs before it is right."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron

from artifacts import bundle
from artifacts.bundle import LABELS, MANIFEST, MODEL
from artifacts.errors import (
    ArtifactDigest,
    ArtifactFormat,
    ArtifactIncomplete,
    ArtifactMissing,
    ArtifactSelfTest,
    ArtifactUnloadable,
)
from tests import tiny


@dataclass(frozen=True, slots=True)
class MakesFolder:
    """Makes a folder when it is unpickled, as an attacker's model would do worse."""

    path: str

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.path,)


class Moody(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Can be fitted, but not asked."""

    def predict(self, X: Any) -> Any:
        raise RuntimeError(f"not today, and not for {len(X)} rows")


def write(folder: Path, made: tiny.Tiny) -> Path:
    """A version in a new folder."""
    folder.mkdir(parents=True)
    bundle.write(folder, made.promise, model="tiny", version=1, pickled=made.pickled, labels=made.labels)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version that is right."""
    return write(tmp_path / "tiny" / "1", tiny.make())


def seal(folder: Path, name: str, content: bytes) -> None:
    """Replace a file and its digest, as one could who may write both."""
    (folder / name).write_bytes(content)
    amend(folder, lambda manifest: manifest["files"].update({name: hashlib.sha256(content).hexdigest()}))


def amend(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest on disk."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_what_was_written_is_read(folder: Path) -> None:
    """A version answers after the disk as its examples promise, to the last bit."""
    read = bundle.read(folder)

    answer = read.predict(tiny.X)
    assert read.has_probabilities
    assert tuple(answer.labels.tolist()) == read.manifest.examples.predictions == ("short",) * 3 + ("long",) * 3
    assert np.array_equal(np.asarray(answer.probabilities), np.asarray(read.manifest.examples.probabilities))


def test_the_folder_holds_three_files_with_their_digests(folder: Path) -> None:
    """A version is its model, its label map and a manifest with the sha256 of both."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    manifest = bundle.read(folder).manifest
    assert files.keys() == {MODEL, LABELS, MANIFEST}
    assert manifest.files == {name: files[name] for name in (MODEL, LABELS)}


def test_probabilities_are_left_out_when_nobody_asks(folder: Path) -> None:
    """Labels alone cost no second call of the model."""
    answer = bundle.read(folder).predict(tiny.X, probabilities=False)

    assert answer.probabilities is None
    assert answer.labels.tolist()[0] == "short"


def test_a_model_without_probabilities_has_none(tmp_path: Path) -> None:
    """An estimator that only decides is written, read and tested by its labels."""
    read = bundle.read(write(tmp_path / "1", tiny.make(estimator=Perceptron())))

    assert not read.has_probabilities
    assert read.predict(tiny.X).probabilities is None


@pytest.mark.parametrize("labels", [(0, 1), (False, True), ("0", 0)], ids=repr)
def test_labels_keep_their_type(tmp_path: Path, labels: tuple[Any, Any]) -> None:
    """A caller who was promised false gets false, neither 0 nor "0"."""
    read = bundle.read(write(tmp_path / "1", tiny.make(labels=labels)))

    answered = read.predict(tiny.X).labels.tolist()
    assert list(map(repr, answered)) == [repr(labels[0])] * 3 + [repr(labels[1])] * 3


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
        (tiny.pickle(LogisticRegression()), "holds a LogisticRegression"),
        (tiny.pickle(RandomForestClassifier(2).fit(tiny.X, np.eye(6, 2).astype(int))), "holds a RandomForest"),
        (tiny.pickle(LogisticRegression().fit(tiny.X, [3, 3, 3, 4, 4, 4])), "does not name the classes"),
    ],
    ids=["empty", "text", "unknown class", "dict", "unfitted", "several outputs", "other classes"],
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

    with pytest.raises(ArtifactUnloadable, match=f"{LABELS} does not name the classes"):
        bundle.read(folder)


def test_a_manifest_with_its_classes_swapped_is_refused(folder: Path) -> None:
    """The names over the probabilities are those of the label map, in its order."""
    amend(folder, lambda manifest: manifest["classes"].reverse())

    with pytest.raises(ArtifactFormat, match=f"{MANIFEST} lists other classes than {LABELS}"):
        bundle.read(folder)


def test_other_labels_for_the_examples_are_found(folder: Path) -> None:
    """A model that decides otherwise than when it was published does not come into service."""
    amend(folder, lambda manifest: manifest["examples"]["predictions"].reverse())

    with pytest.raises(ArtifactSelfTest, match="other labels"):
        bundle.read(folder)


def _nudge(distance: float) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        manifest["examples"]["probabilities"][-1][0] += distance

    return change


def test_a_probability_within_the_tolerance_passes(folder: Path) -> None:
    """Another machine's last digits are not another model."""
    amend(folder, _nudge(9e-10))

    assert bundle.read(folder).manifest.tolerance == 1e-9


@pytest.mark.parametrize("distance", [1.1e-9, -1.1e-9, 0.5])
def test_a_probability_beyond_the_tolerance_is_found(folder: Path, distance: float) -> None:
    """One probability of one example that is further off than the tolerance stops the version."""
    amend(folder, _nudge(distance))

    with pytest.raises(ArtifactSelfTest, match="differ by"):
        bundle.read(folder)


@pytest.mark.parametrize(
    ("fitted", "reason"),
    [
        (Moody().fit(tiny.X, tiny.Y), "RuntimeError"),
        (LogisticRegression().fit(tiny.X.assign(extra=1), tiny.Y), "ValueError"),
    ],
    ids=["moody", "other columns"],
)
def test_a_model_that_fails_on_its_examples_is_found(folder: Path, fitted: object, reason: str) -> None:
    """An estimator that raises on its own examples stops the version, whatever it raises."""
    seal(folder, MODEL, tiny.pickle(fitted))

    with pytest.raises(ArtifactSelfTest, match=f"fails on its own examples: {reason}"):
        bundle.read(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instances", []),
        ("instances", [[1.0]]),
        ("instances", [[1.0, 2], [1.0]]),
        ("instances", [["a", 2]] * 6),
        ("instances", [[1.0, None]] * 6),
        ("predictions", []),
        ("probabilities", []),
        ("probabilities", [[0.5, 0.5], [1.0]]),
        ("probabilities", [[0.2, 0.3, 0.5]] * 6),
        ("probabilities", [[]]),
        ("probabilities", [[0.5]]),
    ],
    ids=repr,
)
def test_examples_that_do_not_hang_together_are_found(folder: Path, field: str, value: object) -> None:
    """Examples of another shape or kind are a failed self-test, never an error without a name."""
    amend(folder, lambda manifest: manifest["examples"].update({field: value}))

    with pytest.raises(ArtifactSelfTest):
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
