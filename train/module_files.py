"""The Python files of modules: where one is imported from, which files a path means, what a file imports."""

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from train.errors import NotPublishable


def imported_from(top: str) -> Path | None:
    """Return the folder that a top-level module was, or would be, imported from."""
    try:
        spec = sys.modules[top].__spec__ if top in sys.modules else find_spec(top)
    except (ValueError, ImportError, AttributeError):
        return None
    if spec is None:
        return None
    place = next(iter(spec.submodule_search_locations or ()), spec.origin if spec.has_location else None)
    return Path(place).resolve().parent if place else None


def file_of(root: Path, parts: Sequence[str]) -> Path | None:
    """Return the file of a module, as a path from the folder that it is imported from."""
    stem = Path(*parts)
    candidates = (stem / "__init__.py", stem.with_name(f"{stem.name}.py"))
    return next((file for file in candidates if (root / file).is_file()), None)


def files_of(path: Path) -> list[Path]:
    """
    Return the Python files at a path of `code`: the file itself, or all in the folder.

    Raises:
        NotPublishable: There is none.
    """
    where = path.resolve()
    if where.is_file() and where.suffix == ".py":
        return [where]
    if not where.is_dir():
        what = "is not a Python file" if where.exists() else "does not exist"
        raise NotPublishable(f"code: {path} {what}; name .py files, or folders that contain some")
    found = sorted(file for file in where.rglob("*.py") if not _is_hidden(file.relative_to(where)))
    if not found:
        raise NotPublishable(f"code: the folder {path} has no .py file")
    return found


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in file.parts)


def root_of_loaded(files: Sequence[Path]) -> Path | None:
    """Return the folder that one of the files was imported from, if any was."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name != "__main__" and Path(file).resolve() in files:
            depth = name.count(".") + (Path(file).name == "__init__.py")
            return Path(file).resolve().parents[depth]
    return None


def root_above(path: Path) -> Path:
    """Return the first folder above a file or folder that is not a package."""
    root = path.resolve().parent
    while (root / "__init__.py").is_file():
        root = root.parent
    return root


def imports_of(source: bytes, path: PurePosixPath) -> Iterator[str]:
    """
    Yield the full names of all modules that a module imports, also in functions.

    Raises:
        NotPublishable: It is not Python code.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise NotPublishable(f"{path} is not valid Python code: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            package = [*_package(path, node.level), *filter(None, [node.module])]
            # Each name may be a module of the package.
            names = ["*", *(alias.name for alias in node.names)]
            yield from (".".join([*package, name]).removesuffix(".*") for name in names)


def _package(path: PurePosixPath, level: int) -> Sequence[str]:
    """Return the parts of the package that a relative import starts from; none for an absolute import."""
    return path.parts[: len(path.parts) - level] if level else ()
