"""Count the failed calls of models, and log at most one of them per minute for each version."""

import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from time import monotonic

import structlog

import artifacts
from artifacts.predictions import InvalidPredictions
from artifacts.text import class_name, shorten

LOG_EVERY_S = 60.0
_MAX_FILE = 256
_OWN = (Path(artifacts.__file__).parent, Path(__file__).parents[1])
_PYTHON = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
_INSTALLED = frozenset({"site-packages", "dist-packages"})

_log = structlog.get_logger("serve.model")


class NoPrediction(Exception):
    """The model returned no finite number, or none of its classes, for some rows."""


class ModelErrors:
    """
    Counts and logs the failed calls of models.

    The log gets the type of an exception and the line of the publisher's code that raised it, never its message, which
    may quote what clients sent.
    """

    def __init__(self, on_error: Callable[[str, int], object], *, clock: Callable[[], float] = monotonic) -> None:
        """
        Prepare.

        Args:
            on_error: Called with the model and version of every failed call.
            clock: Returns seconds.
        """
        self._on_error = on_error
        self._clock = clock
        self._logged: dict[tuple[str, int], float] = {}
        self._lock = Lock()

    def record(self, model: str, version: int, error: Exception) -> None:
        """Count a failed call, and log it unless one of this version was logged in the last minute; thread-safe."""
        self._on_error(model, version)
        with self._lock:
            now = self._clock()
            if now - self._logged.get((model, version), float("-inf")) < LOG_EVERY_S:
                return
            self._logged[model, version] = now
        # The messages of these two are the project's own, and quote no value.
        is_own = isinstance(error, InvalidPredictions | NoPrediction)
        details = {"reason": str(error)} if is_own else {"line": line_of(error)}
        _log.error("model failed", model=model, version=version, error=class_name(error), **details)


def line_of(error: BaseException) -> str:
    """
    Return the file and line of the innermost frame of the publisher's code.

    If the traceback has only frames of installed libraries, it is the innermost of these.
    """
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    foreign = [place for place in frames if not _is_below(place[0], _OWN)]
    if not foreign and error.__cause__:
        # The project's own code wrapped an exception of the model.
        return line_of(error.__cause__)
    own_code = [place for place in foreign if not _is_library(place[0])]
    places = own_code or foreign or frames
    if not places:
        return ""
    file, line = places[-1]
    return f"{shorten(file, longest=_MAX_FILE)}:{line}"


def _is_library(file: str) -> bool:
    # Compiled modules have relative paths to their sources; Python's own frozen modules have a name in brackets.
    if file.endswith((".pyx", ".pxd", ".pxi")) or file.startswith(("<frozen ", "<__array_function__")):
        return True
    return bool(_INSTALLED & set(Path(file).parts)) or _is_below(file, _PYTHON)


def _is_below(file: str, folders: tuple[Path, ...]) -> bool:
    return any(Path(file).is_relative_to(folder) for folder in folders)
