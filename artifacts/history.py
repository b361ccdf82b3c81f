"""The history of a model: what was done to it, by whom and when. Lines are added and never changed."""

import os
import pwd
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from artifacts.folders import Folder

HISTORY = "history.jsonl"
_LARGEST = 64 * 2**20
_LONGEST_NAME = 128

Action: TypeAlias = Literal["published", "promoted", "unaliased", "signed", "deleted"]


class Event(BaseModel):
    """
    One line of the history.

    Attributes:
        by: Who did it; by default the user of the operating system.
        alias: The alias that moved, if one did: `from` a version `to` another; without `to` it was removed.
        version: The version that it is about.
        key: The id of the key that signed that version; empty if no trusted key did.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    at: AwareDatetime
    by: str
    event: Action
    version: PositiveInt
    key: str
    alias: str | None = None
    before: PositiveInt | None = Field(None, alias="from")
    after: PositiveInt | None = Field(None, alias="to")


class Move(NamedTuple):
    """The move of an alias from one version to another; None: it did not exist before, or does not exist after."""

    alias: str
    before: int | None
    after: int | None


def write(home: Folder, event: Action, *, by: str, version: int, key: str, moved: Move | None = None) -> None:
    """
    Add a line to a model's history, before the change is made, so that no change is missing there.

    Raises:
        ArtifactUnreadable: The file cannot be written.
    """
    line = Event(
        at=datetime.now(UTC),
        by=(by or _user())[:_LONGEST_NAME],
        event=event,
        version=version,
        key=key,
        **(moved._asdict() if moved else {}),
    )
    home.append(HISTORY, line.model_dump_json(by_alias=True, exclude_none=True).encode())


def read(home: Folder) -> Iterator[Event | None]:
    """Yield every line, oldest first; None for one that a crash cut short."""
    try:
        lines = home.read(HISTORY, most=_LARGEST).splitlines()
    except FileNotFoundError:
        return
    for line in filter(None, lines):
        try:
            yield Event.model_validate_json(line)
        except ValidationError:
            yield None


def champions_before(events: Sequence[Event | None], champion: int, *, alias: str) -> list[int]:
    """
    Return the versions that an alias pointed to before this one, the latest first.

    Invalid lines are ignored, and so is a move that a crash prevented: a version was champion if the alias moved away
    from it.
    """
    moves = [event for event in events if event is not None and event.alias == alias]
    made = max((place for place, move in enumerate(moves) if move.after == champion), default=None)
    # If no line is about this champion, the last known move ended at the one before it.
    last = [moves[-1].after] if moves and made is None else []
    stood = [move.before for move in reversed(moves[: None if made is None else made + 1])]
    found = dict.fromkeys(version for version in (*last, *stood) if version is not None)
    return [version for version in found if version != champion]


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # In a container, the user may have no name.
        return f"uid {os.getuid()}"
