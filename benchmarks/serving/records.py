"""The records of measurements, one JSON object per line, appended at once so that an interrupted run can continue."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.peer import Cell


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and the library versions, recorded once per run."""

    processor: str
    cores: int
    system: str
    python: str
    versions: dict[str, dict[str, str]]
    seconds: int


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a server: the time until its first response, and its memory when idle."""

    round: int
    peer: str
    models: int
    first_answer_s: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One cell of one server in one round.

    Attributes:
        others: The share of the server's core that other processes used.
    """

    round: int
    peer: str
    model: str
    rows: int
    concurrency: int
    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    errors: int
    others: float

    @property
    def cell(self) -> Cell:
        """The cell that was measured."""
        return Cell(self.model, self.rows, self.concurrency)

    @property
    def rows_per_s(self) -> float:
        """Rows predicted per second; for requests with one row, requests per second."""
        return self.requests * self.rows / self.seconds


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a server was not measured with a model."""

    round: int
    peer: str
    model: str
    reason: str


Record = Machine | Start | Figure | Failure
_KINDS: dict[str, Any] = {kind.__name__.lower(): kind for kind in (Machine, Start, Figure, Failure)}


def append(file: Path, record: Record) -> None:
    """Append one record."""
    with file.open("a") as lines:
        lines.write(json.dumps({"kind": type(record).__name__.lower(), **asdict(record)}) + "\n")


def read(lines: Iterable[str]) -> list[Record]:
    """Return all records in order."""
    return [_KINDS[record.pop("kind")](**record) for record in map(json.loads, lines)]
