"""What was done to a model, by whom and when: lines that are added, and never changed."""

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

Deed: TypeAlias = Literal["published", "promoted", "unaliased", "signed", "deleted"]


class Event(BaseModel):
    """
    One line.

    Attributes:
        by: Who; the user of the operating system where nobody said.
        alias: Which pointer moved, `from` where, `to` where (nowhere if it was removed); of what moves none, nothing.
        version: Which version it is about.
        key: Which key had signed that version; empty where no trusted key had, and it was deleted.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    at: AwareDatetime
    by: str
    event: Deed
    version: PositiveInt
    key: str
    alias: str | None = None
    before: PositiveInt | None = Field(None, alias="from")
    after: PositiveInt | None = Field(None, alias="to")


class Move(NamedTuple):
    """An alias that pointed somewhere, or nowhere, and now points elsewhere, or nowhere."""

    alias: str
    before: int | None
    after: int | None


def write(home: Folder, event: Deed, *, by: str, version: int, key: str, moved: Move | None = None) -> None:
    """
    Add a line to a model's history, before the deed: nothing happens that is not told.

    Raises:
        ArtifactUnreadable: It cannot be written.
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
    """Every line, oldest first; None for one that a crash cut short."""
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

    Lines that cannot be read are passed over, and so is a move that a crash prevented: what counts is where an alias
    stood when it was moved away.
    """
    moves = [event for event in events if event is not None and event.alias == alias]
    made = max((place for place, move in enumerate(moves) if move.after == champion), default=None)
    # Where nothing tells of this champion, the last move that is known ended at the one before it.
    last = [moves[-1].after] if moves and made is None else []
    stood = [move.before for move in reversed(moves[: None if made is None else made + 1])]
    found = dict.fromkeys(version for version in (*last, *stood) if version is not None)
    return [version for version in found if version != champion]


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container runs as a number that no file names.
        return f"uid {os.getuid()}"
