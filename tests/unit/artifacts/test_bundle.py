"""Versions are loaded from verified bytes, or refused with the reason."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron

from artifacts.errors import (
    ArtifactFormat,
    ArtifactSchema,
    ArtifactSelfTest,
    ArtifactUnloadable,
)
from artifacts.predictions import Predictions, label_map
from artifacts.runtimes.sklearn_runtime import predict_rows
from artifacts.version_folder import LABELS, MANIFEST, MODEL, SIGNATURE
from tests.support import tiny_models
from tests.support.version_folders import Quitter, amend, read, seal, write


def test_a_written_version_is_loaded(folder: Path) -> None:
    """A version predicts its examples as the manifest has them, to the last bit."""
    loaded = read(folder)

    answer = loaded.predict(tiny_models.table())
    assert loaded.has_probabilities
    assert tuple(answer.labels.tolist()) == loaded.manifest.examples.predictions == ("short",) * 3 + ("long",) * 3
    assert np.array_equal(np.asarray(answer.probabilities), np.asarray(loaded.manifest.examples.probabilities))


def test_a_regressor_has_no_label_map(regressor: Path) -> None:
    """A regressor has a model, a manifest and a signature; it predicts floats, without probabilities."""
    loaded = read(regressor)

    answer = loaded.predict(tiny_models.table())
    assert {path.name for path in regressor.iterdir()} == {MODEL, MANIFEST, SIGNATURE}
    assert (loaded.labels, loaded.has_probabilities, answer.probabilities) == (None, False, None)
    assert answer.labels.tolist() == list(loaded.manifest.examples.predictions)
    assert set(map(type, answer.labels)) == {float}


@pytest.mark.parametrize(("task", "labels"), [("regression", None), ("classification", ["short", "long"])])
def test_predictions_are_one_per_row(task: str, labels: list[str] | None) -> None:
    """An estimator that returns a column is treated like one that returns a row."""
    predicted = predict_rows(Columnar(), tiny_models.X, classifies=labels is not None, probabilities=False)

    answered = Predictions(predicted.values, predicted.probabilities, label_map(labels or ()))

    assert answered.labels.tolist() == ([0.0] * 6 if labels is None else ["short"] * 6)
    assert answered.probabilities is None


def test_probabilities_are_computed_only_on_request(folder: Path) -> None:
    """Labels alone need no second call of the model."""
    answer = read(folder).predict(tiny_models.table(), probabilities=False)

    assert answer.probabilities is None
    assert answer.labels.tolist()[0] == "short"


def test_a_model_without_probabilities_has_none(tmp_path: Path) -> None:
    """A version of an estimator without predict_proba is loaded and tested by its labels."""
    loaded = read(write(tmp_path / "1", tiny_models.make(estimator=Perceptron())))

    assert not loaded.has_probabilities
    assert loaded.predict(tiny_models.table()).probabilities is None


@pytest.mark.parametrize("labels", [(0, 1), (False, True), ("0", 0)], ids=repr)
def test_labels_keep_their_type(tmp_path: Path, labels: tuple[Any, Any]) -> None:
    """A label that was published as false is returned as false, not as 0 or "0"."""
    loaded = read(write(tmp_path / "1", tiny_models.make(labels=labels)))

    answered = loaded.predict(tiny_models.table()).labels.tolist()
    assert list(map(repr, answered)) == [repr(labels[0])] * 3 + [repr(labels[1])] * 3


@dataclass(frozen=True, slots=True)
class Columnar:
    """Returns an array of shape (rows, 1)."""

    classes_ = np.array([0, 1])

    def predict(self, X: Any) -> Any:
        """Return the first class for every row."""
        return np.zeros((len(X), 1), dtype=int)


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
def test_a_pickle_of_anything_but_the_classifier_is_unloadable(folder: Path, content: bytes, reason: str) -> None:
    """The error says what the file holds, although its digest is correct."""
    seal(folder, MODEL, content)

    with pytest.raises(ArtifactUnloadable, match=reason):
        read(folder)


@pytest.mark.parametrize("ending", [SystemExit, GeneratorExit])
def test_a_pickle_cannot_end_the_process(folder: Path, ending: type[BaseException]) -> None:
    """An exception that ends processes becomes an error of the version."""
    seal(folder, MODEL, tiny_models.pickle(Quitter(ending)))

    with pytest.raises(ArtifactUnloadable, match=f"cannot be loaded: {ending.__name__}"):
        read(folder)


@pytest.fixture
def _default_sigint() -> Iterator[None]:
    """SIGINT with Python's default handler, whatever the process that started the tests has set."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_default_sigint")
def test_ctrl_c_interrupts_loading(folder: Path) -> None:
    """Ctrl-C while a model is unpickled ends the command."""
    seal(folder, MODEL, tiny_models.pickle(Quitter(KeyboardInterrupt)))

    with pytest.raises(KeyboardInterrupt):
        read(folder)


class Leaver(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Tries to end the process when it predicts."""

    def predict(self, X: Any) -> Any:  # noqa: ARG002  # scikit-learn's name
        raise SystemExit


def test_a_model_cannot_end_the_process(folder: Path) -> None:
    """A model that tries to end the process when it predicts fails the self-test."""
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
    """The columns of the manifest must be those that the estimator was fitted on, in its order."""
    seal(folder, MODEL, tiny_models.pickle(LogisticRegression().fit(fitted_on, tiny_models.Y)))

    with pytest.raises(ArtifactSchema, match="columns"):
        read(folder)


def test_a_model_without_column_names_must_have_their_number(folder: Path) -> None:
    """An estimator that was fitted on an array knows how many columns that had."""
    wide = tiny_models.X.assign(extra=1).to_numpy()
    seal(folder, MODEL, tiny_models.pickle(LogisticRegression().fit(wide, tiny_models.Y)))

    with pytest.raises(ArtifactSchema, match="2 columns, and the model was fitted on 3"):
        read(folder)


@dataclass(frozen=True, slots=True)
class Secretive:
    """Raises when its columns are read."""

    @property
    def feature_names_in_(self) -> Any:
        """Raise instead of returning the columns."""
        raise RuntimeError

    def predict(self, X: Any) -> Any:
        """One class for all."""
        return np.zeros(len(X))


def test_a_model_whose_columns_cannot_be_read_is_refused(folder: Path) -> None:
    """Any exception while its columns are read becomes an ArtifactSchema."""
    seal(folder, MODEL, tiny_models.pickle(Secretive()))

    with pytest.raises(ArtifactSchema, match="RuntimeError"):
        read(folder)


@pytest.mark.parametrize("content", [b"", b"{}", b'[{"class": 0}]', b'[{"class": 0.5, "label": "a"}]', b"[null]"])
def test_an_invalid_label_map_is_refused(folder: Path, content: bytes) -> None:
    """labels.json must be a list of class and label."""
    seal(folder, LABELS, content)

    with pytest.raises(ArtifactFormat, match=LABELS):
        read(folder)


def test_a_label_map_of_other_classes_is_refused(folder: Path) -> None:
    """A missing class would give every later class its neighbour's label."""
    seal(folder, LABELS, b'[{"class": 0, "label": "short"}]')

    with pytest.raises(ArtifactFormat, match=f"other classes than {LABELS}"):
        read(folder)


def test_a_label_map_of_another_estimator_is_refused(folder: Path) -> None:
    """The lines must name the classes of the estimator, in its order."""
    seal(folder, LABELS, b'[{"class": 1, "label": "short"}, {"class": 0, "label": "long"}]')

    with pytest.raises(ArtifactUnloadable, match=f"{LABELS} does not name the classes"):
        read(folder)


def test_a_manifest_with_its_classes_swapped_is_refused(folder: Path) -> None:
    """The classes of the manifest must be in the order of the label map."""
    amend(folder, lambda manifest: manifest["classes"].reverse())

    with pytest.raises(ArtifactFormat, match=f"{MANIFEST} lists other classes than {LABELS}"):
        read(folder)
