"""A model must load where nobody has heard of the code that made it."""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit  # type: ignore[import-untyped]  # scipy has no types
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests import tiny
from train.errors import NotPublishable
from train.isolation import load_elsewhere
from train.recipes import Recipe


def named(*packages: str) -> tuple[str, ...]:
    """The packages with the versions that are installed here."""
    return tuple(f"{package}=={version(package)}" for package in packages)


@pytest.mark.parametrize(
    ("model", "packages"),
    [
        ({"plain": 1}, ["joblib"]),
        (np.arange(3), ["joblib", "numpy"]),
        (LogisticRegression(), ["joblib", "scikit-learn"]),
        (LogisticRegression().fit([[0], [1]], [0, 1]), ["joblib", "numpy", "scikit-learn"]),
        (make_pipeline(FunctionTransformer(expit)), ["joblib", "scikit-learn", "scipy"]),
        (tiny.X, ["joblib", "numpy", "pandas", "pyarrow"]),
    ],
    ids=["dict", "array", "unfitted", "fitted", "scipy", "frame"],
)
def test_what_a_model_is_made_of_is_required(model: object, packages: list[str]) -> None:
    """Exactly the packages whose classes are inside are listed, with their versions; joblib reads the file itself."""
    assert load_elsewhere(tiny.pickle(model)) == named(*packages)


def test_a_model_that_does_not_load_in_time_is_refused() -> None:
    """A model that hangs is refused after the time that is given to it."""
    with pytest.raises(NotPublishable, match=r"cannot load the model within 0\.2 s"):
        load_elsewhere(b"ctime\nsleep\n(I60\ntR.", timeout_s=0.2)


@pytest.mark.parametrize(
    ("pickled", "reason"),
    [
        (b"no pickle", ""),
        (b"c__main__\nEstimator\n.", "AttributeError"),
        (b"cnowhere.at_all\nEstimator\n.", "No module named 'nowhere'"),
        (tiny.pickle(Recipe), "a server never imports train"),
        (b"cposix\n_exit\n(I3\ntR.", ""),
    ],
    ids=["no pickle", "script", "not installed", "train", "dies"],
)
def test_what_does_not_travel_is_refused(pickled: bytes, reason: str) -> None:
    """A class of a script, of train or of nowhere is refused, with the reason and what to do."""
    with pytest.raises(NotPublishable, match=f"{reason}.*move them to a package that the server installs"):
        load_elsewhere(pickled)


def test_a_package_may_print_when_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a module says on stdout is not taken for the answer; of no package, it is named by itself."""
    (tmp_path / "chatty.py").write_text('print("hello")\nclass Estimator: ...\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    assert load_elsewhere(b"cchatty\nEstimator\n.") == (*named("joblib"), "chatty")
    assert "chatty" not in sys.modules
