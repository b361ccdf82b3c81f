"""
The Python modules that travel with a version, importable by that version only.

Each loaded version has a private package, such as `_sepal_code_3`, in which its modules live: `churn_features` of one
version is `_sepal_code_3.churn_features`, and that of another is `_sepal_code_4.churn_features`. The modules import
each other by the names that they were written with, because their own `__import__` looks for those in the private
package first. They are compiled from bytes in memory; nothing is read from the disk again.

This file imports nothing but the standard library: what the process that checks a model before publication
imports must not hide that a package is missing.
"""

import builtins
import importlib
import io
import itertools
import sys
import weakref
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, spec_from_loader
from types import CodeType, ModuleType
from typing import Any

LARGEST = 8 * 2**20
"""The most bytes that all modules of a version may have together."""

_numbers = itertools.count(1)


def pack(sources: Mapping[str, bytes]) -> bytes:
    """Return the modules as an uncompressed zip file, the same bytes for the same modules."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(sources):
            archive.writestr(zipfile.ZipInfo(path), sources[path])
    return buffer.getvalue()


def unpack(archive: bytes, listed: Sequence[str]) -> dict[str, bytes]:
    """
    Return the modules of a zip file by their paths.

    Raises:
        ValueError: The archive is invalid, too large, or does not hold exactly the listed paths.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            members = opened.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise ValueError("it is compressed")
            if sum(member.file_size for member in members) > LARGEST:
                raise ValueError(f"its files have more than {LARGEST} bytes")
            if sorted(member.filename for member in members) != sorted(listed):
                raise ValueError("its files are not those that the manifest lists")
            return {member.filename: opened.read(member) for member in members}
    except zipfile.BadZipFile as error:
        raise ValueError("it is not a zip file") from error


def unpickle(pickled: bytes, module_of: Callable[[str], str]) -> object:
    """Load what joblib wrote, and look each class and function up in the module that `module_of` returns for it."""
    from joblib.numpy_pickle import NumpyUnpickler

    class Unpickler(NumpyUnpickler):  # type: ignore[misc]  # joblib has no types
        def find_class(self, module: str, name: str) -> Any:
            return super().find_class(module_of(module), name)

    return Unpickler("", io.BytesIO(pickled), ensure_native_byte_order=True).load()


class OwnCode:
    """The modules of one loaded version; they can be imported for as long as this object lives."""

    def __init__(self, sources: Mapping[str, bytes], *, of: str) -> None:
        """
        Make the modules importable; none is executed yet.

        Args:
            sources: The bytes of each module by its path, such as `features/dates.py`; their digests were checked.
            of: Whose modules they are, such as `churn@1`: tracebacks call the file `<churn@1>/features/dates.py`.
        """
        if _FINDER not in sys.meta_path:
            # The first one: no folder of the path may offer a module under a private name.
            sys.meta_path.insert(0, _FINDER)
        package = f"_sepal_code_{next(_numbers)}"
        self._loader = _Loader(package, sources, of)
        _FINDER.loaders[package] = self._loader
        weakref.finalize(self, _forget, package).atexit = False

    def module_of(self, module: str) -> str:
        """Return the name under which a module of a pickle is found: a private one if it belongs to the version."""
        return self._loader.private(module)


class _Loader(InspectLoader):
    """Finds and executes the modules of one version."""

    def __init__(self, package: str, sources: Mapping[str, bytes], of: str) -> None:
        self._package = package
        self._sources = dict(sources)
        self._of = of
        self._tops = {path.partition("/")[0].removesuffix(".py") for path in sources}

    def private(self, name: str) -> str:
        """Return the private name of one of the version's modules; other names are returned as they are."""
        return f"{self._package}.{name}" if name.partition(".")[0] in self._tops else name

    def spec(self, fullname: str) -> ModuleSpec | None:
        """
        Return how a module is loaded.

        Raises:
            ModuleNotFoundError: The version has no such module.
        """
        path = self._path(fullname)
        if path is None:
            name = fullname.removeprefix(f"{self._package}.")
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return spec_from_loader(fullname, self, origin=self._file(path), is_package=not path or path.endswith("/"))

    def get_source(self, fullname: str) -> str:
        return decode_source(self._bytes(fullname))

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._bytes(fullname), self._file(self._path(fullname) or ""))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._file(self._path(module.__name__) or "")
        # Every function of the module finds its built-in names here, whenever it is called: imports within functions
        # resolve like those at the top.
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._import}
        super().exec_module(module)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002  # the names of the built-in function
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        """Do what `__import__` does, and look for the version's own modules first."""
        private = name if level else self.private(name)
        if private == name or fromlist:
            return builtins.__import__(private, globals, locals, fromlist, level)
        importlib.import_module(private)
        # `import a.b` binds a.
        return sys.modules[self.private(name.partition(".")[0])]

    def _path(self, fullname: str) -> str | None:
        """Return the path of a module, of a package its folder with a slash; None if there is none."""
        name = fullname.removeprefix(self._package).removeprefix(".").replace(".", "/")
        if f"{name}.py" in self._sources and f"{name}/__init__.py" not in self._sources:
            return f"{name}.py"
        is_folder = not name or any(path.startswith(f"{name}/") for path in self._sources)
        return f"{name}/".removeprefix("/") if is_folder else None

    def _file(self, path: str) -> str:
        return f"<{self._of}>/{path}__init__.py" if not path or path.endswith("/") else f"<{self._of}>/{path}"

    def _bytes(self, fullname: str) -> bytes:
        path = self._path(fullname) or ""
        # A folder without __init__.py is a package, too, as in Python.
        return self._sources[path] if path.endswith(".py") else self._sources.get(f"{path}__init__.py", b"")


class _Finder(MetaPathFinder):
    """Finds modules by their private names."""

    def __init__(self) -> None:
        self.loaders: dict[str, _Loader] = {}

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        loader = self.loaders.get(fullname.partition(".")[0])
        return None if loader is None else loader.spec(fullname)


_FINDER = _Finder()


def _forget(package: str) -> None:
    """Unload the modules of a version that is no longer used."""
    _FINDER.loaders.pop(package, None)
    for name in [name for name in list(sys.modules) if name.partition(".")[0] == package]:
        sys.modules.pop(name, None)
