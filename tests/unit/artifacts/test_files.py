"""Files are written whole, and under their own name in one step."""

from pathlib import Path

import pytest

from artifacts.files import write_file, write_synced


def test_a_file_is_replaced(tmp_path: Path) -> None:
    """The new content replaces the former one, and no temporary file is left."""
    (tmp_path / "file").write_bytes(b"former")

    write_file(tmp_path / "file", b"new", mode=0o600)

    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Nothing is written where a link with the name of the file leads."""
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")

    write_file(tmp_path / "file", b"new")

    assert not (tmp_path / "file").is_symlink()
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_must_not_be_replaced_stays(tmp_path: Path) -> None:
    """With `replace=False` the first writer succeeds, the second one gets an error, and no temporary file is left."""
    write_file(tmp_path / "file", b"first", replace=False)

    with pytest.raises(FileExistsError):
        write_file(tmp_path / "file", b"second", replace=False)

    assert (tmp_path / "file").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_temporary_file_may_be_in_another_folder(tmp_path: Path) -> None:
    """A folder whose files are listed never contains the temporary file."""
    (tmp_path / "version").mkdir()
    (tmp_path / "version").chmod(0o755)

    write_file(tmp_path / "version" / "file", b"new", folder=tmp_path)

    assert (tmp_path / "version" / "file").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["version"]


def test_an_error_leaves_the_former_file(tmp_path: Path) -> None:
    """A file that cannot be renamed over a folder raises the system's error, and the temporary file is removed."""
    (tmp_path / "file").mkdir()

    with pytest.raises(OSError, match="directory"):
        write_file(tmp_path / "file", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_new_file_needs_a_free_name(tmp_path: Path) -> None:
    """`write_synced` creates files only, and refuses the name of a dangling link."""
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileExistsError):
        write_synced(tmp_path / "file", b"new")

    assert not (tmp_path / "elsewhere").exists()
