"""What was measured, one JSON object a line: appended as it comes, so that a run that was cut short goes on."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.peer import Cell


@dataclass(frozen=True, slots=True)
class Machine:
    """On what and with what, said once a run."""

    processor: str
    cores: int
    system: str
    python: str
    versions: dict[str, dict[str, str]]
    seconds: int


@dataclass(frozen=True, slots=True)
class Start:
    """How a server came up, and what it takes before anybody asks more of it."""

    round: int
    peer: str
    models: int
    first_answer_s: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One cell of one server in one round; times in microseconds.

    Attributes:
        others: The share of the server's core that other processes took meanwhile.
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
        """What was measured."""
        return Cell(self.model, self.rows, self.concurrency)

    @property
    def rows_per_s(self) -> float:
        """Rows answered in a second; of requests with one row, requests."""
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
    """Add one."""
    with file.open("a") as lines:
        lines.write(json.dumps({"kind": type(record).__name__.lower(), **asdict(record)}) + "\n")


def read(lines: Iterable[str]) -> list[Record]:
    """All of them, in order."""
    found = map(json.loads, lines)
    return [_KINDS[record.pop("kind")](**record) for record in found]
