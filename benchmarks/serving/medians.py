"""Medians of the figures of several rounds; figures with a failed request are left out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.serving.peer import Cell
from benchmarks.serving.records import Failure, Figure, Machine, Record, Start


@dataclass(frozen=True, slots=True)
class Median:
    """One cell of one server over the rounds."""

    rows_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Idle:
    """An idle server."""

    first_answer_s: float
    memory_mib: float


class Medians:
    """The medians of all records."""

    def __init__(self, measured: Sequence[Record]) -> None:
        [self.machine] = [record for record in measured if isinstance(record, Machine)]
        figures, starts = defaultdict(list), defaultdict(list)
        for record in measured:
            if isinstance(record, Figure):
                figures[record.peer, record.cell].append(record)
            if isinstance(record, Start):
                starts[record.peer, record.models].append(record)
        self.rounds = max(map(len, figures.values()), default=0)
        self.void = [figure for kept in figures.values() for figure in kept if _is_void(figure)]
        self.failures = {
            (record.peer, record.model): record.reason for record in measured if isinstance(record, Failure)
        }
        self.others = sorted(figure.others for kept in figures.values() for figure in kept)
        self._cells = {key: of_rounds for key, kept in figures.items() if (of_rounds := _median(kept))}
        self._starts = {key: _idle(kept) for key, kept in starts.items()}

    @property
    def peers(self) -> list[str]:
        """Every server, in the order of the records."""
        return list(dict.fromkeys([*self.machine.versions, *(peer for peer, _ in self._cells)]))

    def of(self, peer: str, cell: Cell) -> Median | None:
        """Return one cell of one server, or None if it was not measured or every measurement had errors."""
        return self._cells.get((peer, cell))

    def idle(self, peer: str, models: int) -> Idle | None:
        """Return the figures of an idle server with this many models."""
        return self._starts.get((peer, models))

    def best(self, cell: Cell, peers: Sequence[str]) -> str | None:
        """Return the server that predicts most rows per second."""
        rates = {peer: figures.rows_per_s for peer in peers if (figures := self.of(peer, cell))}
        return max(rates, key=rates.__getitem__, default=None)


def _is_void(figure: Figure) -> bool:
    return figure.errors > 0 or figure.requests == 0


def _median(figures: Sequence[Figure]) -> Median | None:
    good = [figure for figure in figures if not _is_void(figure)]
    if not good:
        return None
    return Median(
        median(figure.rows_per_s for figure in good),
        median(figure.p50_us for figure in good) / 1000,
        median(figure.p99_us for figure in good) / 1000,
    )


def _idle(starts: Sequence[Start]) -> Idle:
    return Idle(median(start.first_answer_s for start in starts), median(start.memory_mib for start in starts))
