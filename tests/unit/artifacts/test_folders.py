"""Only regular files in the folders of a store are opened, and links are not followed."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts import Store
from artifacts.errors import ArtifactError, ArtifactPath, ArtifactUnreadable
from artifacts.folders import Folder, TooLarge
from artifacts.history import HISTORY
from artifacts.pointers import POINTERS
from artifacts.version_folder import LABELS, MANIFEST, MODEL, SIGNATURE
from tests.support import tiny_models
from tests.support.server import ROOT
from tests.support.version_folders import Trap, amend, read, stranger

# Puts something else in the place of a file that was moved elsewhere.
Thing = Callable[[Path, Path], object]


def _socket(path: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        before = Path.cwd()
        os.chdir(path.parent)
        bound.bind(path.name)
        os.chdir(before)


THINGS: dict[str, Thing] = {
    "link": lambda path, elsewhere: path.symlink_to(elsewhere),
    "hard link": lambda path, elsewhere: path.hardlink_to(elsewhere),
    "link to itself": lambda path, _: path.symlink_to(path),
    "link to nothing": lambda path, _: path.symlink_to(path.parent / "nothing"),
    "pipe": lambda path, _: os.mkfifo(path),
    "socket": _socket,
    "device": lambda path, _: path.symlink_to("/dev/zero"),
    "folder": lambda path, _: path.mkdir(),
}


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, MODEL, LABELS])
@pytest.mark.timeout(20)
def test_only_regular_files_are_opened(folder: Path, name: str, thing: str) -> None:
    """Anything else is refused without blocking."""
    elsewhere = (folder / name).rename(folder.parent / name)
    THINGS[thing](folder / name, elsewhere)

    with pytest.raises(ArtifactPath, match=f"'{name}' is a"):
        read(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
@pytest.mark.timeout(20)
def test_a_device_is_not_opened(folder: Path) -> None:
    """A device instead of a file is refused."""
    (folder / MODEL).unlink()
    try:
        os.mknod(folder / MODEL, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this container makes no devices")

    with pytest.raises(ArtifactPath, match="a device"):
        read(folder)


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.timeout(20)
def test_pointers_and_history_must_be_regular_files(tmp_path: Path, thing: str) -> None:
    """Anything else instead of aliases.json or the history is refused."""
    store = Store(tmp_path)
    tiny_models.make().publish(store)
    for name in (POINTERS, HISTORY):
        elsewhere = (tmp_path / "tiny" / name).rename(tmp_path / name)
        THINGS[thing](tmp_path / "tiny" / name, elsewhere)

    with pytest.raises(ArtifactPath):
        store.aliases("tiny")
    with pytest.raises(ArtifactPath):
        store.history("tiny")
    with pytest.raises(ArtifactError):
        tiny_models.make().publish(store)


@pytest.mark.parametrize("place", ["tiny", "tiny/1"])
def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, place: str) -> None:
    """A model or a version whose folder is a link is refused, also if it points to a valid one."""
    store = Store(tmp_path / "store")
    tiny_models.make().publish(store)
    elsewhere = (store.root / place).rename(tmp_path / "elsewhere")
    (store.root / place).symlink_to(elsewhere)

    assert store.models() == ["tiny"]
    for load in (lambda: store.load("tiny", 1), lambda: store.promote("tiny", 1), lambda: store.sign("tiny", 1)):
        with pytest.raises(ArtifactPath, match="a link, and a folder is expected"):
            load()
    if place == "tiny":
        with pytest.raises(ArtifactPath):
            tiny_models.make().publish(store)
        assert sorted(path.name for path in elsewhere.iterdir()) == [".lock", "1", POINTERS, HISTORY]


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    """Publishing under the name of a dangling link creates nothing where it points to."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "tiny").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ArtifactPath):
        tiny_models.make().publish(Store(tmp_path / "store"))

    assert not (tmp_path / "elsewhere").exists()


def test_the_folder_of_the_store_may_be_a_link(tmp_path: Path) -> None:
    """The operator decides where the store is."""
    tiny_models.make().publish(Store(tmp_path / "store"))
    (tmp_path / "link").symlink_to("store")

    assert Store(tmp_path / "link").load("tiny", 1).manifest.model == "tiny"


NAMES = [
    "../secret",
    "/etc/passwd",
    "a//b",
    "a/b",
    "C:\\secret",
    "..",
    ".",
    ".hidden",
    "",
    "a#b",
    "a?b",
    "file:///etc/passwd",
    "MODEL.joblib",
    "model\x00",
    "model\n",
    "x" * 65,
    "mоdel",  # noqa: RUF001  # the second letter is Cyrillic
    "-rf",
    "~root",
    "%2e%2e%2fsecret",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_manifest_lists_valid_file_names(folder: Path, name: str) -> None:
    """Even a signed manifest must not list a path; the message is one printable line."""
    amend(folder, lambda manifest: manifest["files"].update({name: "0" * 64}))

    with pytest.raises(ArtifactPath, match="not a valid file name") as refused:
        read(folder)

    assert str(refused.value).isprintable()


# Loads the models of a store under an audit hook; prints which files were opened and how much was unpickled.
_WATCH = """
import json, sys
from pathlib import Path
from artifacts import Store
from artifacts.errors import ArtifactError
good, bad = Store(Path(sys.argv[1])), Store(Path(sys.argv[2]))
good.load("tiny", 1)
opened, unpickled = [], []
def hook(event, args):
    if event == "open":
        opened.append(str(args[0]))
    if event == "pickle.find_class":
        unpickled.append(args)
sys.addaudithook(hook)
refused = {}
for model in bad.models():
    try:
        bad.load(model, 1)
    except ArtifactError as error:
        refused[model] = error.slug
seen, before = list(opened), len(unpickled)
good.load("tiny", 1)
print(json.dumps({"refused": refused, "opened": seen, "bad": before, "good": len(unpickled) - before}))
"""


def _spoil(root: Path, model: str, *, sprung: Path) -> None:
    """Attack a version in one way, as an attacker who can write to the store but not sign, to run code."""
    folder = root / model / "1"
    trap = tiny_models.pickle(Trap(str(sprung)))
    if model == "unsigned":
        (folder / SIGNATURE).unlink()
    if model in {"unsigned", "resealed", "forged"}:
        document = json.loads((folder / MANIFEST).read_bytes())
        document["files"][MODEL] = hashlib.sha256(trap).hexdigest()
        document["sizes"][MODEL] = len(trap)
        (folder / MANIFEST).write_text(json.dumps(document))
        (folder / MODEL).write_bytes(trap)
    if model == "forged":
        (folder / SIGNATURE).write_bytes(stranger().sign((folder / MANIFEST).read_bytes()))
    if model == "changed":
        (folder / MODEL).write_bytes(trap)
    if model == "extra":
        (folder / "extra.cloudpickle").write_bytes(trap)
    if model == "linked":
        (root / "trap").write_bytes(trap)
        (folder / MODEL).unlink()
        (folder / MODEL).symlink_to(root / "trap")
    if model == "rolled-back":
        shutil.rmtree(folder)
        shutil.copytree(root / "changed" / "1", folder)


def test_no_file_outside_the_store_is_opened_or_unpickled(tmp_path: Path) -> None:
    """Each way to smuggle a pickle into a store is refused before any opcode runs; a valid version is unpickled."""
    expected = {
        "changed": "artifact-digest",
        "extra": "artifact-incomplete",
        "forged": "artifact-untrusted",
        "linked": "artifact-path",
        "resealed": "artifact-signature",
        "rolled-back": "artifact-rollback",
        "unsigned": "artifact-untrusted",
    }
    tiny_models.make().publish(Store(tmp_path / "good"))
    for model in expected:
        tiny_models.make().publish(Store(tmp_path / "bad"), model=model)
    for model in sorted(expected):
        _spoil(tmp_path / "bad", model, sprung=tmp_path / "sprung")

    ran = subprocess.run(
        [sys.executable, "-c", _WATCH, str(tmp_path / "good"), str(tmp_path / "bad")],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr.decode()
    seen = json.loads(ran.stdout)
    assert seen["refused"] == expected
    assert seen["bad"] == 0
    assert seen["good"] > 0
    assert not (tmp_path / "sprung").exists()
    keys = os.environ["SEPAL_SIGNING_KEY"]
    allowed = {str(tmp_path / "good"), str(tmp_path / "bad"), keys, f"{keys}.pub"}
    assert {path for path in seen["opened"] if "/" in path} <= allowed


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """The size is checked before the content is read."""
    (tmp_path / "file").write_bytes(b"12345")

    with Folder.at(tmp_path) as folder:
        assert folder.read("file", most=5) == b"12345"
        with pytest.raises(TooLarge):
            folder.read("file", most=4)


def test_an_error_of_the_file_system_is_an_artifact_error(tmp_path: Path) -> None:
    """A name that is too long for the file system is ArtifactUnreadable."""
    with Folder.at(tmp_path) as folder, pytest.raises(ArtifactUnreadable, match="File name too long"):
        folder.read("x" * 300, most=1)


def test_an_appended_line_begins_a_new_line(tmp_path: Path) -> None:
    """After an incomplete line of a killed writer, the next one is appended on a new line."""
    with Folder.at(tmp_path) as folder:
        folder.append("lines", b"one")
        with (tmp_path / "lines").open("ab") as file:
            file.write(b"tor")
        folder.append("lines", b"two")

    assert (tmp_path / "lines").read_bytes() == b"one\ntor\ntwo\n"
