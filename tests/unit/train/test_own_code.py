"""Which modules are published with a model, and the refusals."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from artifacts import Store, own_code
from tests.support import tiny_models
from tests.support.own_modules import importable, write
from tests.support.server import ROOT
from train import publish
from train.errors import NotPublishable
from train.own_code import collect, pickled


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a notebook: the working directory, and on the path; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    with importable(tmp_path, monkeypatch) as found:
        yield found


def function_of(module: str, name: str = "clean") -> Any:
    """A function of a module that lies there."""
    return getattr(importlib.import_module(module), name)


def fitted(function: Any) -> Any:
    """A pipeline that begins with the function."""
    return make_pipeline(FunctionTransformer(function), LogisticRegression()).fit(X, Y)


CLEAN = "def clean(X):\n    return X\n"
X, Y = np.array([[0.5], [1.0], [5.0], [6.0]]), [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("files", "named", "travels"),
    [
        ({"features.py": CLEAN, "other.py": ""}, "features", ["features.py"]),
        ({"features.py": f"import helpers\n{CLEAN}", "helpers.py": ""}, "features", ["features.py", "helpers.py"]),
        (
            {"features.py": "def clean(X):\n    from helpers import a\n", "helpers.py": "import more", "more.py": ""},
            "features",
            ["features.py", "helpers.py", "more.py"],
        ),
        (
            {"lib/__init__.py": "", "lib/clean.py": f"from . import a\n{CLEAN}", "lib/a.py": "", "lib/unused.py": ""},
            "lib.clean",
            ["lib/__init__.py", "lib/a.py", "lib/clean.py"],
        ),
        (
            {"lib/sub/clean.py": f"from ..a import b\nimport lib.c\n{CLEAN}", "lib/a.py": "b = 1", "lib/c.py": ""},
            "lib.sub.clean",
            ["lib/a.py", "lib/c.py", "lib/sub/clean.py"],
        ),
        ({"features.py": f"import json, sklearn.svm, pandas as pd\n{CLEAN}"}, "features", ["features.py"]),
        ({"bandit.py": CLEAN}, "bandit", ["bandit.py"]),
    ],
    ids=["one", "helper", "lazy", "package", "folder", "installed", "name of an installed one"],
)
def test_the_publishers_own_modules_are_collected(folder: Path, files: Any, named: str, travels: list[str]) -> None:
    """The module of a pickled function is collected with the own modules that it imports, and no others."""
    write(folder, files)

    _, modules = pickled(FunctionTransformer(function_of(named)))

    assert sorted(collect(modules).sources) == travels


def test_installed_packages_that_own_code_imports_are_required(folder: Path) -> None:
    """They are not in the pickle, and the version needs them too."""
    write(folder, {"features.py": f"import lightgbm, no_such_module_here\n{CLEAN}"})

    assert collect(["sklearn.svm"], code=["features.py"]).imports >= {"lightgbm"}


@pytest.mark.parametrize(
    ("code", "travels"),
    [
        (["features.py"], ["features.py", "helpers.py"]),
        (["lib/deep/clean.py"], ["lib/__init__.py", "lib/deep/__init__.py", "lib/deep/clean.py"]),
        (["lib"], ["lib/__init__.py", "lib/deep/__init__.py", "lib/deep/clean.py", "lib/unused.py"]),
        ([Path("elsewhere/tools.py")], ["near.py", "tools.py"]),
    ],
    ids=["file", "file of a package", "package", "folder that is not on the path"],
)
def test_named_files_and_folders_are_collected(folder: Path, code: Any, travels: list[str]) -> None:
    """Under the names by which they are imported, with their imports from next to them."""
    write(
        folder,
        {
            "features.py": "import helpers",
            "helpers.py": "",
            "lib/__init__.py": "",
            "lib/deep/__init__.py": "",
            "lib/deep/clean.py": "",
            "lib/unused.py": "",
            "lib/__pycache__/x.py": "",
            "lib/.hidden/x.py": "",
            "lib/data.csv": "secret",
            "elsewhere/tools.py": "import near",
            "elsewhere/near.py": "",
        },
    )

    assert sorted(collect([], code=code).sources) == travels


def test_a_named_folder_has_the_name_of_its_import(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder on the path gives names to its modules, and is not a package itself."""
    write(folder, {"src/clean.py": CLEAN, "src/more.py": ""})
    monkeypatch.syspath_prepend(folder / "src")
    function_of("clean")

    assert sorted(collect([], code=["src"]).sources) == ["clean.py", "more.py"]


def _install(folder: Path, name: str, *, editable: Path | None = None, top_level: str | None = None) -> None:
    """What pip leaves of a distribution in a folder of packages."""
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    write(folder, {f"{about.name}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"})
    if top_level:
        (about / "top_level.txt").write_text(top_level)
    if editable:
        (about / "direct_url.json").write_text(json.dumps({"url": "file://", "dir_info": {"editable": True}}))
        (folder / f"_{name}.pth").write_text(f"{editable}\n")
    (about / "RECORD").write_text(f"{about.name}/METADATA,,\n_{name}.pth,,\n")


@pytest.mark.parametrize("top_level", ["mine", None], ids=["lists its modules", "lists a folder"])
def test_an_editable_install_is_not_collected(
    folder: Path, monkeypatch: pytest.MonkeyPatch, top_level: str | None
) -> None:
    """A module of an editable install is installed, however the install records that."""
    write(folder, {"src/mine/__init__.py": CLEAN, "site/x": ""})
    _install(folder / "site", "mine-project", editable=folder / "src", top_level=top_level)
    monkeypatch.syspath_prepend(folder / "site")
    monkeypatch.syspath_prepend(folder / "src")
    function_of("mine")

    assert not collect(["mine"]).sources


def test_a_module_next_to_an_editable_install_is_collected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's folder within a project is not part of the project's package."""
    write(folder, {"src/mine/__init__.py": "", "site/x": "", "features.py": CLEAN})
    _install(folder / "site", "mine-project", editable=folder / "src")
    monkeypatch.syspath_prepend(folder / "site")
    function_of("features")

    assert list(collect(["features"]).sources) == ["features.py"]


def test_a_file_in_the_folder_of_this_project_is_collected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editable install of this project owns three packages, and no scripts next to them."""
    write(folder, {"site/x": ""})
    _install(folder / "site", "sepal-of-mine", editable=ROOT)
    monkeypatch.syspath_prepend(folder / "site")

    assert "tests/support/tiny_models.py" in collect(["tests.support.tiny_models"]).sources


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("features.py", r'code must be a list of files and folders: code=\["features.py"\]'),
        (["gone.py"], "code: gone.py does not exist"),
        (["data.csv"], "code: data.csv is not a Python file"),
        (["empty"], "code: the folder empty has no .py file"),
        (["broken.py"], "broken.py is not valid Python code: invalid syntax"),
        (["train.py"], "train.py has the name of a package of this project, train: rename it"),
        (["a/same.py", "b/same.py"], "another module 'same' is already included"),
        (["large.py"], r"exceeds 8 MiB, with .*large.py: name only the modules that the model needs"),
    ],
    ids=str.split("text gone data empty broken train twice large"),
)
def test_what_is_no_code_is_refused(folder: Path, code: Any, advice: str) -> None:
    """The path is named with what to do."""
    write(
        folder,
        {
            "data.csv": "a,b",
            "empty/x.txt": "",
            "broken.py": "def",
            "train.py": "",
            "a/same.py": "1",
            "b/same.py": "2",
            "large.py": "#" * own_code.LARGEST + "\n",
        },
    )

    with pytest.raises(NotPublishable, match=advice):
        collect([], code=code)


def test_a_module_without_a_source_is_refused(folder: Path) -> None:
    """Compiled files depend on the Python and the processor, and are not collected."""
    write(folder, {"lib/__init__.py": ""})
    function_of("lib", "__name__")

    with pytest.raises(NotPublishable, match=r"module 'lib.fast', .* has no Python file: install its package"):
        collect(["lib.fast"])


def test_names_in_a_pickle_are_found_however_they_are_written(folder: Path) -> None:
    """Classes, functions, methods of classes and constants that name themselves are all of some module."""
    write(
        folder,
        {
            "kinds.py": "class A:\n    class Inner: ...\n    @classmethod\n    def make(cls): ...\n"
            "class Once:\n    def __reduce__(self): return 'ONCE'\nONCE = Once()\n"
        },
    )
    kinds = importlib.import_module("kinds")

    for thing in (kinds.A(), kinds.A.Inner, kinds.A.make, kinds.ONCE):
        assert "kinds" in pickled(thing)[1]


def test_a_pickle_is_what_joblib_writes() -> None:
    """Noting the names changes no byte."""
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit([[0.5], [1]], [0, 1])

    assert pickled(model)[0] == tiny_models.pickle(model)


def test_own_code_is_published_and_verified(folder: Path) -> None:
    """A version lists its own code, and loads where that cannot be imported."""
    write(folder, {"features.py": f"import helpers\n{CLEAN}", "helpers.py": ""})
    store = Store(folder / "store")

    manifest = publish(fitted(function_of("features")), X, Y, name="own", store=store)

    assert manifest.code == ("features.py", "helpers.py")
    assert manifest.sizes["code.zip"] == (folder / "store" / "own" / "1" / "code.zip").stat().st_size
    for name in ("features", "helpers"):
        del sys.modules[name]
        (folder / f"{name}.py").unlink()
    assert store.load("own", 1).manifest == manifest
    assert not {"features", "helpers"} & sys.modules.keys()


def test_own_code_that_imports_train_is_refused(folder: Path) -> None:
    """The message has the file and the line of the import."""
    write(folder, {"features.py": f"from train import publish\n{CLEAN}"})
    model = fitted(function_of("features"))

    with pytest.raises(NotPublishable, match=r"never imports train, features.py line 1\): a model must not use"):
        publish(model, X, Y, name="own", store=Store(folder / "store"))


def test_a_module_whose_file_is_gone_is_refused(folder: Path) -> None:
    """That it was imported once does not help a server, and the message names it."""
    write(folder, {"features.py": CLEAN})
    model = fitted(function_of("features"))
    (folder / "features.py").unlink()

    with pytest.raises(NotPublishable, match=r"the model needs the module 'features', .* has no Python file"):
        publish(model, X, Y, name="own", store=Store(folder / "store"))
