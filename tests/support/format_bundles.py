"""
Small bundles of the present format for tests/formats, for later code to read.

    python -m tests.support.format_bundles FOLDER

Run once for each new format, into the folder of its number; the result is never overwritten.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from artifacts import Manifest, Promise, Store
from artifacts.manifest import Label
from artifacts.version_folder import LABELS, MODEL, PROGRAMS, Content
from train import publish

ROWS = 48
LEAVES = ["smooth and green", "smooth and red", "rough and green", "rough, red and old"]


def _table() -> pd.DataFrame:
    """Return a column of every kind, most of them with nulls, without random values."""
    place = np.arange(ROWS)
    return pd.DataFrame(
        {
            "height": pd.Series(place * 37 % 48 / 4).mask(place % 11 == 3),
            "rings": pd.Series(place * 5 % 48, dtype="Int64").mask(place % 7 == 2),
            "alive": pd.Series(place % 3 == 0, dtype="boolean").mask(place % 13 == 5),
            "site": pd.Series(["north", "south", "east"] * 16, dtype="str").mask(place % 9 == 4),
            "grade": pd.Categorical([["c", "a", "b"][row // 4 % 3] for row in place], categories=["c", "a", "b", "z"]),
            "note": pd.Series([f"{LEAVES[row % 4]}, seen on day {row}" for row in place], dtype="str"),
        }
    )


def _tree(store: Store) -> None:
    """Classes under labels, from a frame."""
    table = _table()
    columns = ColumnTransformer(
        [
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["site", "grade"]),
            ("note", CountVectorizer(max_features=12), "note"),
            ("numbers", SimpleImputer(), ["height", "rings", "alive"]),
        ]
    )
    y = (table["height"].fillna(6) > 5).astype(int) + (table["grade"] == "a")
    estimator = make_pipeline(columns, LogisticRegression(max_iter=10_000)).fit(table, y)
    labels = ["bush", "shrub", "tree"]
    publish(estimator, table, y, name="tree", labels=labels, unknown="pass", csv_nulls=["NA"], store=store)


def _price(store: Store) -> None:
    """Numbers, from an array of integers whose columns were named."""
    X = np.column_stack([np.arange(ROWS) * 7 % 48, np.arange(ROWS) % 5]).astype("int32")
    y = 1e6 * X[:, 0] + 250.5 * X[:, 1]
    publish(LinearRegression().fit(X, y), X, y, name="price", columns=["area", "floor"], store=store)


def _topic(store: Store) -> None:
    """Booleans, from a list of texts."""
    texts = _table()["note"].tolist()
    estimator = make_pipeline(CountVectorizer(max_features=12), LogisticRegression())
    estimator.fit(texts, ["smooth" in text for text in texts])
    publish(estimator, texts, name="topic", columns=["note"], store=store)


def keep(folder: Path) -> None:
    """Write all bundles, without their cards, which are large and not read by code."""
    with TemporaryDirectory() as scratch:
        whole, kept = Store(Path(scratch)), Store(folder)
        for make in (_tree, _price, _topic):
            make(whole)
        for name in whole.models():
            kept.publish(name, _content(whole.root / name / "1", whole.manifest(name, 1)), promote=True)
            (folder / name / ".lock").unlink()


def _content(version: Path, manifest: Manifest) -> Content:
    labels = version / LABELS
    lines = TypeAdapter(tuple[Label, ...]).validate_json(labels.read_bytes()) if labels.exists() else ()
    promise = Promise(**{field: getattr(manifest, field) for field in Promise.model_fields})
    programs = version / PROGRAMS
    return Content(
        promise, (version / MODEL).read_bytes(), lines, programs=programs.read_bytes() if programs.exists() else None
    )


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
