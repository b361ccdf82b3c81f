"""A base image for machines without a registry: their own Debian, from the mirror that apt uses."""

import os
import platform
import subprocess
import tempfile
from pathlib import Path

PACKAGES = "ca-certificates,python3,python3-venv"
DEBOOTSTRAP_S = 600


def cache() -> Path:
    """Return the folder that keeps the archive between runs and supports overlays, so images can be built in it."""
    usual = Path(tempfile.gettempdir()) / f"sepal-image-{os.geteuid()}"
    folder = Path(os.environ.get("SEPAL_TEST_IMAGE_CACHE") or usual)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def archive() -> Path:
    """The archive of a minimal system with Python, made the first time."""
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    kept = cache() / f"{suite}.tar"
    if not kept.exists():
        with tempfile.TemporaryDirectory(prefix="debian-", dir=cache()) as folder:
            _make(suite, Path(folder)).rename(kept)
    return kept


def _make(suite: str, folder: Path) -> Path:
    root, packed = folder / "root", folder / "packed.tar"
    bootstrap = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(root), _mirror(suite)]
    # In a separate mount namespace: if the command is interrupted, no mount of /proc or /sys is left in the folder.
    _call(["unshare", "--mount", *bootstrap])
    unneeded = ["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*"]
    _call(["tar", f"--directory={root}", *unneeded, f"--file={packed}", "--create", "."])
    return packed


def _mirror(suite: str) -> str:
    listed = _call(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    )
    found = [line.split()[0] for line in listed.splitlines() if line.split()[1:] == [suite, "main"]]
    assert found, f"apt knows no mirror of {suite}"
    return found[0]


def _call(command: list[str]) -> str:
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEBOOTSTRAP_S)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr
    return ended.stdout
