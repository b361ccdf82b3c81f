"""What lies in a store, opened so that no link, no pipe and no path leads anywhere else."""

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
# Without O_NONBLOCK, to open a pipe that took the file's place would wait for somebody to write into it.
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
    """A file is larger than it may be; nothing of it was kept."""


class Folder:
    """
    A folder that is open: whatever becomes of its path meanwhile, names mean what is in this one.

    Every name is looked at before it is opened, and the open file once more: to open a device can already do harm,
    and between the two looks another thing may take its place.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def at(cls, path: Path) -> Self:
        """
        Open the folder from which all names are counted; its own path may lead through links.

        Raises:
            FileNotFoundError: There is none.
            ArtifactUnreadable: The file system does not hand it out.
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
            kind = stat.S_IFMT(self._look(name).st_mode)
            if kind == stat.S_IFLNK:
                raise ArtifactPath(name, "a link, and a folder is expected")
            if kind != stat.S_IFDIR:
                raise FileNotFoundError(errno.ENOENT, "no folder", name)
            return Folder(os.open(name, _FOLDER, dir_fd=self._descriptor))

    def folders(self) -> list[str]:
        """The names of the folders in it; a link may be one, and is told when it is entered."""
        with artifact_errors("the folder"), os.scandir(self._descriptor) as entries:
            return [entry.name for entry in entries if entry.is_symlink() or entry.is_dir(follow_symlinks=False)]

    def names(self) -> set[str]:
        """The names of all that is in it."""
        with artifact_errors("the folder"), os.scandir(self._descriptor) as entries:
            return {entry.name for entry in entries}

    def read(self, name: str, *, most: int) -> bytes:
        """
        All bytes of a plain file.

        Raises:
            FileNotFoundError: It is not there.
            ArtifactPath: It is anything but a file that has this one name.
            ArtifactUnreadable: The file system does not hand it out.
            TooLarge: It has more than so many bytes.
        """
        with artifact_errors(name):
            self._demand_plain(name, self._look(name))
            descriptor = os.open(name, os.O_RDONLY | _FILE, dir_fd=self._descriptor)
            with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  # a descriptor has no path
                about = os.fstat(descriptor)
                self._demand_plain(name, about)
                if about.st_size > most:
                    raise TooLarge(name)
                return b"".join(_chunks(file.read, about.st_size))

    def demand_no_folder(self, name: str) -> None:
        """
        Make sure that a file can be put there in one step.

        Raises:
            ArtifactPath: A folder has that name.
        """
        with suppress(FileNotFoundError), artifact_errors(name):
            if stat.S_ISDIR(self._look(name).st_mode):
                raise ArtifactPath(name, "a folder, and a file is expected")

    def append(self, name: str, line: bytes) -> None:
        """
        Add a line to a file, on a line of its own whatever the last writer left behind, and wait until the disk has it.

        Raises:
            ArtifactPath: It is anything but a file that has this one name.
        """
        with artifact_errors(name):
            with suppress(FileNotFoundError):
                self._demand_plain(name, self._look(name))
            descriptor = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | _FILE, 0o644, dir_fd=self._descriptor)
            try:
                about = os.fstat(descriptor)
                self._demand_plain(name, about)
                is_torn = about.st_size > 0 and os.pread(descriptor, 1, about.st_size - 1) != b"\n"
                os.write(descriptor, b"\n" * is_torn + line + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Take turns with all others who ask for this; the lock dies with its holder."""
        with artifact_errors(".lock"):
            descriptor = os.open(".lock", os.O_RDWR | os.O_CREAT | _FILE, 0o644, dir_fd=self._descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _look(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def _demand_plain(self, name: str, about: os.stat_result) -> None:
        if not stat.S_ISREG(about.st_mode):
            raise ArtifactPath(name, f"{_KINDS.get(stat.S_IFMT(about.st_mode), 'no file')}, and a file is expected")
        # None is left where the file was replaced since it was opened: it is whole all the same.
        if about.st_nlink > 1:
            raise ArtifactPath(name, "a file with a second name, by which others may change it")


def _chunks(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """So many bytes at most, though the file may grow meanwhile."""
    while size > 0 and (chunk := read(min(size, _CHUNK))):
        size -= len(chunk)
        yield chunk


@contextmanager
def artifact_errors(name: str) -> Iterator[None]:
    """
    Ask the file system for something of that name.

    Raises:
        ArtifactPath: A link stands in its place.
        ArtifactUnreadable: The file system refuses; that something is not there is told as ever.
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
        raise ArtifactUnreadable(f"the file system refuses '{shorten(name)}': {error.strerror}") from error
