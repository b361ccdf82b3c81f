"""Differences between the libraries that fitted a model and those that serve it."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from artifacts.errors import ArtifactVersion
from artifacts.manifest import Manifest, parse
from artifacts.versions import compare
from tests.support.version_folders import amend, read

PYTHON, SKLEARN, NUMPY = platform.python_version(), version("scikit-learn"), version("numpy")


def fitted(folder: Path, libraries: dict[str, str], *requires: str) -> Manifest:
    """Return the libraries in the manifest of a version that was fitted with these."""
    amend(folder, lambda known: known.update(libraries={"python": PYTHON, **libraries}, requires=requires))
    return parse((folder / "manifest.json").read_bytes())


def other(release: str, place: int) -> str:
    """Return a version string that differs in one of its numbers."""
    numbers = release.split(".")
    numbers[place] = str(int(numbers[place]) + 1)
    return ".".join(numbers)


@pytest.mark.parametrize(
    ("libraries", "requires", "answering", "incompatible"),
    [
        ({"numpy": other(NUMPY, 0)}, (), {"sklearn"}, ["numpy"]),
        ({"numpy": other(NUMPY, 0)}, (), {"numpy"}, ["numpy"]),
        ({"numpy": other(NUMPY, 1)}, (), {"sklearn"}, []),
        ({"scikit-learn": other(SKLEARN, 1)}, ("scikit-learn==0",), {"sklearn"}, ["scikit-learn"]),
        ({"scikit-learn": other(SKLEARN, 0)}, ("scikit-learn==0",), {"sklearn", "trees"}, ["scikit-learn"]),
        ({"scikit-learn": other(SKLEARN, 2)}, (f"scikit-learn=={SKLEARN}",), {"sklearn"}, []),
        ({"scikit-learn": other(SKLEARN, 1)}, (f"scikit-learn=={SKLEARN}",), {"numpy"}, []),
        ({}, (f"scikit_learn=={other(SKLEARN, 1)}",), {"sklearn"}, ["scikit-learn"]),
        ({}, (f"lightgbm=={other(version('lightgbm'), 0)}",), {"sklearn"}, ["lightgbm"]),
        ({}, (f"lightgbm=={other(version('lightgbm'), 1)}",), {"sklearn"}, []),
        ({}, (f"lightgbm=={other(version('lightgbm'), 0)}",), {"treelite"}, []),
        ({}, ("structlog==0.1.0",), {"sklearn"}, ["structlog"]),
        ({}, ("nowhere==1.0", "homemade"), {"sklearn"}, []),
        ({"numpy": "unknown"}, (), {"sklearn"}, ["numpy"]),
        ({}, (), {"sklearn"}, []),
    ],
)
def test_incompatible_libraries(
    folder: Path, libraries: Any, requires: Any, answering: Any, incompatible: list[str]
) -> None:
    """Libraries with which predictions may differ or fail are named with both versions; unused ones are not."""
    differences = compare(fitted(folder, libraries, *requires), answering)

    assert [text.split()[0] for text in differences.incompatible] == incompatible
    assert all("fitted it, and" in text and "is installed" in text for text in differences.incompatible)
    assert differences.differing == ()


@pytest.mark.parametrize(
    ("libraries", "answering", "differing"),
    [
        ({"python": "3.1.7"}, {"sklearn"}, ["Python"]),
        ({"python": "3.1.7"}, {"numpy"}, ["Python"]),
        ({"python": ".".join(PYTHON.split(".")[:2])}, {"sklearn"}, []),
        ({"scikit-learn": other(SKLEARN, 1)}, {"trees"}, ["scikit-learn"]),
        ({"scikit-learn": other(SKLEARN, 1)}, {"numpy", "treelite"}, []),
    ],
)
def test_differing_libraries(folder: Path, libraries: Any, answering: Any, differing: list[str]) -> None:
    """Another Python minor and other compiled trees of scikit-learn are only reported."""
    differences = compare(fitted(folder, libraries), answering)

    assert [text.split()[0] for text in differences.differing] == differing
    assert differences.incompatible == ()


def test_the_policy_decides_whether_a_version_is_refused(folder: Path) -> None:
    """By default it is refused before anything is unpickled; with `warn` it is loaded with warnings."""
    fitted(folder, {"numpy": other(NUMPY, 0), "python": "3.1.7"})

    with pytest.raises(ArtifactVersion, match=rf"numpy {other(NUMPY, 0)} fitted it, and {NUMPY} is installed"):
        read(folder)
    loaded = read(folder, versions="warn")

    assert [len(loaded.incompatible), len(loaded.differing)] == [1, 1]
