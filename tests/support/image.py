"""The container image, built and run by root without a daemon, in a separate storage for the tests."""

import ast
import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.support import debian
from tests.support.keys import SECRET
from tests.support.server import ROOT, START_S, environment, free_port

TOOLS = ("buildah", "podman", "runc", "debootstrap")
RESTRICTED = ("--network=host", "--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")
PULL_S, BUILD_S, RUN_S = 120, 600, 120

# Options that need neither systemd nor limits that a container may not raise.
_CONTAINERS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


@dataclass(frozen=True)
class Storage:
    """Images and containers, all of them in one folder."""

    home: Path

    def podman(self, *arguments: str, stdin: str = "", timeout_s: float = RUN_S) -> subprocess.CompletedProcess[str]:
        """Call podman, and return the ended process without a check of its exit code."""
        return self._call([*self._command("podman"), *arguments], stdin=stdin, timeout_s=timeout_s)

    def ask(self, *arguments: str) -> str:
        """Call podman, which must succeed, and return its output."""
        return _succeeded(self.podman(*arguments)).strip()

    def make(self, image: str, base: str) -> None:
        """Build the project's image by the target that a user calls."""
        variables = {
            "IMAGE": image,
            "BASE_IMAGE": base,
            "ENGINE": shlex.join(self._command("buildah")),
            "OPTIONS": shlex.join(self._options()),
        }
        given = [f"{name}={value}" for name, value in variables.items()]
        _succeeded(self._call(["make", "-C", str(ROOT), "image", *given], timeout_s=BUILD_S))

    def build(self, folder: Path, image: str) -> None:
        """Build the image of the Dockerfile in a folder."""
        command = [*self._command("buildah"), "build", *self._options(), f"--tag={image}", str(folder)]
        _succeeded(self._call(command, timeout_s=BUILD_S))

    def find_base(self) -> str:
        """Return the base image: the requested one, else that of the Dockerfile, else one that is made here."""
        [usual] = re.findall(r"^ARG BASE_IMAGE=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        asked = os.environ.get("SEPAL_TEST_BASE_IMAGE")
        pulled = self.podman("pull", asked or usual, timeout_s=PULL_S)
        if pulled.returncode == 0:
            return asked or usual
        assert not asked, pulled.stderr
        self.ask("import", str(debian.archive()), "localhost/debian")
        return "localhost/debian"

    def _command(self, program: str) -> list[str]:
        return [program, "--storage-driver=overlay", f"--root={self.home}/images", f"--runroot={self.home}/run"]

    def _options(self) -> list[str]:
        mounts = {f"{self.home}/pip.conf": "/etc/pip.conf"} | {path: path for path in _paths(_pip_settings())}
        volumes = [f"--volume={source}:{target}:ro" for source, target in mounts.items()]
        return ["--isolation=chroot", "--network=host", *volumes]

    def _call(self, command: list[str], *, timeout_s: float, stdin: str = "") -> subprocess.CompletedProcess[str]:
        env = {**environment(), "CONTAINERS_CONF": f"{self.home}/containers.conf", "BUILDAH_FORMAT": "docker"}
        return subprocess.run(
            command, check=False, env=env, input=stdin, capture_output=True, text=True, timeout=timeout_s
        )


@dataclass(frozen=True)
class Container:
    """A running container, and a client for it."""

    storage: Storage
    name: str
    client: httpx2.Client

    def call(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        return self.storage.podman("exec", "--interactive", self.name, *command, stdin=stdin)

    def stop(self) -> int:
        """Send SIGTERM, and return the exit code."""
        self.storage.ask("kill", "--signal=TERM", self.name)
        return int(self.storage.ask("wait", self.name))

    def await_answer(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                self.client.get("/health/live")
            except httpx2.TransportError:
                time.sleep(0.1)
            else:
                return
        logs = self.storage.podman("logs", self.name)
        raise AssertionError(f"no answer within {START_S} s:\n{logs.stdout}{logs.stderr}")


@contextmanager
def storage() -> Iterator[Storage]:
    """Yield an empty storage, which is removed afterwards with its containers."""
    home = Path(tempfile.mkdtemp(prefix="images-", dir=debian.cache()))
    (home / "containers.conf").write_text(_CONTAINERS)
    _write_pip_conf(home / "pip.conf")
    empty = Storage(home)
    try:
        yield empty
    finally:
        empty.podman("rm", "--all", "--force", "--volumes")
        # Podman bind-mounts its folder onto itself, and does not unmount it.
        subprocess.run(["umount", f"{home}/images/overlay"], check=False, capture_output=True)
        shutil.rmtree(home)


@contextmanager
def serving(storage: Storage, image: str, *options: str, **settings: object) -> Iterator[Container]:
    """Run a server on loopback with the restrictions of docs/operations.md, until the end of the block."""
    port = free_port()
    trusted = os.environ["SEPAL_TRUSTED_KEYS"]
    settings = {"secret_key": SECRET, "trusted_keys": trusted, "host": "127.0.0.1", "port": port, **settings}
    variables = [f"--env=SEPAL_{name.upper()}={value}" for name, value in settings.items()]
    name = storage.ask("run", "--detach", *RESTRICTED, *variables, *options, image)
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        container = Container(storage, name, client)
        try:
            container.await_answer()
            yield container
        finally:
            storage.ask("rm", "--force", "--time=0", "--volumes", name)


def _succeeded(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-5000:]
    return ended.stdout


def _pip_settings() -> dict[str, str]:
    """Return the settings of pip on this machine, such as mirror and certificates; the environment wins over files."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    lines = sorted((line.partition("=") for line in listed.splitlines()), key=lambda line: line[0].startswith(":env:"))
    return {name.rpartition(".")[2]: ast.literal_eval(value) for name, _, value in lines}


def _write_pip_conf(file: Path) -> None:
    parser = configparser.RawConfigParser()
    parser["global"] = _pip_settings()
    with file.open("w") as handle:
        parser.write(handle)


def _paths(settings: dict[str, str]) -> set[str]:
    """Return the existing paths that the settings name, such as certificates and folders of packages."""
    words = " ".join(settings.values()).split()
    files = {word for word in words if word.startswith("/")}
    # An index that is a folder links to files next to it.
    indexes = {str(Path(word.removeprefix("file://")).parent) for word in words if word.startswith("file://")}
    return {path for path in files | indexes if Path(path).exists()}
