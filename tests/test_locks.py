"""The three lock files, each a subset of the next: for serving, for training too, and for tests and checks too."""

import re
import tomllib
from typing import Any

import pytest

from tests.support.server import ROOT

LOCKS = ("requirements-serve.lock", "requirements.lock", "requirements-dev.lock")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _pins(file: str) -> set[str]:
    """Return every `name==version` of a lock file with its marker."""
    return set(re.findall(r"^[a-z0-9-]+==[^\\\n]+", (ROOT / file).read_text(), re.MULTILINE))


def _locked(file: str) -> set[str]:
    return {pin.partition("==")[0] for pin in _pins(file)}


def _names(requirements: list[str]) -> set[str]:
    return {match[0].lower() for requirement in requirements if (match := re.match(r"[\w-]+", requirement))}


def _required(lock: str) -> set[str]:
    """Return the packages that a lock file must contain according to pyproject.toml."""
    project = PROJECT["project"]
    requirements = list(project["dependencies"])
    if lock != LOCKS[0]:
        requirements += project["optional-dependencies"]["train"] + PROJECT["dependency-groups"]["build"]
    if lock == LOCKS[2]:
        requirements += project["optional-dependencies"]["dev"]
    return _names(requirements)


def test_all_lock_files_have_the_same_versions() -> None:
    """Every pin of a lock file is in the next larger one, so that tested versions are those that are installed."""
    assert len(_pins(LOCKS[0])) > 20
    assert _pins(LOCKS[0]) < _pins(LOCKS[1]) < _pins(LOCKS[2])


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_its_commands_need(lock: str) -> None:
    """The image has no training packages, and serving and training install no test tools."""
    assert _required(lock) <= _locked(lock)
    assert not (_required(LOCKS[2]) - _required(lock)) & _locked(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_digests_and_no_addresses(lock: str) -> None:
    """Every package has digests, and the installer decides where to download it from."""
    text = (ROOT / lock).read_text()

    entries = re.findall(r"^[^ #].*\n {4}--hash=sha256:", text, re.MULTILINE)

    assert len(entries) == len(re.findall(r"^[^ #]", text, re.MULTILINE)) == len(_pins(lock))
    assert "//" not in text


def test_a_lock_is_installed_without_resolving() -> None:
    """Every command that installs a lock file checks digests and resolves nothing."""
    makefile, dockerfile = [(ROOT / name).read_text() for name in ("Makefile", "Dockerfile")]
    commands = re.findall(r"^.*install.* -r .*$", makefile + dockerfile, re.MULTILINE | re.IGNORECASE)

    assert len(commands) == 3
    assert all("--require-hashes" in command for command in commands)
    assert "--no-deps" in re.findall(r"^INSTALL (?:.*\\\n)*.*$", makefile, re.MULTILINE)[0]
    assert all("--no-deps" in command for command in commands if command in dockerfile)
