"""Following the imports of the publisher's own modules."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from artifacts import own_code
from tests.support.own_modules import importable, write
from train.errors import NotPublishable
from train.import_search import ImportSearch, installed_owners


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is on the path; what is imported from it is forgotten."""
    with importable(tmp_path, monkeypatch) as found:
        yield found


def test_a_needed_module_is_added_with_its_imports(folder: Path) -> None:
    """Own modules are followed; the standard library and installed packages are not, and the latter are listed."""
    write(folder, {"u2a.py": "import json, numpy, u2b, u2_missing\n", "u2b/__init__.py": "", "u2b/unused.py": ""})
    search = ImportSearch()

    search.add_needed("u2a")

    assert sorted(search.sources) == ["u2a.py", "u2b/__init__.py"]
    assert search.installed == {"numpy"}


def test_an_installed_module_is_not_added() -> None:
    """A module of an installed package or of this project has no source to publish."""
    search = ImportSearch()

    for module in ("sklearn.svm", "train.publishing", "json"):
        search.add_needed(module)

    assert search.sources == {}
    assert search.installed == {"sklearn"}


def test_a_module_that_is_imported_twice_is_added_once(folder: Path) -> None:
    """Modules that import each other end the search."""
    write(folder, {"u2c.py": "import u2d", "u2d.py": "import u2c"})
    search = ImportSearch()

    search.add_needed("u2c")

    assert search.sources == {"u2c.py": b"import u2d", "u2d.py": b"import u2c"}


def test_a_module_without_a_file_is_refused(folder: Path) -> None:
    """The message names the module and what to do."""
    write(folder, {"u2e/__init__.py": ""})
    import_module("u2e")

    with pytest.raises(NotPublishable, match=r"the module 'u2e.fast'.* has no Python file: install its package"):
        ImportSearch().add_needed("u2e.fast")


def test_a_path_is_added_under_the_name_of_its_import(folder: Path) -> None:
    """Files of a package have its name before theirs, and import modules next to them."""
    write(folder, {"far/u2f/__init__.py": "import u2g", "far/u2f/deep.py": "", "far/u2g.py": ""})
    search = ImportSearch()

    search.add_path(folder / "far" / "u2f")

    assert sorted(search.sources) == ["u2f/__init__.py", "u2f/deep.py", "u2g.py"]


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["serve.py"], "serve.py has the name of a package of this project, serve: rename it"),
        (["a/u2h.py", "b/u2h.py"], "another module 'u2h' is already included, from the folder"),
        (["u2large.py"], r"exceeds 8 MiB, with .*u2large.py: name only the modules that the model needs"),
    ],
    ids=["own name", "twice", "large"],
)
def test_files_that_cannot_be_published_are_refused(folder: Path, paths: list[str], reason: str) -> None:
    """A name of this project, a name that is taken and too much code are refused."""
    write(folder, {"serve.py": "", "a/u2h.py": "", "b/u2h.py": "", "u2large.py": "#" * own_code.LARGEST + "\n"})
    search = ImportSearch()

    for path in paths[:-1]:
        search.add_path(folder / path)

    with pytest.raises(NotPublishable, match=reason):
        search.add_path(folder / paths[-1])


def test_installed_owners_are_read_again_after_an_installation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that was installed since the last search is known."""
    assert "u2new" not in installed_owners()
    packages = folder / "site-packages"
    about = packages / "u2new-1.0.dist-info"
    write(packages, {f"{about.name}/METADATA": "Metadata-Version: 2.1\nName: u2new\nVersion: 1.0\n"})
    write(packages, {f"{about.name}/top_level.txt": "u2new\n", f"{about.name}/RECORD": ""})

    monkeypatch.syspath_prepend(packages)

    assert installed_owners()["u2new"] == ["u2new"]
