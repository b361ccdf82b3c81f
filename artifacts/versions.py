"""Whether the libraries that fitted a version are those that are installed."""

import platform
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from artifacts.manifest import Manifest
from artifacts.text import shorten

_RELEASE = re.compile(r"(\d+)(?:\.(\d+))?")
# A program is made of numpy's arrays, whoever fitted the model.
_ALWAYS = ("numpy",)
ESTIMATOR = "sklearn"


@dataclass(frozen=True, slots=True)
class Differences:
    """
    What is another one here, in words.

    Attributes:
        incompatible: What may give other answers, or none.
        differing: What is worth a line, and stops nothing.
    """

    incompatible: tuple[str, ...]
    differing: tuple[str, ...]


def compare(manifest: Manifest, answering: Collection[str]) -> Differences:
    """
    Hold what fitted a version against what is installed.

    Another numpy major is incompatible. Where the estimator is unpickled, so is another minor of scikit-learn, which
    promises nothing of its pickles from one to the next, and another major of any other package that the pickle's
    objects are of (of 0.x another minor). Where a program answers, none of these has a part in it, but for the compiled
    trees of scikit-learn: whether another minor still takes them shows when they are loaded and asked, so it is
    differing there.
    So is another Python minor.

    Args:
        manifest: What fitted it stands in `libraries` and `requires`.
        answering: The names of what answers, see `manifest.Candidate`.
    """
    fitted = {**dict(_required(manifest)), **manifest.libraries}
    needed = [name for name, _ in _required(manifest)] if ESTIMATOR in answering else []
    incompatible = [_of_package(name, fitted.get(name)) for name in dict.fromkeys([*_ALWAYS, *needed])]
    differing = [_difference("Python", fitted.get("python"), platform.python_version(), depth=2)]
    if ESTIMATOR not in answering and "trees" in answering:
        differing.append(_of_package("scikit-learn", fitted.get("scikit-learn")))
    return Differences(tuple(filter(None, incompatible)), tuple(filter(None, differing)))


def _of_package(name: str, fitted: str | None) -> str:
    """How many numbers must be the same depends on what a package promises of them."""
    depth = 2 if name == "scikit-learn" or (fitted or "").startswith("0.") else 1
    return _difference(name, fitted, _installed(name), depth=depth)


def _required(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for line in manifest.requires:
        name, pinned, release = line.partition("==")
        # What has no version is a module of no package.
        if pinned:
            yield name.lower().replace("_", "-"), release


def _difference(name: str, fitted: str | None, installed: str | None, *, depth: int) -> str:
    """Empty where there is none, or where nobody knows: what is not installed is told when it is imported."""
    if fitted is None or installed is None or _release(fitted)[:depth] == _release(installed)[:depth]:
        return ""
    return f"{shorten(name)} {shorten(fitted[:32])} fitted it, and {installed} is installed"


def _release(text: str) -> tuple[str, ...]:
    """Its first two numbers; the whole text where it has none, so that it is like itself alone."""
    found = _RELEASE.match(text)
    return (found[1], found[2] or "0") if found else (text, "")


@cache
def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
