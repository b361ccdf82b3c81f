"""The two lock files: what a user installs, and the part of it that the container image installs."""

import re
import tomllib

from tests.server import ROOT


def _pins(file: str) -> set[str]:
    """Every `name==version` of a lock file."""
    return set(re.findall(r"^[a-z0-9-]+==[^ ]+", (ROOT / file).read_text(), re.MULTILINE))


def _names(requirements: list[str]) -> set[str]:
    return {match[0].lower() for requirement in requirements if (match := re.match(r"[\w-]+", requirement))}


def test_the_image_has_the_versions_that_were_tested() -> None:
    """Each pin of requirements-serve.lock stands in requirements.lock, so `make lock` wrote both."""
    assert len(_pins("requirements-serve.lock")) > 20
    assert _pins("requirements-serve.lock") <= _pins("requirements.lock")


def test_the_image_serves_and_does_not_train() -> None:
    """requirements-serve.lock has all that the project depends on, and nothing that only an extra asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = _names(project["dependencies"])
    extra = _names([name for names in project["optional-dependencies"].values() for name in names]) - needed

    locked = {pin.partition("==")[0] for pin in _pins("requirements-serve.lock")}

    assert needed <= locked
    assert not extra & locked


def test_a_lock_is_installed_as_it_is() -> None:
    """Every command that installs a lock checks digests and resolves nothing: the lock is complete."""
    commands = [
        line
        for name in ("Makefile", "Dockerfile")
        for line in (ROOT / name).read_text().splitlines()
        if "install" in line and ".lock" in line
    ]

    assert len(commands) == 2
    assert all("--no-deps" in command and "--require-hashes" in command for command in commands)
