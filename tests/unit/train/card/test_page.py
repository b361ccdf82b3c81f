"""The model card: complete, one file, and safe whatever a model and its columns are called."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from artifacts import Store
from artifacts.manifest import Training
from artifacts.version_folder import CARD
from tests.support.browser import open_page
from tests.support.cards import Carded, Page, numbers
from train import publish

HOSTILE = '<script>alert("1")</script>'
X = pd.DataFrame(numbers(90), columns=["length", "width", "height"])
Y = np.repeat([0, 1, 2], 30)
X.loc[:, "length"] += Y
FIT, HELD = slice(0, None, 2), slice(1, None, 2)
BACK = (X[HELD], Y[HELD])


def classifier(**more: Any) -> Carded:
    """Three classes from three columns."""
    return Carded(LogisticRegression().fit(X[FIT], Y[FIT]), X[FIT], Y[FIT], **{"held_back": BACK, **more})


def long_names() -> Carded:
    """Columns and classes that no line can hold."""
    frame = X.set_axis(["a_column_without_a_blank_" * 6, "b", "c"], axis=1)
    fitted = LogisticRegression().fit(frame[FIT], Y[FIT])
    labels = ["a_label_without_a_blank_" * 6, HOSTILE, "c"]
    return Carded(fitted, frame[FIT], Y[FIT], held_back=(frame[HELD], Y[HELD]), labels=labels)


@pytest.fixture(scope="module")
def page() -> Page:
    """The card of a classifier that has everything."""
    training = Training(rows=45, held_back=45, source="a garden in Kent", target="species")
    return classifier(labels=["short", "middling", "long"], promised={"training": training}).page()


def test_a_classifier_has_all_its_plots(page: Page) -> None:
    """Confusion, ROC, calibration and importance are drawn, each with an alternative text."""
    assert [alt.partition(".")[0].partition(":")[0] for alt in page.alts] == [
        "Confusion matrix",
        "ROC curves",
        "Calibration curve",
        "Importance of the columns",
    ]
    assert "short" in page.alts[1]
    assert "length" in page.alts[3]


@pytest.mark.parametrize(
    "said",
    [
        "tiny@3",
        "Classifier",
        "2026-05-04",
        "Predicts which of 3 classes species is: short, middling, long.",
        "float (float64)",
        "never null",
        "45 rows",
        "a garden in Kent",
        "The share of rows that are predicted correctly",
        "Always predicting the most frequent class would reach 0.333",
        "No column accepts a null",
        "A number outside the range that training saw is predicted like any other",
        "scikit-learn 1.9.1",
        "LogisticRegression()",
        "model.joblib",
        "http://127.0.0.1:8000/api/v1/models/tiny/predict",
        "?version=3",
    ],
)
def test_a_card_has_its_facts(page: Page, said: str) -> None:
    """The text has what a reader needs to know."""
    assert said in page.text


def test_a_card_is_self_contained(page: Page) -> None:
    """It has no script, form or frame; links stay within the page, images are embedded, and a policy enforces it."""
    tags = {tag for tag, _ in page.tags}
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in {"src", "href"}]

    assert not tags & {"script", "iframe", "object", "embed", "form", "base", "svg"}
    assert len(links) > 10
    assert all(str(link).startswith(("data:", "#")) for link in links)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert any("default-src 'none'" in str(attributes.get("content")) for tag, attributes in page.tags if tag == "meta")


def test_few_rows_of_a_class_are_reported() -> None:
    """The card names classes with few held-back rows."""
    few = np.flatnonzero((Y < 2) | (np.arange(90) > 86))

    assert "Fewer than 10 are of class 2." in classifier(held_back=(X.iloc[few], Y[few])).page().text


def test_a_regressor_has_its_own_plots() -> None:
    """Actual over predicted, residuals and importance; no classes, but the distribution of the target in training."""
    y = 3 * X["length"].to_numpy() + Y
    page = Carded(LinearRegression().fit(X[FIT], y[FIT]), X[FIT], y[FIT], held_back=(X[HELD], y[HELD])).page()

    assert [alt.partition(" ")[0] for alt in page.alts] == ["Actual", "Residuals", "Importance"]
    assert "Predicts kind, a number; training saw" in page.text
    assert "half of the rows are between" in page.text
    assert "r2" in page.text
    assert "confusion" not in page.text.lower()


def test_hostile_names_are_only_text() -> None:
    """Whatever columns, labels, categories, scores and estimators are called, no tag comes of it."""

    class Named(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
        def __repr__(self, N_CHAR_MAX: int = 700) -> str:
            return f"</pre>{HOSTILE}"

    frame = X.set_axis([HOSTILE, '"><img src=x onerror=alert(1)>', "</table>{{ 7 * 7 }}"], axis=1)
    training = Training(rows=45, source=HOSTILE, target=HOSTILE)
    page = Carded(
        Named().fit(frame[FIT], Y[FIT]),
        frame[FIT],
        Y[FIT],
        held_back=(frame[HELD], Y[HELD]),
        labels=[HOSTILE, "</svg><svg onload=alert(1)>", "$x_{$"],
        promised={"training": training, "scores": {HOSTILE: 1.0}},
    ).page()

    assert not {"script", "svg"} & {tag for tag, _ in page.tags}
    assert len(page.alts) == 4
    assert page.text.count(HOSTILE) >= 6
    assert "{{ 7 * 7 }}" in page.text


def test_without_held_back_rows_there_are_no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card says that no rows were held back, and matplotlib is not imported."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    page = classifier(held_back=None).page()

    assert page.alts == []
    assert "No rows were held back" in page.text
    assert "could not be drawn" not in page.text


def test_texts_and_nulls_are_described() -> None:
    """Categories with their counts, nulls, null cells of a CSV and unknown categories are described."""
    frame = pd.DataFrame({"colour": ["red", "blue", "blue", None] * 10, "many": [f"m{n % 12:02}" for n in range(40)]})
    estimator = make_pipeline(OneHotEncoder(handle_unknown="ignore"), DecisionTreeClassifier(random_state=0))
    subject = Carded(estimator.fit(frame, [0, 1, 1, 0] * 10), frame, [0, 1, 1, 0] * 10, unknown="pass")
    write, manifest = subject.writer()
    signature = manifest.signature.model_copy(update={"csv_nulls": ("NA",)})

    text = Page(write(manifest.model_copy(update={"signature": signature}))).text

    assert "blue 20, red 10" in text
    assert "and 4 others in 12 rows" in text
    assert "m11 3" in text
    assert "A null is accepted in colour" in text
    assert "In a CSV an empty cell is a null, and so is NA" in text
    assert "is left to the estimator, which was not fitted on it: colour, many" in text


def test_a_model_of_one_text_has_a_card() -> None:
    """A pipeline that begins with a vectorizer is described and evaluated; importance needs a second column."""
    texts = pd.Series([f"word{n % 4} and {'good' if n % 2 else 'bad'}" for n in range(40)], name="review")
    estimator = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, np.arange(40) % 2)
    back = (texts.tolist(), np.arange(40) % 2)

    page = Carded(estimator, texts, np.arange(40) % 2, held_back=back, promised={"scores": {}}).page()

    assert page.has_plot("Confusion matrix")
    assert "A text of any length is accepted" in page.text
    assert (
        "Importance of the columns could not be drawn: it needs at least two held-back rows and two columns"
        in page.text
    )


def test_a_thousand_columns_are_folded_and_bounded() -> None:
    """A wide table does not bury the rest of the card, nor make a large file."""
    X = pd.DataFrame(numbers(40, 1_200)).add_prefix("a_column_of_some_length_")
    y = np.arange(40) % 2
    page = Carded(DummyClassifier().fit(X, y), X, y, held_back=(X, y)).page()

    assert "988 other columns" in page.text
    assert "200 more columns are in manifest.json" in page.text
    assert page.size < 700_000


def test_a_hundred_classes_are_folded_and_bounded() -> None:
    """Of many classes the plots show those that matter most, and say so."""
    X, y = numbers(1_000), np.arange(1_000) % 100
    estimator = DecisionTreeClassifier(max_leaf_nodes=90, random_state=0).fit(X, y)
    page = Carded(estimator, X, y, held_back=(numbers(1_000, seed=1), y)).page()

    assert "88 other classes" in page.text
    assert "Shown are the 20 of 100 classes with the most mistakes." in page.text
    assert "Shown are the 6 of 100 classes with the least area." in page.text
    assert page.size < 400_000


def test_a_row_that_is_too_long_is_not_shown() -> None:
    """Examples of very long texts stay in the manifest."""
    texts = pd.Series(["good " * 10_000, "bad " * 10_000] * 2, name="review")
    estimator = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0])

    page = Carded(estimator, texts, [1, 0, 1, 0]).page()

    assert "A row is too long to be shown here" in page.text
    assert page.size < 100_000


def test_a_long_estimator_is_cut() -> None:
    """The repr of the estimator is shown up to a maximum length, without control characters."""
    page = classifier(held_back=None, promised={"estimator": "A\x1b[2J" + "(x=1)\n" * 100_000}).page()

    assert page.size < 100_000
    assert "A\\u001b[2J(x=1)" in page.text


def test_the_same_model_has_the_same_card() -> None:
    """Nothing in a card depends on the day or on chance."""
    write, manifest = classifier().writer()
    again, _ = classifier().writer()

    assert write(manifest) == again(manifest)


def test_publishing_writes_the_card_with_its_digest(tmp_path: Path) -> None:
    """A version contains its card, which has the version number and is verified like every file."""
    store = Store(tmp_path)
    fitted = LogisticRegression().fit(X[FIT], Y[FIT])

    publish(fitted, X[FIT], Y[FIT], name="flowers", store=store)
    manifest = publish(fitted, X[FIT], Y[FIT], name="flowers", held_back=BACK, source="a garden", store=store)

    content = (tmp_path / "flowers" / "2" / CARD).read_bytes()
    page = Page(content)
    assert manifest.files[CARD] == hashlib.sha256(content).hexdigest()
    assert "flowers@2" in page.text
    assert "a garden" in page.text
    assert page.has_plot("ROC curves")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_the_card_offline(tmp_path: Path, width: int) -> None:
    """On a phone and on a screen, without a network: no error, no request, no overflow, all images visible."""
    path = tmp_path / "card.html"
    path.write_bytes(long_names().write())
    said: list[str] = []

    async def look() -> None:
        async with open_page(viewport={"width": width, "height": 800}, offline=True) as page:
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
            await page.goto(path.as_uri())

            assert await page.evaluate("document.documentElement.scrollWidth") == width
            drawn = "[...document.images].map(image => image.complete && image.naturalWidth > 100)"
            assert await page.evaluate(drawn) == [True] * 4

    anyio.run(look)

    assert said == []
