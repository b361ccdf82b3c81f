"""Compare the libraries that fitted a version with those that are installed."""

import platform
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from artifacts.manifest import Manifest
from artifacts.text import shorten

_RELEASE = re.compile(r"(\d+)(?:\.(\d+))?")
# Programs are numpy arrays, whatever library fitted the model.
_ALWAYS = ("numpy",)
ESTIMATOR = "sklearn"


@dataclass(frozen=True, slots=True)
class Differences:
    """
    The libraries whose installed version differs, one message each.

    Attributes:
        incompatible: Predictions may differ, or fail.
        differing: A warning only.
    """

    incompatible: tuple[str, ...]
    differing: tuple[str, ...]


def compare(manifest: Manifest, executing: Collection[str]) -> Differences:
    """
    Compare what fitted a version with what is installed.

    Another numpy major is incompatible. If the estimator is unpickled, so is another minor of scikit-learn, which does
    not guarantee pickles between minors, and another major of any other package whose objects are in the pickle (of
    0.x another minor). If a program predicts, none of these is used, except for scikit-learn's compiled trees: whether
    another minor accepts them is found when they are loaded and tested, so it is only differing. So is another Python
    minor.

    Args:
        manifest: Has what fitted it in `libraries` and `requires`.
        executing: The names of what executes the model, see `manifest.Candidate`.
    """
    fitted = {**dict(_required(manifest)), **manifest.libraries}
    needed = [name for name, _ in _required(manifest)] if ESTIMATOR in executing else []
    incompatible = [_of_package(name, fitted.get(name)) for name in dict.fromkeys([*_ALWAYS, *needed])]
    differing = [_difference("Python", fitted.get("python"), platform.python_version(), depth=2)]
    if ESTIMATOR not in executing and "trees" in executing:
        differing.append(_of_package("scikit-learn", fitted.get("scikit-learn")))
    return Differences(tuple(filter(None, incompatible)), tuple(filter(None, differing)))


def _of_package(name: str, fitted: str | None) -> str:
    """Compare as many parts of the version as the package guarantees compatibility for."""
    depth = 2 if name == "scikit-learn" or (fitted or "").startswith("0.") else 1
    return _difference(name, fitted, _installed(name), depth=depth)


def _required(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for line in manifest.requires:
        name, pinned, release = line.partition("==")
        # A line without a version is a module that belongs to no package.
        if pinned:
            yield name.lower().replace("_", "-"), release


def _difference(name: str, fitted: str | None, installed: str | None, *, depth: int) -> str:
    """Return a message; empty if the versions agree or one is unknown: a missing package fails when it is imported."""
    if fitted is None or installed is None or _release(fitted)[:depth] == _release(installed)[:depth]:
        return ""
    return f"{shorten(name)} {shorten(fitted[:32])} fitted it, and {installed} is installed"


def _release(text: str) -> tuple[str, ...]:
    """Return the first two numbers of a version; the whole text if it has none, so that it equals only itself."""
    found = _RELEASE.match(text)
    return (found[1], found[2] or "0") if found else (text, "")


@cache
def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
