"""The publisher's own modules that a model needs: found from its pickle, from `code`, and from what they import."""

import ast
import functools
import io
import os
import pickle  # nosec B403  # finds the module that a name is written with; nothing is loaded here
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distribution, distributions, packages_distributions
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from types import FunctionType
from typing import Any, TypeAlias

from joblib.numpy_pickle import NumpyPickler

from artifacts.own_code import LARGEST
from train.errors import NotPublishable

Paths: TypeAlias = Sequence[str | os.PathLike[str]]

ADVICE = (
    "move it to a file next to the notebook or script, such as features.py, and import it from there; the file then "
    'travels with the model (code=["features.py"] names a file that is not found)'
)
# The packages that are written here: a server has the first two, and never the last. What else lies in their folder, as
# in a clone where someone keeps scripts, is not installed with them.
_OURS = frozenset({"artifacts", "serve", "train"})
_HERE = Path(__file__).resolve().parents[1]
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class OwnModules:
    """
    The modules that travel with a model.

    Attributes:
        sources: The bytes of each module by its path from the folder that it is imported from: `features/dates.py`.
        imports: The top-level names of installed packages that they import.
    """

    sources: Mapping[str, bytes] = field(default_factory=dict)
    imports: frozenset[str] = frozenset()


class _RecordingPickler(NumpyPickler):  # type: ignore[misc]  # joblib has no types
    """Notes the module and the name of each class and function that is pickled by its name."""

    dispatch = NumpyPickler.dispatch.copy()

    def __init__(self, buffer: io.BytesIO) -> None:
        super().__init__(buffer)
        self.named: set[tuple[str, str]] = set()

    def save_global(self, obj: Any, name: str | None = None) -> None:
        super().save_global(obj, name=name)
        written = name or getattr(obj, "__qualname__", None) or obj.__name__
        self.named.add((pickle.whichmodule(obj, written), written))  # type: ignore[attr-defined]  # not in typeshed

    dispatch[FunctionType] = save_global


def pickled(estimator: Any) -> tuple[bytes, set[str]]:
    """
    Return what `joblib.dump` writes of an estimator, and the modules of its classes and functions.

    Raises:
        NotPublishable: It cannot be pickled, or only the notebook or script that runs could load it again.
    """
    pickler = _RecordingPickler(buffer := io.BytesIO())
    try:
        pickler.dump(estimator)
    except Exception as error:  # noqa: BLE001  # any object of the model may refuse in its own way, and its text is kept
        raise NotPublishable(
            f"the model cannot be pickled ({error}): lambdas, functions within functions and open handles do not "
            f"travel. If it is a function, {ADVICE}"
        ) from None
    defined_here = sorted(name for module, name in pickler.named if module == "__main__")
    if defined_here:
        raise NotPublishable(
            f"the model uses {', '.join(defined_here[:_MOST_NAMED])}, defined in the notebook or script that runs "
            f"(the module '__main__'), which no server has: {ADVICE}"
        )
    return buffer.getvalue(), {module for module, _ in pickler.named}


def collect(modules: Collection[str], code: Paths = ()) -> OwnModules:
    """
    Read the modules that travel with a model.

    Args:
        modules: The modules of the model's classes and functions: those that no installed distribution owns travel.
        code: Files and folders that travel as well.

    Raises:
        NotPublishable: A path is not Python code, a module has no source file, or all are too large together.
    """
    if isinstance(code, str):
        raise NotPublishable(f'code is a list of files and folders: code=["{code}"]')
    search = _Search()
    for path in code:
        search.add_path(Path(path))
    for module in sorted(modules):
        search.add_needed(module)
    return OwnModules(search.sources, frozenset(search.installed))


def folders(code: Paths) -> list[str]:
    """
    Return the folders that have to be on the path for the modules of `code` to be imported.

    Raises:
        NotPublishable: A path is not Python code.
    """
    return [str(_root_above(Path(path))) for path in code if _files(Path(path))]


def installed_owners() -> Mapping[str, list[str]]:
    """Return the distributions of each top-level module that is installed; read again once something is installed."""
    installed = [Path(path) for path in sys.path if path.endswith("-packages")]
    return _owners(tuple(sys.path), tuple(path.stat().st_mtime_ns for path in installed if path.is_dir()))


@functools.lru_cache(maxsize=1)
def _owners(_path: tuple[str, ...], _changed: tuple[int, ...]) -> Mapping[str, list[str]]:
    return packages_distributions()


class _Search:
    """Follows imports from module to module; what is installed is not followed."""

    def __init__(self) -> None:
        self.sources: dict[str, bytes] = {}
        self.installed: set[str] = set()
        self._size = 0
        self._owners = installed_owners()
        self._roots: dict[str, Path | None] = {}

    def add_path(self, path: Path) -> None:
        """Add a file, or all modules in a folder, whatever the folder is called by those that import it."""
        files = _files(path)
        root = _root_of_loaded(files) or _root_above(path)
        for file in files:
            self._add(".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), root)

    def add_needed(self, module: str) -> None:
        """Add a module that the pickle names, unless it is installed."""
        root = self._root(module.partition(".")[0])
        if root and not self._add(module, root):
            raise NotPublishable(
                f"the model needs the module {module!r}, which no installed package owns and which has no Python file: "
                "install its package, here and where the server runs"
            )

    def _add(self, module: str, root: Path) -> bool:
        """Add a module and the packages that it is in; False if there is no such file."""
        parts = module.split(".")
        found = [_file_of(root, parts[:depth]) for depth in range(1, len(parts) + 1)]
        for file in found:
            if file is not None:
                self._add_file(root, file)
        return found[-1] is not None or root.joinpath(*parts).is_dir()

    def _add_file(self, root: Path, file: Path) -> None:
        path = PurePosixPath(file)
        top = path.parts[0].removesuffix(".py")
        if top in _OURS:
            raise NotPublishable(f"{file} has the name of one of the packages of this project, {top}: rename it")
        taken = self._roots.get(top) or root
        if taken != root:
            raise NotPublishable(f"{root / file}: another module {top!r} travels already, of the folder {taken}")
        self._roots[top] = root
        if str(path) in self.sources:
            return
        source = (root / file).read_bytes()
        self._size += len(source)
        if self._size > LARGEST:
            raise NotPublishable(
                f"the code that would travel with the model has more than {LARGEST // 2**20} MiB, with {root / file}: "
                "name in code=[...] the modules that the model needs, and keep data out of them"
            )
        self.sources[str(path)] = source
        for name in _imports(source, path):
            self._follow(name, root)

    def _follow(self, name: str, importer: Path) -> None:
        root = self._root(name.partition(".")[0], near=importer)
        if root:
            self._add(name, root)

    def _root(self, top: str, *, near: Path | None = None) -> Path | None:
        """Return the folder that a module of the publisher's own is imported from; None if it is not such a one."""
        if top not in self._roots:
            self._roots[top] = self._find_root(top, near)
        return self._roots[top]

    def _find_root(self, top: str, near: Path | None) -> Path | None:
        if top in _OURS or top in sys.stdlib_module_names:
            return None
        if near and top not in sys.modules and _file_of(near, [top]):
            return near
        root = _imported_from(top)
        if top in self._owners and (root is None or any(_owns(distribution(o), root) for o in self._owners[top])):
            self.installed.add(top)
            return None
        return None if root is None or root in _editable_roots() else root


def _owns(owner: Distribution, root: Path) -> bool:
    """Whether what is imported from a folder is a distribution's; another folder may have a module of the same name."""
    return _is_editable(owner) or Path(str(owner.locate_file(""))).resolve() == root


def _is_editable(owner: Distribution) -> bool:
    return '"editable": true' in (owner.read_text("direct_url.json") or "")


def _editable_roots() -> set[Path]:
    """Return the folders that editable installs add to the path; some of them do not tell which modules are theirs."""
    files = [file for owner in distributions() if _is_editable(owner) for file in owner.files or ()]
    lines = [line for file in files if file.suffix == ".pth" for line in file.read_text().splitlines()]
    return {Path(line).resolve() for line in lines if line and not line.startswith(("import ", "#"))} - {_HERE}


def _imported_from(top: str) -> Path | None:
    """Return the folder that a top-level module was, or would be, imported from."""
    try:
        spec = sys.modules[top].__spec__ if top in sys.modules else find_spec(top)
    except (ValueError, ImportError, AttributeError):
        return None
    if spec is None:
        return None
    place = next(iter(spec.submodule_search_locations or ()), spec.origin if spec.has_location else None)
    return Path(place).resolve().parent if place else None


def _file_of(root: Path, parts: Sequence[str]) -> Path | None:
    """Return the file of a module, as a path from the folder that it is imported from."""
    stem = Path(*parts)
    candidates = (stem / "__init__.py", stem.with_name(f"{stem.name}.py"))
    return next((file for file in candidates if (root / file).is_file()), None)


def _files(path: Path) -> list[Path]:
    """
    Return the modules that a path of `code` means.

    Raises:
        NotPublishable: There is none.
    """
    where = path.resolve()
    if where.is_file() and where.suffix == ".py":
        return [where]
    if not where.is_dir():
        what = "is not a Python file" if where.exists() else "does not exist"
        raise NotPublishable(f"code: {path} {what}; name .py files, or folders that have some")
    found = sorted(file for file in where.rglob("*.py") if not _is_hidden(file.relative_to(where)))
    if not found:
        raise NotPublishable(f"code: the folder {path} has no .py file")
    return found


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in file.parts)


def _root_of_loaded(files: Sequence[Path]) -> Path | None:
    """Return the folder that one of the files was imported from, if any was."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name != "__main__" and Path(file).resolve() in files:
            depth = name.count(".") + (Path(file).name == "__init__.py")
            return Path(file).resolve().parents[depth]
    return None


def _root_above(path: Path) -> Path:
    """Return the first folder above a file or folder that is not a package."""
    root = path.resolve().parent
    while (root / "__init__.py").is_file():
        root = root.parent
    return root


def _imports(source: bytes, path: PurePosixPath) -> Iterator[str]:
    """
    Yield the full names of all that a module imports, within functions as well.

    Raises:
        NotPublishable: It is not Python.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise NotPublishable(f"{path} is not Python code that runs here: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            package = [*_package(path, node.level), *filter(None, [node.module])]
            # Each name may be a module of that package.
            names = ["*", *(alias.name for alias in node.names)]
            yield from (".".join([*package, name]).removesuffix(".*") for name in names)


def _package(path: PurePosixPath, level: int) -> Sequence[str]:
    """Return the parts of the package that a relative import starts from; of an absolute one, none."""
    return path.parts[: len(path.parts) - level] if level else ()
