"""What may be wrong with a version on disk, and that nothing of it runs before it is right."""

import hashlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron

from artifacts import version_folder
from artifacts.errors import (
    ArtifactDigest,
    ArtifactFormat,
    ArtifactIncomplete,
    ArtifactMissing,
    ArtifactSchema,
    ArtifactSelfTest,
    ArtifactUnloadable,
    ArtifactUntrusted,
)
from artifacts.predictions import Predictions, label_map
from artifacts.runtimes.sklearn_runtime import predict_rows
from artifacts.version_folder import CARD, LABELS, MANIFEST, MODEL, SIGNATURE, Content, Identity
from tests.support import tiny_models
from tests.support.version_folders import Quitter, Trap, amend, put, read, seal, signer, write


def test_what_was_written_is_read(folder: Path) -> None:
    """A version answers after the disk as its examples promise, to the last bit."""
    loaded = read(folder)

    answer = loaded.predict(tiny_models.table())
    assert loaded.has_probabilities
    assert tuple(answer.labels.tolist()) == loaded.manifest.examples.predictions == ("short",) * 3 + ("long",) * 3
    assert np.array_equal(np.asarray(answer.probabilities), np.asarray(loaded.manifest.examples.probabilities))


def test_the_folder_holds_its_files_with_their_digests(folder: Path) -> None:
    """A version is its model, its label map, a manifest with digest and size of both, and a signature."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    manifest = read(folder).manifest
    assert files.keys() == {MODEL, LABELS, MANIFEST, SIGNATURE}
    assert manifest.sizes == {name: (folder / name).stat().st_size for name in (MODEL, LABELS)}
    assert manifest.files == {name: files[name] for name in (MODEL, LABELS)}


def test_a_regressor_has_no_label_map(regressor: Path) -> None:
    """A version that predicts numbers is its model and a signed manifest; it says floats, and no probabilities."""
    loaded = read(regressor)

    answer = loaded.predict(tiny_models.table())
    assert {path.name for path in regressor.iterdir()} == {MODEL, MANIFEST, SIGNATURE}
    assert (loaded.labels, loaded.has_probabilities, answer.probabilities) == (None, False, None)
    assert answer.labels.tolist() == list(loaded.manifest.examples.predictions)
    assert set(map(type, answer.labels)) == {float}


def test_a_card_is_one_more_file_with_its_digest(tmp_path: Path) -> None:
    """A page for people is written with the version's number on it, and is as much under its digest as the model."""
    made = tiny_models.make()
    content = Content(made.promise, made.pickled, made.labels, lambda manifest: f"version {manifest.version}".encode())

    version_folder.write(tmp_path, content, model="tiny", version=7, signer=signer())

    assert (tmp_path / CARD).read_text() == "version 7"
    seventh = Identity("tiny", 7)
    assert read(tmp_path, of=seventh).manifest.files.keys() == {MODEL, LABELS, CARD}
    (tmp_path / CARD).write_text("version 8")
    with pytest.raises(ArtifactDigest, match=CARD):
        read(tmp_path, of=seventh)


@pytest.mark.parametrize(("task", "labels"), [("regression", None), ("classification", ["short", "long"])])
def test_an_answer_is_one_a_row(task: str, labels: list[str] | None) -> None:
    """An estimator that gives a column, as some do that were fitted on one, is understood like one that gives a row."""
    told = predict_rows(Columnar(), tiny_models.X, classifies=labels is not None, probabilities=False)

    answered = Predictions(told.values, told.probabilities, label_map(labels or ()))

    assert answered.labels.tolist() == ([0.0] * 6 if labels is None else ["short"] * 6)
    assert answered.probabilities is None


def test_probabilities_are_left_out_when_nobody_asks(folder: Path) -> None:
    """Labels alone cost no second call of the model."""
    answer = read(folder).predict(tiny_models.table(), probabilities=False)

    assert answer.probabilities is None
    assert answer.labels.tolist()[0] == "short"


def test_a_model_without_probabilities_has_none(tmp_path: Path) -> None:
    """An estimator that only decides is written, read and tested by its labels."""
    loaded = read(write(tmp_path / "1", tiny_models.make(estimator=Perceptron())))

    assert not loaded.has_probabilities
    assert loaded.predict(tiny_models.table()).probabilities is None


@pytest.mark.parametrize("labels", [(0, 1), (False, True), ("0", 0)], ids=repr)
def test_labels_keep_their_type(tmp_path: Path, labels: tuple[Any, Any]) -> None:
    """A caller who was promised false gets false, neither 0 nor "0"."""
    loaded = read(write(tmp_path / "1", tiny_models.make(labels=labels)))

    answered = loaded.predict(tiny_models.table()).labels.tolist()
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

    with pytest.raises(ArtifactIncomplete, match=f"^missing: {name}$"):
        read(folder)


@pytest.mark.parametrize(("lies_there", "reason"), [(True, "not listed"), (False, "missing")])
def test_a_version_without_model_in_its_list_is_incomplete(folder: Path, lies_there: bool, reason: str) -> None:
    """A manifest that lists no model does not make a version without one."""
    amend(folder, lambda manifest: manifest["files"].pop(MODEL))
    if not lies_there:
        (folder / MODEL).unlink()

    with pytest.raises(ArtifactIncomplete, match=f"^{reason}: {MODEL}$"):
        read(folder)


@pytest.mark.parametrize("name", ["extra.py", ".hidden", "model.joblib~"])
def test_an_unlisted_file_is_named(folder: Path, name: str) -> None:
    """Nothing may lie in a version's folder that was not published with it."""
    (folder / name).touch()

    with pytest.raises(ArtifactIncomplete, match=f"^not listed: {name}$"):
        read(folder)


@pytest.mark.parametrize("name", [MODEL, LABELS])
def test_one_flipped_bit_is_found(folder: Path, name: str) -> None:
    """A file of the same length that differs by one bit is not the published one."""
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(ArtifactDigest, match=f"^{name} was changed .* sha256"):
        read(folder)


def test_nothing_is_unpickled_before_its_digest_holds(folder: Path, tmp_path: Path) -> None:
    """A changed pickle never runs; the same pickle with the digest changed too does, so the trap is sound."""
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
    """The model waits for every file: a changed label map stops a version whose model is right."""
    seal(folder, MODEL, tiny_models.pickle(Trap(str(tmp_path / "sprung"))))
    (folder / LABELS).write_bytes(b"[]")

    with pytest.raises(ArtifactDigest, match=LABELS):
        read(folder)

    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "EOFError$"),
        (b"no pickle", "cannot be loaded: [A-Za-z]+$"),
        (b"cnowhere\nNothing\n.", "ModuleNotFoundError: it needs the module 'nowhere', which is not installed$"),
        (tiny_models.pickle({"predict": 1}), "holds a dict"),
        (tiny_models.pickle(LogisticRegression()), "does not name the classes"),
        (
            tiny_models.pickle(RandomForestClassifier(2).fit(tiny_models.X, np.eye(6, 2).astype(int))),
            "does not name the classes",
        ),
        (tiny_models.pickle(LinearRegression().fit(tiny_models.X, tiny_models.Y)), "does not name the classes"),
        (tiny_models.pickle(LogisticRegression().fit(tiny_models.X, [3, 3, 3, 4, 4, 4])), "does not name the classes"),
    ],
    ids=["empty", "text", "unknown class", "dict", "unfitted", "several outputs", "regressor", "other classes"],
)
def test_bytes_that_are_no_classifier_are_unloadable(folder: Path, content: bytes, reason: str) -> None:
    """The right bytes of the wrong thing are refused, with what they hold."""
    seal(folder, MODEL, content)

    with pytest.raises(ArtifactUnloadable, match=reason):
        read(folder)


@pytest.mark.parametrize("ending", [SystemExit, GeneratorExit])
def test_a_pickle_cannot_end_the_process(folder: Path, ending: type[BaseException]) -> None:
    """What would end whoever loads it is a model that cannot be loaded."""
    seal(folder, MODEL, tiny_models.pickle(Quitter(ending)))

    with pytest.raises(ArtifactUnloadable, match=f"cannot be loaded: {ending.__name__}"):
        read(folder)


@pytest.fixture
def _default_sigint() -> Iterator[None]:
    """SIGINT as Python sets it up, whatever started the tests or ran before this one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_default_sigint")
def test_whoever_waits_can_still_stop_it(folder: Path) -> None:
    """Ctrl-C while a model is unpickled ends the command."""
    seal(folder, MODEL, tiny_models.pickle(Quitter(KeyboardInterrupt)))

    with pytest.raises(KeyboardInterrupt):
        read(folder)


class Leaver(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Ends the process when it is asked."""

    def predict(self, X: Any) -> Any:  # noqa: ARG002  # scikit-learn's name
        raise SystemExit


def test_a_model_cannot_end_the_process(folder: Path) -> None:
    """One that would, when it is asked, fails its own examples."""
    seal(folder, MODEL, tiny_models.pickle(Leaver().fit(tiny_models.X, tiny_models.Y)))

    with pytest.raises(ArtifactSelfTest, match="fails on its own examples: RuntimeError"):
        read(folder)


@pytest.mark.parametrize(
    "fitted_on",
    [
        tiny_models.X.iloc[:, ::-1],
        tiny_models.X.assign(extra=1),
        tiny_models.X[["length"]],
        tiny_models.X.rename(columns={"leaves": "lobes"}),
    ],
    ids=["another order", "one more", "one less", "another name"],
)
def test_a_model_of_other_columns_is_refused(folder: Path, fitted_on: Any) -> None:
    """The columns that callers are checked by are those that the estimator was fitted on, in its order."""
    seal(folder, MODEL, tiny_models.pickle(LogisticRegression().fit(fitted_on, tiny_models.Y)))

    with pytest.raises(ArtifactSchema, match="columns"):
        read(folder)


def test_a_model_that_knows_no_names_is_held_to_their_number(folder: Path) -> None:
    """Fitted on an array, it still says how many columns that had."""
    wide = tiny_models.X.assign(extra=1).to_numpy()
    seal(folder, MODEL, tiny_models.pickle(LogisticRegression().fit(wide, tiny_models.Y)))

    with pytest.raises(ArtifactSchema, match="2 columns, and the model was fitted on 3"):
        read(folder)


@dataclass(frozen=True, slots=True)
class Secretive:
    """Raises when it is asked for its columns."""

    @property
    def feature_names_in_(self) -> Any:
        """None of anybody's business."""
        raise RuntimeError

    def predict(self, X: Any) -> Any:
        """One class for all."""
        return np.zeros(len(X))


def test_a_model_that_does_not_tell_its_columns_is_refused(folder: Path) -> None:
    """Whatever it raises, the error is one with a name."""
    seal(folder, MODEL, tiny_models.pickle(Secretive()))

    with pytest.raises(ArtifactSchema, match="RuntimeError"):
        read(folder)


@pytest.mark.parametrize("content", [b"", b"{}", b'[{"class": 0}]', b'[{"class": 0.5, "label": "a"}]', b"[null]"])
def test_a_label_map_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    """labels.json is a list of class and label, or the version is not read."""
    seal(folder, LABELS, content)

    with pytest.raises(ArtifactFormat, match=LABELS):
        read(folder)


def test_a_label_map_of_other_classes_is_refused(folder: Path) -> None:
    """A class too few would give every later class its neighbour's label."""
    seal(folder, LABELS, b'[{"class": 0, "label": "short"}]')

    with pytest.raises(ArtifactFormat, match=f"other classes than {LABELS}"):
        read(folder)


def test_a_label_map_of_another_estimator_is_refused(folder: Path) -> None:
    """The lines name the classes of the very estimator that answers, in its order."""
    seal(folder, LABELS, b'[{"class": 1, "label": "short"}, {"class": 0, "label": "long"}]')

    with pytest.raises(ArtifactUnloadable, match=f"{LABELS} does not name the classes"):
        read(folder)


def test_a_classifier_without_label_map_is_incomplete(regressor: Path) -> None:
    """A manifest that calls a regressor a classifier lacks the map of its labels."""
    amend(regressor, lambda manifest: manifest.update(task="classification", classes=["short", "long"]))

    with pytest.raises(ArtifactIncomplete, match=f"^missing: {LABELS}$"):
        read(regressor)


def test_a_manifest_with_its_classes_swapped_is_refused(folder: Path) -> None:
    """The names over the probabilities are those of the label map, in its order."""
    amend(folder, lambda manifest: manifest["classes"].reverse())

    with pytest.raises(ArtifactFormat, match=f"{MANIFEST} lists other classes than {LABELS}"):
        read(folder)


@pytest.mark.parametrize("place", ["nowhere", "tiny/1/model.joblib", "empty"])
def test_an_empty_folder_is_no_version(folder: Path, tmp_path: Path, place: str) -> None:
    """What is no folder, or one with nothing in it, is missing."""
    (tmp_path / "empty").mkdir()

    with pytest.raises(ArtifactMissing):
        read(tmp_path / place)


def test_files_without_a_manifest_are_nobodys(folder: Path, tmp_path: Path) -> None:
    """A model that somebody dropped into a folder is signed by nobody, whatever it is called, and is not run."""
    for path in folder.iterdir():
        path.unlink()
    (folder / MODEL).write_bytes(tiny_models.pickle(Trap(str(tmp_path / "sprung"))))

    with pytest.raises(ArtifactUntrusted, match=f"no {MANIFEST}"):
        read(folder)

    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_manifest_cut_short_is_refused(folder: Path, size: int) -> None:
    """A manifest of which the disk has only the beginning is not read."""
    put(folder, (folder / MANIFEST).read_bytes()[:size])

    with pytest.raises(ArtifactFormat):
        read(folder)
