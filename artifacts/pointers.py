"""The file `aliases.json` of a model: where each alias points, and the newest version number ever given."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from artifacts.errors import ArtifactFormat
from artifacts.files import write_file
from artifacts.folders import Folder, TooLarge, artifact_errors
from artifacts.history import Move
from artifacts.manifest import NAME

CHAMPION = "champion"
POINTERS = "aliases.json"
VERSION = re.compile(r"[1-9][0-9]{0,8}")
NEWEST = 10**9 - 1
_LARGEST = 2**20

Version: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=NEWEST)]
Name: TypeAlias = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]


class Pointers(BaseModel):
    """The content of `aliases.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latest: Annotated[int, Field(strict=True, ge=0, le=NEWEST)] = 0
    aliases: dict[Name, Version] = {}

    def move_of(self, alias: str, version: int | None) -> Move:
        """Return the move of an alias to a version; None removes it."""
        return Move(alias, self.aliases.get(alias), version)

    def moved(self, move: Move) -> "Pointers":
        """Return the pointers after a move."""
        aliases = {name: version for name, version in self.aliases.items() if name != move.alias}
        if move.after is not None:
            aliases[move.alias] = move.after
        return self.model_copy(update={"aliases": aliases})


def read_pointers(home: Folder, model: str) -> Pointers:
    """
    Read a model's pointers; a model without the file has none.

    Raises:
        ArtifactFormat: The file is invalid.
    """
    try:
        return Pointers.model_validate_json(home.read(POINTERS, most=_LARGEST))
    except FileNotFoundError:
        return Pointers()
    except (ValidationError, TooLarge) as error:
        raise ArtifactFormat(f"{POINTERS} of model {model} cannot be read") from error


def write_pointers(home: Path, pointers: Pointers) -> None:
    """Replace a model's pointers."""
    with artifact_errors(POINTERS):
        write_file(home / POINTERS, json.dumps(pointers.model_dump(), indent=2).encode())


def version_of(reference: str, aliases: Mapping[str, int]) -> int | None:
    """Return the version that a text means: an alias, or a version's number; None if it is neither."""
    if reference in aliases:
        return aliases[reference]
    return int(reference) if VERSION.fullmatch(reference) else None
