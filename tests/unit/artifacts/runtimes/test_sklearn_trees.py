"""Compiled modules of scikit-learn are imported without its packages, where that is possible."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts.runtimes.sklearn_trees import compiled

# A scikit-learn of a few lines: each package leaves a trace if it is imported.
FILES = {
    "__init__.py": "__version__ = '0'\nimport sklearn.utils\n",
    "utils/__init__.py": "import sklearn\nsklearn.has_utils = True\ndef double(number):\n    return 2 * number\n",
    "utils/_typedefs.py": "SIZE = 8\n",
    "tree/__init__.py": "",
    "tree/_tree.py": "from sklearn.utils import double\nfrom sklearn.utils._typedefs import SIZE\n",
    "tree/_versioned.py": "from sklearn import __version__\n",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a small scikit-learn, which is found in place of the installed one and is not imported yet."""
    for path, text in FILES.items():
        file = tmp_path / "sklearn" / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    for name in imported():
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    compiled.cache_clear()
    yield tmp_path
    for name in imported():
        del sys.modules[name]
    compiled.cache_clear()
    importlib.invalidate_caches()


def imported() -> list[str]:
    """Return the imported modules of scikit-learn."""
    return sorted(name for name in sys.modules if name.partition(".")[0] == "sklearn")


def test_the_packages_are_not_imported(root: Path) -> None:
    """Only compiled modules are imported, and no empty package is left for others."""
    module = compiled("sklearn.tree._tree")

    assert module.SIZE == 8
    assert imported() == ["sklearn.tree._tree", "sklearn.utils._typedefs"]
    assert compiled("sklearn.tree._tree") is module


def test_a_function_of_a_package_imports_the_package_when_it_is_called(root: Path) -> None:
    """What a compiled module needs for anything but a prediction is available later."""
    module = compiled("sklearn.tree._tree")

    assert module.double(4) == 8
    assert "sklearn.utils" in imported()


def test_an_imported_package_is_used(root: Path) -> None:
    """If scikit-learn has been imported, its own module is returned."""
    own = importlib.import_module("sklearn.tree._tree")

    assert compiled("sklearn.tree._tree") is own
    assert own.double is sys.modules["sklearn.utils"].double


def test_a_package_can_be_imported_after_its_compiled_module(root: Path) -> None:
    """It uses the module that was imported without it."""
    module = compiled("sklearn.tree._tree")

    assert importlib.import_module("sklearn").has_utils
    assert importlib.import_module("sklearn.tree._tree") is module


def test_a_module_that_needs_its_package_is_imported_with_it(root: Path) -> None:
    """Another release of scikit-learn may have modules that do not work with empty packages."""
    assert compiled("sklearn.tree._versioned").__version__ == "0"
    assert "sklearn.utils" in imported()


def test_an_uninstalled_package_is_an_import_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without scikit-learn there is nothing to import from."""
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(ModuleNotFoundError, match="No module named 'sklearn'"):
        compiled("sklearn.tree._tree")
