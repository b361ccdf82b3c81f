"""A file with a fitted model is loaded, or refused with the reason."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from train.errors import ModelNotLoaded, NotPublishable
from train.model_file import load

X = pd.DataFrame({"sepal length": np.arange(20.0), "width": np.arange(20.0) ** 2})
NAMED = LogisticRegression(max_iter=10_000).fit(X, ["short", "long"] * 10)


def file(folder: Path, content: bytes) -> Path:
    """A file with this in it."""
    path = folder / "model.joblib"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("dump", [joblib.dump, lambda model, path: path.write_bytes(pickle.dumps(model))])
def test_a_fitted_model_is_loaded(tmp_path: Path, dump: Callable[[Any, Path], object]) -> None:
    """Whether joblib or pickle wrote it."""
    dump(NAMED, tmp_path / "model")

    assert load(tmp_path / "model").predict(X).tolist() == NAMED.predict(X).tolist()


def test_another_scikit_learn_is_refused(tmp_path: Path) -> None:
    """The message names the version that fitted it and the one that is here."""
    here = sklearn.__version__
    path = file(tmp_path, pickle.dumps(NAMED).replace(here.encode(), b"0" * len(here)))

    with pytest.raises(ModelNotLoaded, match=f"scikit-learn {'0' * len(here)}, and the installed version is {here}"):
        load(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "model.joblib cannot be loaded .*EOFError"),
        (b"a,b\n1,2\n", "model.joblib cannot be loaded .* it was not written by joblib or pickle"),
        (pickle.dumps(NAMED)[:-20], "model.joblib cannot be loaded"),
        (b"cno_such_package.models\nModel\n.", "needs the module 'no_such_package': install its package"),
        (b"csklearn.linear_model\nNoSuchModel\n.", r"AttributeError.* other versions than those installed here"),
    ],
    ids=["empty", "a CSV", "cut", "unknown package", "unknown class"],
)
def test_a_file_without_a_model_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """Any error while it is loaded becomes a message."""
    with pytest.raises(ModelNotLoaded, match=reason):
        load(file(tmp_path, content))


def test_no_file_is_refused(tmp_path: Path) -> None:
    """The message names the path."""
    with pytest.raises(ModelNotLoaded, match=r"there is no file .*model\.joblib"):
        load(tmp_path / "model.joblib")


@pytest.mark.parametrize(
    ("thing", "reason"),
    [({"a": 1}, "dict is not a fitted"), (LogisticRegression(), "is not fitted"), (OneHotEncoder(), "a transformer")],
)
def test_an_object_that_is_not_a_fitted_model_is_refused(tmp_path: Path, thing: object, reason: str) -> None:
    """A file may contain any object."""
    with pytest.raises(NotPublishable, match=reason):
        load(file(tmp_path, pickle.dumps(thing)))
