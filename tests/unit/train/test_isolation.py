"""A model must load in a process without the code that trained it."""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import zscore  # type: ignore[import-untyped]  # scipy has no types
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.support import tiny_models
from train.errors import NotPublishable
from train.isolation import load_elsewhere
from train.own_code import OwnModules
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
        (make_pipeline(FunctionTransformer(zscore)), ["joblib", "scikit-learn", "scipy"]),
        (tiny_models.X, ["joblib", "numpy", "pandas", "pyarrow"]),
    ],
    ids=["dict", "array", "unfitted", "fitted", "scipy", "frame"],
)
def test_what_a_model_is_made_of_is_required(model: object, packages: list[str]) -> None:
    """Exactly the packages whose classes are inside are listed, with their versions; joblib reads the file itself."""
    assert load_elsewhere(tiny_models.pickle(model)) == named(*packages)


def test_a_model_that_does_not_load_in_time_is_refused() -> None:
    """A model that hangs is refused after the time that is given to it."""
    with pytest.raises(NotPublishable, match=r"cannot load the model within 0\.2 s"):
        load_elsewhere(b"ctime\nsleep\n(I60\ntR.", timeout_s=0.2)


@pytest.mark.parametrize(
    ("pickled", "reason"),
    [
        (b"no pickle", r"load the model \(.*move it to a file"),
        (b"c__main__\nEstimator\n.", "AttributeError.*move it to a file"),
        (b"cnowhere.at_all\nEstimator\n.", r"No module named 'nowhere'.*install it,.*code=\[\"nowhere.py\"\]"),
        (tiny_models.pickle(Recipe), "a server never imports train.*must not use what is in train"),
        (b"cposix\n_exit\n(I3\ntR.", "move it to a file"),
    ],
    ids=["no pickle", "script", "not installed", "train", "dies"],
)
def test_code_that_cannot_be_published_is_refused(pickled: bytes, reason: str) -> None:
    """A class of a script, of train or of a missing module is refused, with the reason and advice."""
    with pytest.raises(NotPublishable, match=f"a fresh process cannot .*{reason}"):
        load_elsewhere(pickled)


def test_own_code_may_print_when_it_is_imported() -> None:
    """Output of a module is not mistaken for the reply, and the module is not listed as a requirement."""
    own = OwnModules({"chatty.py": b'print("hello")\nclass Estimator:\n    predict = len\n'})

    assert load_elsewhere(b"cchatty\nEstimator\n.", own, rows=()) == named("joblib")
    assert "chatty" not in sys.modules


def test_a_module_is_not_found_where_it_happens_to_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the working directory nor PYTHONPATH is searched: a server has neither."""
    (tmp_path / "nearby.py").write_text("class Estimator: ...\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(NotPublishable, match="No module named 'nearby'"):
        load_elsewhere(b"cnearby\nEstimator\n.")


def test_a_module_that_is_missing_in_a_prediction_is_named() -> None:
    """A function may import when it is called: with own code, the fresh process also predicts."""
    own = OwnModules({"lazy.py": b"class Estimator:\n    def predict(self, X):\n        import helpers_of_mine\n"})

    with pytest.raises(NotPublishable, match=r"cannot predict .*'helpers_of_mine', lazy.py line 3.*helpers_of_mine.py"):
        load_elsewhere(b"clazy\nEstimator\n)R.", own, rows=[[1]])
