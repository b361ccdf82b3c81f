"""Follow the imports of the publisher's own modules; installed packages are not followed."""

import functools
import sys
from collections.abc import Mapping
from importlib.metadata import Distribution, distribution, distributions, packages_distributions
from pathlib import Path, PurePosixPath

from artifacts.own_code import LARGEST
from train.errors import NotPublishable
from train.module_files import file_of, files_of, imported_from, imports_of, root_above, root_of_loaded

# The packages of this project: a server has the first two, and never the last. Other files in their folder, such as
# scripts in a clone, are not installed with them.
_OURS = frozenset({"artifacts", "serve", "train"})
_HERE = Path(__file__).resolve().parents[1]


def installed_owners() -> Mapping[str, list[str]]:
    """Return the distributions of each top-level module that is installed; read again once something is installed."""
    installed = [Path(path) for path in sys.path if path.endswith("-packages")]
    return _owners(tuple(sys.path), tuple(path.stat().st_mtime_ns for path in installed if path.is_dir()))


@functools.lru_cache(maxsize=1)
def _owners(_path: tuple[str, ...], _changed: tuple[int, ...]) -> Mapping[str, list[str]]:
    return packages_distributions()


class ImportSearch:
    """Collects modules and what they import, except installed packages."""

    def __init__(self) -> None:
        self.sources: dict[str, bytes] = {}
        self.installed: set[str] = set()
        self._size = 0
        self._owners = installed_owners()
        self._roots: dict[str, Path | None] = {}

    def add_path(self, path: Path) -> None:
        """Add a file or all modules in a folder, under the names by which they are imported."""
        files = files_of(path)
        root = root_of_loaded(files) or root_above(path)
        for file in files:
            self._add(".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), root)

    def add_needed(self, module: str) -> None:
        """Add a module that the pickle names, unless it is installed."""
        root = self._root(module.partition(".")[0])
        if root and not self._add(module, root):
            raise NotPublishable(
                f"the model needs the module {module!r}, which is in no installed package and has no Python file: "
                "install its package, here and where the server runs"
            )

    def _add(self, module: str, root: Path) -> bool:
        """Add a module and the packages that it is in; False if there is no such file."""
        parts = module.split(".")
        found = [file_of(root, parts[:depth]) for depth in range(1, len(parts) + 1)]
        for file in found:
            if file is not None:
                self._add_file(root, file)
        return found[-1] is not None or root.joinpath(*parts).is_dir()

    def _add_file(self, root: Path, file: Path) -> None:
        path = PurePosixPath(file)
        top = path.parts[0].removesuffix(".py")
        if top in _OURS:
            raise NotPublishable(f"{file} has the name of a package of this project, {top}: rename it")
        taken = self._roots.get(top) or root
        if taken != root:
            raise NotPublishable(f"{root / file}: another module {top!r} is already included, from the folder {taken}")
        self._roots[top] = root
        if str(path) in self.sources:
            return
        source = (root / file).read_bytes()
        self._size += len(source)
        if self._size > LARGEST:
            raise NotPublishable(
                f"the code to publish with the model exceeds {LARGEST // 2**20} MiB, with {root / file}: "
                "name only the modules that the model needs in code=[...], and keep data out of them"
            )
        self.sources[str(path)] = source
        for name in imports_of(source, path):
            self._follow(name, root)

    def _follow(self, name: str, importer: Path) -> None:
        root = self._root(name.partition(".")[0], near=importer)
        if root:
            self._add(name, root)

    def _root(self, top: str, *, near: Path | None = None) -> Path | None:
        """Return the folder that one of the publisher's own modules is imported from; None for any other module."""
        if top not in self._roots:
            self._roots[top] = self._find_root(top, near)
        return self._roots[top]

    def _find_root(self, top: str, near: Path | None) -> Path | None:
        if top in _OURS or top in sys.stdlib_module_names:
            return None
        if near and top not in sys.modules and file_of(near, [top]):
            return near
        root = imported_from(top)
        if top in self._owners and (root is None or any(_owns(distribution(o), root) for o in self._owners[top])):
            self.installed.add(top)
            return None
        return None if root is None or root in _editable_roots() else root


def _owns(owner: Distribution, root: Path) -> bool:
    """Return whether modules of a folder belong to a distribution; another folder may have one of the same name."""
    return _is_editable(owner) or Path(str(owner.locate_file(""))).resolve() == root


def _is_editable(owner: Distribution) -> bool:
    return '"editable": true' in (owner.read_text("direct_url.json") or "")


def _editable_roots() -> set[Path]:
    """Return the folders that editable installs add to the path; some do not list their modules."""
    files = [file for owner in distributions() if _is_editable(owner) for file in owner.files or ()]
    lines = [line for file in files if file.suffix == ".pth" for line in file.read_text().splitlines()]
    return {Path(line).resolve() for line in lines if line and not line.startswith(("import ", "#"))} - {_HERE}
