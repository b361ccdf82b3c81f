"""
scikit-learn's compiled trees, and nothing else of it.

Its packages import pandas, Arrow and scipy.stats when they are imported: more than a second and 100 MiB for what no
tree needs to answer. The compiled modules are therefore imported beneath packages that are only their folders.
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
    A compiled module of scikit-learn, or one that only wraps it.

    Where scikit-learn has been imported, that is used; it can be imported later as ever, and finds this module there.
    """
    if "sklearn" in sys.modules:
        return import_module(name)
    try:
        with _only_folders():
            return import_module(name)
    except (ImportError, AttributeError):
        # Another scikit-learn may be put together otherwise.
        return import_module(name)


@contextmanager
def _only_folders() -> Iterator[None]:
    """Put empty packages in the place of scikit-learn's, and take them away again."""
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
        """What a compiled module takes from the package at import, and calls for other things than an answer."""
        if attribute.startswith("__") or list(path.glob(f"{attribute}.*")) or (path / attribute).is_dir():
            raise AttributeError(attribute)

        def call(*args: Any, **more: Any) -> Any:
            return getattr(import_module(name), attribute)(*args, **more)

        return call

    package.__dict__["__getattr__"] = later
    return package
