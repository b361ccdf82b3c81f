"""Read the folders of a store without following links, waiting for pipes or opening devices."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from artifacts.errors import ArtifactPath, ArtifactUnreadable
from artifacts.text import shorten

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe in place of a file would wait for a writer.
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_CHUNK = 1 << 24
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class TooLarge(Exception):
    """A file is larger than allowed."""


class Folder:
    """
    An open folder: names are looked up in it also after its path was renamed or replaced.

    The type of every name is checked before it is opened and again afterwards: opening a device may already do harm,
    and the file may be replaced between the two checks.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def at(cls, path: Path) -> Self:
        """
        Open a folder; its own path may contain links.

        Raises:
            FileNotFoundError: There is none.
            ArtifactUnreadable: The file system returned an error.
        """
        with artifact_errors(path.name):
            return cls(os.open(path.resolve(), _FOLDER))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def enter(self, name: str) -> "Folder":
        """
        Open a folder in this one.

        Raises:
            FileNotFoundError: There is no folder of that name.
            ArtifactPath: It is a link.
        """
        with artifact_errors(name):
            kind = stat.S_IFMT(self._stat(name).st_mode)
            if kind == stat.S_IFLNK:
                raise ArtifactPath(name, "a link, and a folder is expected")
            if kind != stat.S_IFDIR:
                raise FileNotFoundError(errno.ENOENT, "no folder", name)
            return Folder(os.open(name, _FOLDER, dir_fd=self._descriptor))

    def folders(self) -> list[str]:
        """Return the names of the folders in it, and of links, which `enter` refuses."""
        with artifact_errors("the folder"), os.scandir(self._descriptor) as entries:
            return [entry.name for entry in entries if entry.is_symlink() or entry.is_dir(follow_symlinks=False)]

    def names(self) -> set[str]:
        """Return the names of all files and folders in it."""
        with artifact_errors("the folder"), os.scandir(self._descriptor) as entries:
            return {entry.name for entry in entries}

    def read(self, name: str, *, most: int) -> bytes:
        """
        Return all bytes of a regular file.

        Raises:
            FileNotFoundError: There is no such file.
            ArtifactPath: It is not a regular file, or it has a second name (a hard link).
            ArtifactUnreadable: The file system returned an error.
            TooLarge: It has more than `most` bytes.
        """
        with artifact_errors(name):
            self._check_regular(name, self._stat(name))
            descriptor = os.open(name, os.O_RDONLY | _FILE, dir_fd=self._descriptor)
            with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  # a descriptor has no path
                about = os.fstat(descriptor)
                self._check_regular(name, about)
                if about.st_size > most:
                    raise TooLarge(name)
                return b"".join(_chunks(file.read, about.st_size))

    def check_no_folder(self, name: str) -> None:
        """
        Check that a file of that name can be created or replaced.

        Raises:
            ArtifactPath: A folder has that name.
        """
        with suppress(FileNotFoundError), artifact_errors(name):
            if stat.S_ISDIR(self._stat(name).st_mode):
                raise ArtifactPath(name, "a folder, and a file is expected")

    def append(self, name: str, line: bytes) -> None:
        """
        Append a line to a file and wait until the disk has it; an incomplete line before it is ended first.

        Raises:
            ArtifactPath: It is not a regular file, or it has a second name (a hard link).
        """
        with artifact_errors(name):
            with suppress(FileNotFoundError):
                self._check_regular(name, self._stat(name))
            descriptor = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | _FILE, 0o644, dir_fd=self._descriptor)
            try:
                about = os.fstat(descriptor)
                self._check_regular(name, about)
                is_torn = about.st_size > 0 and os.pread(descriptor, 1, about.st_size - 1) != b"\n"
                os.write(descriptor, b"\n" * is_torn + line + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for the folder's lock and hold it; the system releases it when the process ends."""
        with artifact_errors(".lock"):
            descriptor = os.open(".lock", os.O_RDWR | os.O_CREAT | _FILE, 0o644, dir_fd=self._descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _stat(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def _check_regular(self, name: str, about: os.stat_result) -> None:
        if not stat.S_ISREG(about.st_mode):
            raise ArtifactPath(name, f"{_KINDS.get(stat.S_IFMT(about.st_mode), 'not a file')}, and a file is expected")
        # A file that was replaced since it was opened has none left, and is complete.
        if about.st_nlink > 1:
            raise ArtifactPath(name, "a file with a second name (a hard link), through which it may be changed")


def _chunks(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """Yield at most so many bytes, also if the file grows meanwhile."""
    while size > 0 and (chunk := read(min(size, _CHUNK))):
        size -= len(chunk)
        yield chunk


@contextmanager
def artifact_errors(name: str) -> Iterator[None]:
    """
    Translate the file system's errors about a name; FileNotFoundError is passed on.

    Raises:
        ArtifactPath: The name is that of a link.
        ArtifactUnreadable: Any other error.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:
        raise FileNotFoundError(errno.ENOENT, "no folder", name) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ArtifactPath(name, "a link, and a file is expected") from error
        raise ArtifactUnreadable(f"the file system cannot access '{shorten(name)}': {error.strerror}") from error
