"""The Python files of modules: where they are imported from, and what they import."""

import sys
from pathlib import Path, PurePosixPath

import pytest

from train.errors import NotPublishable
from train.module_files import file_of, files_of, imported_from, imports_of, root_above, root_of_loaded


def test_a_module_is_a_file_or_a_package(tmp_path: Path) -> None:
    """A package is preferred to a module of the same name; a missing module has no file."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "__init__.py").touch()
    (tmp_path / "a.py").touch()
    (tmp_path / "a" / "b.py").touch()

    assert file_of(tmp_path, ["a"]) == Path("a/__init__.py")
    assert file_of(tmp_path, ["a", "b"]) == Path("a/b.py")
    assert file_of(tmp_path, ["a", "c"]) is None


def test_a_folder_means_its_python_files(tmp_path: Path) -> None:
    """Hidden files and caches are ignored; a file means itself, and anything else is refused."""
    for name in ("one.py", "sub/two.py", ".hidden.py", "__pycache__/three.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert files_of(tmp_path) == [tmp_path / "one.py", tmp_path / "sub" / "two.py"]
    assert files_of(tmp_path / "one.py") == [tmp_path / "one.py"]
    with pytest.raises(NotPublishable, match="does not exist"):
        files_of(tmp_path / "gone.py")
    (tmp_path / "data.csv").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotPublishable, match="is not a Python file"):
        files_of(tmp_path / "data.csv")
    with pytest.raises(NotPublishable, match=r"has no \.py file"):
        files_of(tmp_path / "empty")


def test_imports_are_found_in_functions_too() -> None:
    """Relative imports are resolved from the package of the file; each imported name may be a module."""
    source = b"import a.b\nfrom . import c\nfrom ..d import e\ndef f():\n    from g import h, *\n".replace(b", *", b"")

    assert set(imports_of(source, PurePosixPath("top/sub/mod.py"))) == {
        "a.b", "top.sub", "top.sub.c", "top.d", "top.d.e", "g", "g.h",
    }  # fmt: skip
    with pytest.raises(NotPublishable, match=r"mod\.py is not valid Python code"):
        list(imports_of(b"def", PurePosixPath("mod.py")))


def test_modules_are_imported_from_a_folder(tmp_path: Path) -> None:
    """A loaded or installed module has a folder; built-in and missing ones have none."""
    here = Path(__file__).resolve()

    assert imported_from("tests") == here.parents[3]
    assert imported_from("sys") is None
    assert imported_from("no_such_module_anywhere") is None
    assert root_of_loaded([Path(str(sys.modules["train"].__file__)).resolve()]) == here.parents[3]
    assert root_of_loaded([tmp_path / "unloaded.py"]) is None
    assert root_above(here) == here.parents[3]
