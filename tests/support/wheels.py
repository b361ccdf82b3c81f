"""Write wheels for tests, a folder of wheels as an index, and a project that installs them."""

import hashlib
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

_PYPROJECT = """
[build-system]
requires = []
build-backend = "wheels"
backend-path = ["."]
"""


def wheel(folder: Path, name: str, version: str, *, requires: Sequence[str] = (), extras: Sequence[str] = ()) -> Path:
    """
    Write a wheel of one module, whose `VERSION` is the version.

    Args:
        folder: Where to write it; a folder of wheels is an index for pip's and uv's --find-links.
        name: Of the distribution and of its module.
        version: Its version.
        requires: What it depends on.
        extras: The names of its extras, which require nothing.
    """
    info = f"{name}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    metadata += [f"Provides-Extra: {extra}" for extra in extras]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},," for path in (*files, f"{info}/RECORD")]
    written = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(written, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": "\n".join(record) + "\n"}.items():
            archive.writestr(path, text)
    return written


def build_editable(folder: str, config_settings: object = None, metadata_directory: str | None = None) -> str:
    """Build the project; this module is its build backend, which needs no other package."""
    return wheel(Path(folder), "project", "1.0").name


def write_project(here: Path) -> None:
    """Write what makes a folder an installable project."""
    (here / "pyproject.toml").write_text(_PYPROJECT)
    shutil.copy2(__file__, here / "wheels.py")


def lock(file: Path, *wheels: Path) -> None:
    """Pin these wheels, with their digests, as `make lock` pins packages."""
    lines = []
    for path in wheels:
        name, version = path.name.split("-")[:2]
        lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n")
    file.write_text("".join(lines))
