"""Write a file whole: readers see the former content or the new one, also after a crash."""

import os
import secrets
from pathlib import Path

TEMPORARY = ".staging-"
"""How the names of temporary files and folders begin; the next publication removes those of a crash."""


def write_file(
    path: Path, content: bytes, *, mode: int = 0o666, folder: Path | None = None, replace: bool = True
) -> None:
    """
    Write a file under a temporary name, sync it, and give it its own name in one step.

    Args:
        path: Where the file belongs. A link there is replaced, not followed.
        content: All of it.
        mode: The permissions of a new file, less those that the umask takes.
        folder: Folder of the temporary file, on the same file system; by default that of the file.
        replace: Whether a file of that name is replaced.

    Raises:
        FileExistsError: There is a file of that name, and `replace` is false.
        OSError: The file cannot be written; the former one is unchanged.
    """
    temporary = temporary_path(folder or path.parent)
    try:
        write_synced(temporary, content, mode=mode)
        if replace:
            temporary.replace(path)
        else:
            # A link, not a rename: of several processes at once the first one succeeds, and nothing is replaced.
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_synced(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Create a file and wait until the disk has it; whatever has that name already, a link too, is an error."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's entries: after a rename, the rename itself."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_path(folder: Path) -> Path:
    """Return a path in a folder that no file has."""
    return folder / f"{TEMPORARY}{secrets.token_hex(8)}"
