"""
Import scikit-learn's compiled trees without its packages.

The packages import pandas, Arrow and scipy.stats: more than a second and 100 MiB that no tree needs to predict. The
compiled modules are therefore imported as members of empty packages that only have the path of the real ones.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGES = (
    "sklearn",
    "sklearn.tree",
    "sklearn.utils",
    "sklearn.utils.validation",
    "sklearn.neighbors",
    "sklearn.ensemble",
    "sklearn.ensemble._hist_gradient_boosting",
)


@cache
def compiled(name: str) -> Any:
    """
    Import a compiled module of scikit-learn, or one that only wraps it.

    If scikit-learn has been imported, the module is its own. It can also be imported later, and uses this module.
    """
    if "sklearn" in sys.modules:
        return import_module(name)
    try:
        with _only_folders():
            return import_module(name)
    except (ImportError, AttributeError):
        # Another release of scikit-learn may have other modules.
        return import_module(name)


@contextmanager
def _only_folders() -> Iterator[None]:
    """Replace scikit-learn's packages by empty ones, and remove these afterwards."""
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ImportError("scikit-learn is not installed")
    root = Path(spec.origin).parent
    packages = {name: _folder(name, root.joinpath(*name.split(".")[1:])) for name in _PACKAGES}
    sys.modules.update(packages)
    try:
        yield
    finally:
        for name in packages:
            sys.modules.pop(name, None)


def _folder(name: str, path: Path) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = [str(path)]

    def later(attribute: str) -> Any:
        """Return what a compiled module imports from the package and calls for anything but a prediction."""
        if attribute.startswith("__") or list(path.glob(f"{attribute}.*")) or (path / attribute).is_dir():
            raise AttributeError(attribute)

        def call(*args: Any, **more: Any) -> Any:
            return getattr(import_module(name), attribute)(*args, **more)

        return call

    package.__dict__["__getattr__"] = later
    return package
