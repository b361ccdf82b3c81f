"""aliases.json says where each alias points."""

from pathlib import Path

import pytest

from artifacts.errors import ArtifactFormat
from artifacts.folders import Folder
from artifacts.history import Move
from artifacts.pointers import POINTERS, Pointers, read_pointers, version_of, write_pointers


def test_pointers_are_read_as_they_were_written(tmp_path: Path) -> None:
    """A model without the file has no aliases."""
    with Folder.at(tmp_path) as home:
        assert read_pointers(home, "tiny") == Pointers()
        write_pointers(tmp_path, Pointers(latest=3, aliases={"champion": 2}))

        assert read_pointers(home, "tiny") == Pointers(latest=3, aliases={"champion": 2})


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"latest": "1"}', b'{"latest": 1, "aliases": {"A": 1}}', b'{"other": 1}', b" " * (2**20 + 1)],
    ids=["empty", "list", "text", "name", "field", "large"],
)
def test_an_invalid_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    """The error names the file and the model."""
    (tmp_path / POINTERS).write_bytes(content)

    with Folder.at(tmp_path) as home, pytest.raises(ArtifactFormat, match="of model tiny cannot be read"):
        read_pointers(home, "tiny")


def test_an_alias_moves_and_is_removed() -> None:
    """A move knows the former version; without a new one the alias is removed."""
    pointers = Pointers(latest=2, aliases={"champion": 1})

    move = pointers.move_of("champion", 2)
    moved = pointers.moved(move)

    assert move == Move("champion", 1, 2)
    assert moved == Pointers(latest=2, aliases={"champion": 2})
    assert moved.moved(moved.move_of("champion", None)) == Pointers(latest=2)


@pytest.mark.parametrize(
    ("reference", "version"), [("champion", 2), ("7", 7), ("best", None), ("0", None), ("07", None), ("²", None)]
)
def test_a_reference_is_an_alias_or_a_number(reference: str, version: int | None) -> None:
    """Any other reference resolves to no version."""
    assert version_of(reference, {"champion": 2}) == version
