"""The how-tos, each pasted from top to bottom into a shell in a folder outside of the project."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.server import ROOT
from tests.support.shell_session import blocks, copy_project, paste, rounded

# Most of them train a model and start a server.
pytestmark = pytest.mark.timeout(300)

HOW_TO = ROOT / "docs" / "how-to"


def page(name: str) -> str:
    """Return the text of a how-to."""
    return (HOW_TO / f"{name}.md").read_text()


@pytest.mark.parametrize("name", ["notebook", "own-code", "dates", "python-client"])
def test_the_commands_of_a_how_to_work(tmp_path: Path, name: str) -> None:
    """Every command works outside of the project folder, and prints what the page shows."""
    copy_project(tmp_path / "clone")
    (tmp_path / "work").mkdir()
    text = page(name)

    printed = paste("\n".join(blocks(text, "sh")), tmp_path / "work", **_installed(tmp_path / "clone"))

    for expected in [*blocks(text, "json"), *blocks(text, "text")]:
        assert rounded(expected.strip()) in rounded(printed), printed


def _installed(clone: Path) -> dict[str, str]:
    """Return the environment after `pip install -e` of a clone."""
    return {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(clone)}


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def _commit(folder: Path, file: str, text: str) -> str:
    (folder / file).write_text(text)
    _git(folder, "add", "--all")
    _git(folder, "commit", "-qm", f"Change {file}")
    return _git(folder, "rev-parse", "HEAD")


@pytest.mark.parametrize("renamed", [False, True], ids=["as it is", "renamed"])
def test_a_clone_is_updated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, renamed: bool) -> None:
    """Changes of the template are merged into a clone with its own changes, also into one that was renamed."""
    for person in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{person}_NAME", "someone")
        monkeypatch.setenv(f"GIT_{person}_EMAIL", "someone@example.org")
    template, clone = tmp_path / "template", tmp_path / "clone"
    template.mkdir()
    _git(template, "init", "-q", "-b", "main")
    lines = [f"SEPAL_{number}\n" for number in range(9)]
    (template / "gone.py").write_text("import sepal\n")
    first = _commit(template, "settings.py", "".join(lines))
    _git(tmp_path, "clone", "-q", str(template), str(clone))
    once, each, *of_renamed = blocks(page("update"), "sh")
    paste(once, clone, TEMPLATE=str(template))
    if renamed:
        paste(of_renamed[0].replace("git merge", _RENAME_MAIN + "git merge"), clone, CLONED=first)
    own = (clone / "settings.py").read_text()
    _commit(clone, "settings.py", own.replace("_1\n", "_1  # ours\n"))
    (template / "gone.py").unlink()
    _commit(template, "settings.py", "".join([*lines[:-1], "SEPAL_8 = 8\n", "SEPAL_NEW\n"]))

    paste(of_renamed[0].split("git switch")[0] + "git fetch -q template\n" + of_renamed[1] if renamed else each, clone)

    prefix = "ACME" if renamed else "SEPAL"
    expected = [f"{prefix}_{number}\n" for number in range(8)] + [f"{prefix}_8 = 8\n", f"{prefix}_NEW\n"]
    expected[1] = f"{prefix}_1  # ours\n"
    assert (clone / "settings.py").read_text() == "".join(expected)
    assert not (clone / "gone.py").exists()


# CONTRIBUTING.md has renamed the clone before.
_RENAME_MAIN = "rename\ngit commit -qam Rename\n"


def test_every_how_to_is_tested_and_linked() -> None:
    """Every how-to is in these tests, and the README links to it."""
    readme = (ROOT / "README.md").read_text()

    assert {path.stem for path in HOW_TO.glob("*.md")} == {"notebook", "own-code", "dates", "python-client", "update"}
    for path in HOW_TO.glob("*.md"):
        assert f"docs/how-to/{path.name}" in readme
