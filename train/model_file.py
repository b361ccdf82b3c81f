"""Load a fitted estimator from a file that joblib or pickle wrote."""

import warnings
from pathlib import Path
from typing import Any

import joblib
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from train.admission import task_of
from train.errors import ModelNotLoaded

LOAD_WARNING = (
    "loading a model runs code from its file with your permissions on this machine: load {path} only if you trust its "
    "author"
)


def load(path: Path) -> Any:
    """
    Load a fitted estimator; this runs code from the file.

    Raises:
        ModelNotLoaded: It is not such a file, or its estimator was fitted by another version of scikit-learn.
        NotPublishable: It does not contain a fitted classifier or regressor.
    """
    require_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            estimator = joblib.load(path)
    except InconsistentVersionWarning as error:
        raise ModelNotLoaded(
            f"{path.name} was fitted by scikit-learn {error.original_sklearn_version}, and the installed version is "
            f"{error.current_sklearn_version}: fit it again with this one, or install that one, here and where the "
            "server runs"
        ) from error
    except ModuleNotFoundError as error:
        raise ModelNotLoaded(
            f"{path.name} needs the module {error.name!r}: install its package, here and where the server runs; if it "
            f"is your own file: --code {error.name}.py"
        ) from error
    except AttributeError as error:
        if "__main__'" not in str(error):
            raise _unloadable(path, error) from error
        raise ModelNotLoaded(
            f"{path.name} uses code from the notebook or script that fitted it ({error}): move it to a file, "
            "import it from there, fit again, and name the file: --code features.py"
        ) from error
    except Exception as error:
        # Unpickling runs code from the file, which may raise anything.
        raise _unloadable(path, error) from error
    task_of(estimator)
    return estimator


def _unloadable(path: Path, error: Exception) -> ModelNotLoaded:
    return ModelNotLoaded(
        f"{path.name} cannot be loaded ({type(error).__name__}: {error}): it was not written by joblib or "
        f"pickle, or by other versions than those installed here, such as scikit-learn {sklearn.__version__}"
    )


def require_file(path: Path) -> None:
    """
    Check that the file exists.

    Raises:
        ModelNotLoaded: It does not.
    """
    if not path.is_file():
        raise ModelNotLoaded(f"there is no file {path}")
