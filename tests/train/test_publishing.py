"""The one call: what it takes, what it refuses, and that what it writes answers as the estimator did."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy has no types
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from artifacts import Bundle, Store
from artifacts.errors import ArtifactSelfTest, NameInvalid
from artifacts.manifest import Manifest
from tests import tiny
from tests.server import ROOT, environment
from train import publish
from train.errors import NotPublishable
from train.publishing import EXAMPLES
from train.recipes import Recipe

CHANCE = np.random.default_rng(0)
X = pd.DataFrame({"length": CHANCE.normal(size=40), "width": CHANCE.normal(size=40)})
Y = (X["length"] > 0).astype(int)
FITTED = LogisticRegression().fit(X, Y)
HOLED = X.mask(CHANCE.random(X.shape) < 0.2)
COUNTS = pd.DataFrame({"count": (X["length"] * 10).astype("int64"), "small": (X["width"] * 9).astype("int8")})
LARGE = pd.DataFrame({"serial": np.arange(2**63 - 40, 2**63, dtype="uint64").astype("int64"), "width": X["width"]})

SCRIPT = """
from sklearn.linear_model import LogisticRegression
from train import publish
from train.errors import NotPublishable
class Own(LogisticRegression): ...
try:
    publish(Own().fit([[0], [1]], [0, 1]), [[0], [1]], [0, 1], name="own")
except NotPublishable as error:
    print(error)
"""


class Descending(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Lists its classes from the last to the first."""

    def fit(self, X: Any, y: Any) -> Any:
        super().fit(X, y)
        self.classes_: Any = np.unique(y)[::-1]
        return self


class Stubborn(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Does not want to be pickled."""

    def __getstate__(self) -> Any:
        raise RuntimeError("I stay here")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path)


def ask(bundle: Bundle, X: Any) -> list[Any]:
    """The labels of rows that come as values, as a server gets them: null instead of nan."""
    frame = pd.DataFrame(X)
    columns = [[None if pd.isna(value) else value for value in frame[name].tolist()] for name in frame]
    batch = bundle.manifest.signature.check(columns)
    assert batch.faults == ()
    labels: list[Any] = bundle.predict(batch.data).labels.tolist()
    return labels


@pytest.mark.parametrize(
    ("estimator", "X", "y", "dtypes"),
    [
        (LogisticRegression(), X, Y, ["float64", "float64"]),
        (LogisticRegression(), X.to_numpy(), Y.to_numpy(), ["float64", "float64"]),
        (LogisticRegression(), X.to_numpy().tolist(), Y.tolist(), ["float64", "float64"]),
        (LogisticRegression(), X, np.where(Y, "long", "short"), ["float64", "float64"]),
        (LogisticRegression(), X, Y.map({0: "short", 1: "long"}).astype("category"), ["float64", "float64"]),
        (LogisticRegression(), X, Y.astype(bool), ["float64", "float64"]),
        (DecisionTreeClassifier(random_state=0), COUNTS, Y, ["int64", "int8"]),
        (DecisionTreeClassifier(random_state=0), LARGE, Y, ["int64", "float64"]),
        (LogisticRegression(), X.astype("float32"), Y, ["float32", "float32"]),
        (HistGradientBoostingClassifier(max_iter=3), HOLED, Y, ["float64", "float64"]),
        (LinearSVC(), X, Y, ["float64", "float64"]),
        (GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {}, cv=2), X, Y, ["float64", "float64"]),
    ],
    ids=[
        "frame",
        "array",
        "lists",
        "texts",
        "categories",
        "booleans",
        "integers",
        "large integers",
        "float32",
        "holes",
        "no probabilities",
        "search",
    ],
)
def test_a_published_model_answers_as_the_estimator_did(
    store: Store, estimator: Any, X: Any, y: Any, dtypes: list[str]
) -> None:
    """Every kind of table and class is published, loaded, and gives each row the estimator's own class, type kept."""
    expected = estimator.fit(X, y).predict(X).tolist()

    manifest = publish(estimator, X, y, name="model", store=store)

    assert list(map(repr, ask(store.load("model", 1), X))) == list(map(repr, expected))
    assert [column.dtype for column in manifest.signature.columns] == dtypes
    assert list(map(repr, manifest.classes)) == list(map(repr, estimator.classes_.tolist()))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """What is promised of a model whose columns have holes."""
    store = Store(tmp_path_factory.mktemp("store"))
    estimator = make_pipeline(HistGradientBoostingClassifier(max_iter=3)).fit(HOLED.to_numpy(), Y)
    return publish(estimator, HOLED.to_numpy(), Y, name="holed", labels=["no", "yes"], scores={"f1": 0.5}, store=store)


def test_columns_of_an_array_are_numbered(manifest: Manifest) -> None:
    """An array's columns are x0, x1, ..., and those with holes may be null."""
    assert manifest.signature.container == "array"
    assert manifest.signature.names == ["x0", "x1"]
    assert [column.nullable for column in manifest.signature.columns] == [True, True]
    assert manifest.reference["x0"].nulls == int(HOLED["length"].isna().sum())


def test_examples_show_every_class_and_holes(manifest: Manifest) -> None:
    """Up to 32 rows stand for all that the model answers; a hole is null, for JSON has no nan."""
    examples = manifest.examples

    assert len(examples.instances) == len(examples.predictions) == EXAMPLES
    assert set(examples.predictions) == {"no", "yes"}
    assert any(None in row for row in examples.instances)


def test_what_a_model_is_made_of_is_promised(manifest: Manifest) -> None:
    """Requirements are the packages inside and no more; libraries are all that training had."""
    assert [line.split("==")[0] for line in manifest.requires] == ["joblib", "numpy", "scikit-learn"]
    assert manifest.libraries.keys() == {"python", "scikit-learn", "numpy", "scipy", "pandas", "joblib"}
    assert manifest.scores == {"f1": 0.5}
    assert manifest.estimator.startswith("Pipeline(steps=[('histgradientboostingclassifier',")


@pytest.mark.parametrize("labels", [["short", "long"], {1: "long", 0: "short"}], ids=["list", "mapping"])
def test_labels_are_told_instead_of_classes(store: Store, labels: Any) -> None:
    """Callers hear a class's label, given in the order of the classes or by class."""
    publish(FITTED, X, Y, name="model", labels=labels, store=store)

    assert ask(store.load("model", 1), X) == np.where(FITTED.predict(X), "long", "short").tolist()


def test_without_promotion_the_champion_stays(store: Store) -> None:
    """A version may be published for later."""
    assert publish(FITTED, X, Y, name="model", promote=False, store=store).version == 1

    assert store.aliases("model") == {}


def test_the_store_of_the_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a store, SEPAL_ARTIFACTS says where to."""
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(tmp_path / "named"))

    publish(FITTED, X, Y, name="model")

    assert Store(tmp_path / "named").resolve("model") == 1


@pytest.mark.parametrize(
    ("estimator", "advice"),
    [
        (LinearRegression().fit(X, Y), "LinearRegression is not a classifier"),
        (KMeans(2, n_init=1).fit(X), "KMeans is not a classifier"),
        (StandardScaler().fit(X), "StandardScaler is not a classifier"),
        (LogisticRegression, "type is not a classifier"),
        ("model.joblib", "str is not a classifier"),
        (None, "NoneType is not a classifier"),
        (LogisticRegression(), "LogisticRegression is not fitted: call fit first"),
        (Pipeline([("model", LogisticRegression())]), "Pipeline is not fitted: call fit first"),
        (
            RandomForestClassifier(2).fit(X, np.c_[Y, Y]),
            "RandomForestClassifier has several outputs: publish one model",
        ),
        (GridSearchCV(LogisticRegression(), {}, cv=2, refit=False).fit(X, Y), "GridSearchCV does not tell .* refit"),
        (make_pipeline("passthrough", LogisticRegression()).fit(X, Y), "Pipeline does not tell .* 'passthrough'"),
        (Descending().fit(X, Y), "Descending has classes that do not ascend"),
        (LogisticRegression().fit(X, Y.astype(float)), "texts, integers or booleans: convert y before fitting"),
        (Stubborn().fit(X, Y), r"cannot be pickled \(I stay here\)"),
        (make_pipeline(FunctionTransformer(lambda X: X), LogisticRegression()).fit(X, Y), "pickled .*: lambdas"),
    ],
    ids=lambda case: case.split()[0] if isinstance(case, str) else type(case).__name__,
)
def test_an_estimator_that_cannot_be_served_is_refused(store: Store, estimator: Any, advice: str) -> None:
    """What is no fitted classifier of one output, or does not travel, is refused by name, with what to do."""
    with pytest.raises(NotPublishable, match=advice):
        publish(estimator, X, Y, name="model", store=store)

    assert store.models() == []


@pytest.mark.parametrize(
    ("X", "advice"),
    [
        (X[["width", "length"]], "not those that the estimator was fitted on, in their order"),
        (X[["length"]], "not those that the estimator was fitted on"),
        (X.rename(columns={"width": "depth"}), "not those that the estimator was fitted on"),
        (X.to_numpy(), "not those that the estimator was fitted on"),
        (X.set_axis(["length", "length"], axis=1), "each of them once: rename the columns"),
        (X.set_axis([0, 1], axis=1), "column names must be texts"),
        (X.astype({"width": str}), "column 'width' has dtype str.*: encode it"),
        (X.astype({"width": "category"}), "column 'width' has dtype category"),
        (X.astype({"width": bool}), "column 'width' has dtype bool"),
        (X.replace({"width": {X["width"][0]: np.inf}}), "column 'width' holds an infinity"),
        (X.iloc[:0], "X has no row: pass the rows"),
        (X["length"], "X is not a table"),
        (csr_matrix(X), "X is not a table: pass a DataFrame, or a dense array"),
        (np.zeros((2, 2, 2)), "X is not a table"),
        (X.iloc[:39], "X has 39 rows and y has 40"),
    ],
    ids=str.split(
        "order fewer renamed array twice numbers texts category booleans infinity empty series sparse 3d short"
    ),
)
def test_a_table_that_cannot_be_served_is_refused(store: Store, X: Any, advice: str) -> None:
    """A table that is not the one of fitting, or holds what callers cannot send, is refused with what to do."""
    with pytest.raises(NotPublishable, match=advice):
        publish(FITTED, X, Y, name="model", store=store)

    assert store.models() == []


def test_an_array_of_another_width_is_refused(store: Store) -> None:
    """Without names, the number of columns must be that of fitting."""
    unnamed = LogisticRegression().fit(X.to_numpy(), Y)

    with pytest.raises(NotPublishable, match="X has 1 columns and the estimator was fitted on 2"):
        publish(unnamed, X[["length"]], Y, name="model", store=store)


@pytest.mark.parametrize(
    ("y", "advice"),
    [
        (Y[:-1], "X has 40 rows and y has 39"),
        (1, "X has 40 rows and y has 1"),
        (Y.replace(1, 2), "y holds 2, which is no class of the estimator"),
        (Y.astype(str), "y holds '0', which is no class"),
        ([None, *Y[1:]], "y holds None, which is no class"),
        (Y.astype("Int64").mask(X.index == 0), "y holds (nan|<NA>), which is no class"),
        (["a", *Y[1:]], "y holds '0', which is no class"),
    ],
    ids=str.split("short one unknown texts none null mixed"),
)
def test_classes_that_are_not_the_estimators_are_refused(store: Store, y: Any, advice: str) -> None:
    """Each row has one class, and it is one that the estimator knows."""
    with pytest.raises(NotPublishable, match=advice):
        publish(FITTED, X, y, name="model", store=store)


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (["one"], "2 classes need as many different labels, and 1 were given"),
        (["same", "same"], "2 classes need as many different labels"),
        ({0: "same", 1: "same"}, "2 classes need as many different labels"),
        ({0: "no"}, r"labels must name exactly the classes \[0, 1\]"),
        ({"0": "no", "1": "yes"}, "labels must name exactly the classes"),
        ({0: "no", 1: "yes", 2: "maybe"}, "labels must name exactly the classes"),
        ([None, "yes"], "classes and labels must be texts, integers or booleans"),
    ],
    ids=str,
)
def test_labels_that_do_not_fit_the_classes_are_refused(store: Store, labels: Any, advice: str) -> None:
    """Each class has one label, and no two have the same."""
    with pytest.raises(NotPublishable, match=advice):
        publish(FITTED, X, Y, name="model", labels=labels, store=store)


def test_a_class_of_train_is_refused(store: Store) -> None:
    """A server never imports train, so nothing of it may be inside a model."""
    estimator = make_pipeline(FunctionTransformer(kw_args={}), LogisticRegression()).fit(X, Y)
    estimator.recipe = Recipe("model", load=Store, estimator=Store, thresholds={})  # type: ignore[arg-type]  # any object of train

    with pytest.raises(NotPublishable, match=r"a server never imports train.*move them to a package"):
        publish(estimator, X, Y, name="model", store=store)


def test_a_class_of_a_script_is_refused(tmp_path: Path) -> None:
    """A class that a script defines for itself is not there when a server loads the model."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    told = subprocess.run(
        [sys.executable, script],
        env={**environment(artifacts=tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (told.returncode, told.stderr) == (0, "")
    assert "move them to a package that the server installs" in told.stdout
    assert Store(tmp_path).models() == []


def test_a_model_that_contradicts_itself_is_not_published(store: Store) -> None:
    """An estimator that answers otherwise when it is asked again would not pass any server's self-test."""
    with pytest.raises(ArtifactSelfTest, match="differ by"):
        publish(tiny.Fickle().fit(X, Y), X, Y, name="model", store=store)

    assert store.models() == []


def test_a_bad_name_is_refused_first(store: Store) -> None:
    """Nothing is looked at before the name is one."""
    with pytest.raises(NameInvalid):
        publish(None, X, Y, name="../model", store=store)


@pytest.mark.parametrize(
    "promised", [{"tolerance": float("inf")}, {"tolerance": -1.0}, {"scores": {"auc": float("nan")}}], ids=str
)
def test_numbers_that_no_manifest_holds_are_refused(store: Store, promised: dict[str, Any]) -> None:
    """A tolerance or a score that is no finite number is named before anything is written."""
    with pytest.raises(NotPublishable, match=next(iter(promised))):
        publish(LogisticRegression().fit(X, Y), X, Y, name="model", store=store, **promised)

    assert store.models() == []
