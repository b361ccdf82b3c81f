"""The publisher's own modules that a model needs: found from its pickle, from `code`, and from what they import."""

import io
import os
import pickle  # nosec B403  # finds the module that a name is written with; nothing is unpickled here
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any, TypeAlias

from joblib.numpy_pickle import NumpyPickler

from train.errors import NotPublishable
from train.import_search import ImportSearch
from train.module_files import files_of, root_above

Paths: TypeAlias = Sequence[str | os.PathLike[str]]

ADVICE = (
    "move it to a file next to the notebook or script, such as features.py, and import it from there; the file is then "
    'published with the model (code=["features.py"] names a file that is not found)'
)
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
    """Records the module and the name of each class and function that is pickled by its name."""

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
        NotPublishable: It cannot be pickled, or only the running notebook or script could load it again.
    """
    pickler = _RecordingPickler(buffer := io.BytesIO())
    try:
        pickler.dump(estimator)
    except Exception as error:  # noqa: BLE001  # any object of the model may raise anything; the message is reported
        raise NotPublishable(
            f"the model cannot be pickled ({error}): lambdas, nested functions and open handles cannot "
            f"be pickled. If it is a function, {ADVICE}"
        ) from None
    defined_here = sorted(name for module, name in pickler.named if module == "__main__")
    if defined_here:
        raise NotPublishable(
            f"the model uses {', '.join(defined_here[:_MOST_NAMED])}, defined in the running notebook or script "
            f"(the module '__main__'), which a server does not have: {ADVICE}"
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
        raise NotPublishable(f'code must be a list of files and folders: code=["{code}"]')
    search = ImportSearch()
    for path in code:
        search.add_path(Path(path))
    for module in sorted(modules):
        search.add_needed(module)
    return OwnModules(search.sources, frozenset(search.installed))


def folders(code: Paths) -> list[str]:
    """
    Return the folders that must be on the path to import the modules of `code`.

    Raises:
        NotPublishable: A path is not Python code.
    """
    return [str(root_above(Path(path))) for path in code if files_of(Path(path))]
