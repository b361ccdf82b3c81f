"""What `publish` accepts and refuses, and that the version predicts as the estimator did."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from artifacts import Bundle, Store
from artifacts.manifest import Manifest
from tests.support.server import unmeasured
from train import publish
from train.examples import EXAMPLES
from train.rows import as_rows

CHANCE = np.random.default_rng(0)
X = pd.DataFrame({"length": CHANCE.normal(size=40), "width": CHANCE.normal(size=40)})
Y = (X["length"] > 0).astype(int)
WEIGHT = 3 * X["length"] + 9
FITTED = LogisticRegression().fit(X, Y)
HOLED = X.mask(CHANCE.random(X.shape) < 0.2)
COLOUR = CHANCE.choice(["red", "green"], 40)
LINES = pd.Series([f"leaf {place} of a {colour} one" for place, colour in enumerate(COLOUR)], name="line")
SERIAL = np.arange(2**63 - 40, 2**63, dtype="uint64").astype("int64")
GRADES = X.assign(
    grade=pd.Categorical(CHANCE.choice([3, 1, 2], 40), categories=[3, 1, 2, 7], ordered=True),
    colour=pd.Series(COLOUR, dtype="category").mask(X["width"] > 1),
    alive=(X["length"] > 0).astype("boolean").mask(X["width"] > 0),
    count=pd.Series(CHANCE.integers(0, 9, 40), dtype="Int64").where(X["width"] > 0),
)
TREES = ["alder", "birch", "cedar", "dogwood", "elder", "filbert", "gorse", "hazel", "juniper", "kauri"]
ENCODED, WORDS = OneHotEncoder(handle_unknown="ignore"), TfidfVectorizer()
RECKONED = make_pipeline(
    ColumnTransformer([("texts", ENCODED, ["name", "ward"]), ("letter", WORDS, "letter")], remainder=SimpleImputer()),
    LinearRegression(),
)
NOTES = X.assign(colour=COLOUR, other=pd.Series(COLOUR, dtype=object), note=LINES)
NOTED = make_pipeline(
    ColumnTransformer(
        [("texts", OneHotEncoder(), ["colour", "other"]), ("note", TfidfVectorizer(), "note")],
        remainder=SimpleImputer(),
    ),
    LogisticRegression(),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path)


def assert_same(bundle: Bundle, estimator: Any, X: Any) -> None:
    """Rows that come as values, as a server gets them, are answered as the estimator answers X."""
    signature = bundle.manifest.signature
    batch = signature.check(as_rows(X).values())
    answer, output = bundle.predict(batch.data), estimator.predict(X).ravel().tolist()
    assert batch.faults == ()
    if bundle.labels is None:
        assert answer.labels.tolist() == pytest.approx(output, rel=1e-9, abs=1e-9)
        return
    assert list(map(repr, answer.labels)) == list(map(repr, output))
    assert bundle.has_probabilities == hasattr(estimator, "predict_proba")
    if bundle.has_probabilities:
        assert answer.probabilities == pytest.approx(estimator.predict_proba(X), rel=0, abs=1e-9)


@pytest.mark.parametrize(
    ("estimator", "X", "y", "dtypes"),
    [
        (LogisticRegression(), X.to_numpy().tolist(), Y.astype(bool).tolist(), ["float64", "float64"]),
        (DecisionTreeClassifier(random_state=0), X.assign(serial=SERIAL), -Y, ["float64", "float64", "int64"]),
        (
            HistGradientBoostingClassifier(max_iter=3),
            GRADES,
            np.where(Y, "long", "short"),
            ["float64", "float64", "category", "category", "boolean", "Int64"],
        ),
        (NOTED, NOTES, Y.map({0: "b", 1: "a"}).astype("category"), ["float64", "float64", "str", "object", "str"]),
        (make_pipeline(TfidfVectorizer(), LogisticRegression()), LINES, Y.astype("int8"), ["str"]),
        (make_pipeline(OneHotEncoder(), LinearSVC()), np.array([["a", "x"], ["b", "y"]] * 20), Y, ["U", "U"]),
        (TunedThresholdClassifierCV(LogisticRegression(), cv=2), X.to_numpy(), Y, ["float64", "float64"]),
        (
            GridSearchCV(TransformedTargetRegressor(make_pipeline(StandardScaler(), LinearRegression())), {}, cv=2),
            X,
            WEIGHT,
            ["float64", "float64"],
        ),
        (RandomForestRegressor(3), X.to_numpy(dtype="float32"), 1e12 * WEIGHT, ["float32", "float32"]),
        (
            LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1),
            GRADES.drop(columns=["alive", "count"]).rename(columns={"length": "leaf length (cm)"}),
            Y,
            ["float64", "float64", "category", "category"],
        ),
        (XGBClassifier(n_estimators=3), HOLED, Y, ["float64", "float64"]),
    ],
    ids=str.split("lists integers categories texts tfidf U threshold search float32 lightgbm xgboost"),
)
@pytest.mark.filterwarnings("ignore:Found whitespace in feature_names")
def test_a_published_model_predicts_as_the_estimator_did(
    store: Store, estimator: Any, X: Any, y: Any, dtypes: list[str]
) -> None:
    """Every kind of table and target is published and loaded, and predicts the estimator's values and types."""
    estimator.fit(X, y)

    manifest = publish(estimator, X, y, name="model", store=store)

    assert_same(store.load("model", 1), estimator, X)
    assert [column.dtype for column in manifest.signature.columns] == dtypes
    assert store.manifest("model", 1) == manifest
    assert list(map(repr, manifest.classes)) == list(map(repr, getattr(estimator, "classes_", np.array([])).tolist()))


@pytest.fixture(scope="module")
@unmeasured()
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """What is promised of a model whose columns have holes, with all that can be said of it."""
    store = Store(tmp_path_factory.mktemp("store"))
    estimator = make_pipeline(HistGradientBoostingClassifier(max_iter=3)).fit(HOLED.to_numpy(), Y)
    return publish(
        estimator,
        HOLED.to_numpy(),
        Y.rename("grown"),
        name="holed",
        columns=["length", "width"],
        labels=["no", "yes"],
        held_back=(HOLED.to_numpy()[:10], Y[:10]),
        scores={"f1": 0.5},
        csv_nulls=["NA"],
        unknown_names="ignore",
        deadline_s=60,
        cache=False,
        source="a herbarium",
        store=store,
    )


@pytest.mark.parametrize(
    ("held", "is_warned"),
    [(X, True), (X.set_index(X.index + 40), True), (X + 1, False), (X[:20], False)],
    ids=["the same object", "equal rows", "other rows", "fewer rows"],
)
def test_held_back_rows_that_are_training_rows_are_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], held: pd.DataFrame, is_warned: bool
) -> None:
    """The warning is in the output, the manifest and the card."""
    store = Store(tmp_path)

    manifest = publish(FITTED, X, Y, name="leaf", held_back=(held, Y[: len(held)]), compiled=False, store=store)

    card = (tmp_path / "leaf" / "1" / "card.html").read_text()
    assert manifest.publication is not None
    for text in (*manifest.publication.warnings, *manifest.warnings):
        assert text.startswith("held_back has the rows of X: ")
    assert bool(manifest.warnings) == is_warned
    assert ("warning: held_back has the rows of X" in capsys.readouterr().out) == is_warned
    assert ("has the rows of X: its scores" in card) == is_warned


def test_columns_of_an_array_have_the_names_that_they_were_given(manifest: Manifest) -> None:
    """An array's columns are named by the publisher, and those with holes may be null."""
    assert manifest.signature.container == "array"
    assert manifest.signature.names == ["length", "width"]
    assert manifest.signature.csv_nulls == ("NA",)
    assert [column.nullable for column in manifest.signature.columns] == [True, True]
    assert manifest.reference["length"].nulls == int(HOLED["length"].isna().sum())


def test_how_a_server_handles_the_model_is_in_its_manifest(manifest: Manifest) -> None:
    """Unknown names, the deadline and the cache; without arguments they are as the server has them."""
    plain = Manifest.model_validate_json(manifest.model_dump_json(exclude={"deadline_s", "cache"}))

    assert (manifest.signature.unknown_names, manifest.deadline_s, manifest.cache) == ("ignore", 60, False)
    assert (plain.deadline_s, plain.cache) == (None, True)


def test_examples_show_every_class_and_nulls(manifest: Manifest) -> None:
    """Up to 32 rows represent all predictions; NaN becomes null."""
    examples = manifest.examples

    assert len(examples.instances) == len(examples.predictions) == EXAMPLES
    assert set(examples.predictions) == {"no", "yes"}
    assert any(None in row for row in examples.instances)


def test_what_a_model_is_made_of_is_promised(manifest: Manifest) -> None:
    """Requirements are the packages inside and no more; libraries are all that training had."""
    assert [line.split("==")[0] for line in manifest.requires] == ["joblib", "numpy", "scikit-learn"]
    assert manifest.libraries.keys() >= {"python", "scikit-learn", "numpy", "scipy", "pandas", "joblib"}
    assert manifest.estimator.startswith("Pipeline(steps=[('histgradientboostingclassifier',")


def test_the_manifest_describes_the_training(manifest: Manifest) -> None:
    """The numbers of training and held-back rows, their source, the target and the scores."""
    assert manifest.training is not None
    assert manifest.training.model_dump() == {
        "rows": 40,
        "held_back": 10,
        "source": "a herbarium",
        "target": "grown",
    }
    assert manifest.scores.keys() > {"f1", "accuracy"}


def test_labels_are_returned_instead_of_classes(store: Store) -> None:
    """A version that is not promoted leaves the champion unchanged."""
    publish(FITTED, X, name="model", labels={1: "long", 0: "short"}, promote=False, store=store)

    output = store.load("model", 1).predict(X.to_numpy()).labels.tolist()
    assert output == np.where(FITTED.predict(X), "long", "short").tolist()
    assert store.aliases("model") == {}


def test_the_store_of_the_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SEPAL_ARTIFACTS names the store; a model that was fitted on X.to_numpy() has the column names of X."""
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(tmp_path / "named"))
    estimator = LogisticRegression().fit(X.to_numpy(), Y)

    published = publish(estimator, X, name="model")

    assert_same(Store(tmp_path / "named").load("model", 1), estimator, X.to_numpy())
    assert (published.signature.container, published.signature.names) == ("array", ["length", "width"])


def test_no_training_row_is_shown_without_examples(store: Store) -> None:
    """The manifest has no training values except ranges and categories."""
    patients = pd.DataFrame(
        {
            "weight": [61.23457, 72.34568, 83.45679, 94.56781, 55.67892, 66.78913, 77.89124, 88.91235, 99.12346, 51.1],
            "number": pd.array([*range(74_100_003, 74_900_003, 100_000), None, 70_000_000], dtype="Int64"),
            "letter": [f"dear doctor {word}" for word in TREES],
            "name": pd.Series([f"{word.title()} {word[::-1]}" for word in TREES], dtype=object),
            "ward": ["north", "south"] * 5,
        }
    )

    publish(RECKONED.fit(patients, range(10)), patients, name="model", examples=False, store=store)

    text = (store.root / "model" / "1" / "manifest.json").read_text()
    cells = {str(cell) for name in ("weight", "number", "letter", "name") for cell in patients[name].dropna()}
    words = {part for word in TREES for part in (word, word.title(), word[::-1])}
    assert {cell for cell in cells | words if cell in text} == {"51.1", "99.12346", "70000000", "74800003"}
    assert '"north"' in text
