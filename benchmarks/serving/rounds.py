"""The order of measurements: every server once per round, so that a slow minute of the machine affects all equally."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path

from benchmarks.serving import load, records
from benchmarks.serving.dialects import Table
from benchmarks.serving.peer import Cell, Peer, Place
from benchmarks.serving.process import NotMeasured, Process, busy_s
from benchmarks.serving.records import Failure, Figure, Record, Start

SERVER_CORE = 0
LOAD_CORE = 1
START_S = 120.0
# The interval of requests to a starting server, and so the precision of its start time.
PROBE_S = 0.02
WARM_UP_S = 1
# The average time to start and stop a server.
STARTS_AND_ENDS_S = 6
# Predictions that are compared with offline before a server is measured with a model.
CHECKED = 20


@dataclass(frozen=True, slots=True)
class Session:
    """One process of one server in one round, and its measurements."""

    round: int
    peer: Peer
    models: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def wanted(self) -> list[str]:
        """The models that are measured."""
        return list(dict.fromkeys(cell.model for cell in self.cells))


def sessions(peers: Sequence[Peer], rounds: int, *, done: Sequence[Record]) -> list[Session]:
    """Return all sessions, without measurements that are already done."""
    figures = {(record.round, record.peer, record.cell) for record in done if isinstance(record, Figure)}
    failures = {(record.round, record.peer, record.model) for record in done if isinstance(record, Failure)}
    waiting = []
    for number in range(rounds):
        for peer in peers:
            for group in peer.groups:
                cells = tuple(
                    cell
                    for cell in peer.cells_of(group)
                    if (number, peer.name, cell) not in figures and (number, peer.name, cell.model) not in failures
                )
                waiting += [Session(number, peer, group, cells)] if cells else []
    return waiting


def seconds_of(cell: Cell, seconds: int) -> int:
    """Return the duration of a cell in a round: longer if a second is too short for a few requests."""
    return max(seconds, 3) if cell.rows >= 10_000 else seconds


def duration_s(waiting: Sequence[Session], *, seconds: int) -> float:
    """Return the approximate duration of sessions, including starting and stopping the servers."""
    return sum(
        STARTS_AND_ENDS_S + len(session.wanted) * WARM_UP_S + sum(seconds_of(cell, seconds) for cell in session.cells)
        for session in waiting
    )


class Bench:
    """
    Measures sessions and records the results.

    Args:
        place: The folder and the port of the benchmark.
        tables: Rows and expected predictions of each model.
        tokens: The token for each peer by its name; empty means no token.
        seconds: The duration of a cell in a round.
        file: The file of the records.
    """

    def __init__(
        self, place: Place, tables: Mapping[str, Table], tokens: Mapping[str, str], *, seconds: int, file: Path
    ) -> None:
        self._place, self._tables, self._tokens = place, tables, tokens
        self._seconds, self._file = seconds, file

    def measure(self, session: Session) -> Iterator[Record]:
        """Start, measure and stop one server; each record is written before it is yielded."""
        for record in self._records(session):
            records.append(self._file, record)
            yield record

    def _records(self, session: Session) -> Iterator[Record]:
        with Process(session.peer, self._place, session.models, core=SERVER_CORE) as process:
            try:
                first_answer_s = self._await_answer(process, session)
            except NotMeasured as error:
                yield from (Failure(session.round, session.peer.name, model, str(error)) for model in session.wanted)
                return
            wrong = {model: reason for model in session.wanted if (reason := self._wrong(session.peer, model))}
            yield Start(
                session.round, session.peer.name, len(session.models), first_answer_s, round(process.memory_mib, 1)
            )
            for model in session.wanted:
                if model in wrong:
                    yield Failure(session.round, session.peer.name, model, wrong[model])
                    continue
                try:
                    yield from self._figures(session, model, process)
                except NotMeasured as error:
                    yield Failure(session.round, session.peer.name, model, str(error))

    def _await_answer(self, process: Process, session: Session) -> float:
        cell = Cell(session.models[0], 1, 1)
        body = load.bodies(session.peer, cell, self._tables[cell.model])[0]
        reason = "no response"
        while (took := time.monotonic() - process.began) < START_S:
            process.check_alive()
            try:
                status, text = self._post(session.peer, cell, body)
            except (OSError, HTTPException):
                time.sleep(PROBE_S)
                continue
            if status == HTTPStatus.OK:
                return round(time.monotonic() - process.began, 3)
            # A server that is not ready yet may return an error; an error of the request itself is final.
            reason = f"{status}: {text[:300].decode(errors='replace')}"
            if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY}:
                break
            time.sleep(PROBE_S)
        raise NotMeasured(f"{reason} after {took:.0f} s; the log ends with: {process.log_end}")

    def _wrong(self, peer: Peer, model: str) -> str:
        """Return what is wrong with the predictions for the first rows, or an empty text if they equal offline."""
        cell, table = Cell(model, 1, 1), self._tables[model]
        requests = zip(load.bodies(peer, cell, table), load.places(cell, table), strict=True)
        for body, places in list(requests)[:CHECKED]:
            status, text = self._post(peer, cell, body)
            if status != HTTPStatus.OK:
                return f"{status}: {text[:300].decode(errors='replace')}"
            if not peer.is_constant and (labels := peer.dialect.decode(text)) != (
                expected := peer.dialect.expected(table, places)
            ):
                return f"it predicts {labels}, expected {expected}"
        return ""

    def _post(self, peer: Peer, cell: Cell, body: bytes) -> tuple[int, bytes]:
        return load.post(peer.url(self._place, cell), body, token=self._tokens[peer.name])

    def _figures(self, session: Session, model: str, process: Process) -> Iterator[Record]:
        cells = sorted(
            (cell for cell in session.cells if cell.model == model), key=lambda cell: (cell.rows, cell.concurrency)
        )
        self._press(session.peer, cells[0], seconds=WARM_UP_S, concurrency=16)
        self._await_idle(session.peer, cells[0])
        for cell in cells:
            process.check_alive()
            seconds = seconds_of(cell, self._seconds)
            began, busy = process.cpu_s, busy_s(SERVER_CORE)
            done = self._press(session.peer, cell, seconds=seconds, concurrency=cell.concurrency)
            took = busy_s(SERVER_CORE) - busy - (process.cpu_s - began)
            others = round(max(0.0, took / done.seconds), 3)
            self._await_idle(session.peer, cell)
            yield Figure(session.round, session.peer.name, **asdict(cell) | asdict(done), others=others)

    def _await_idle(self, peer: Peer, cell: Cell) -> None:
        """Wait until a slow server has finished the requests that it still has when wrk ends."""
        one = Cell(cell.model, 1, 1)
        try:
            self._post(peer, one, load.bodies(peer, one, self._tables[cell.model])[0])
        except (OSError, HTTPException) as error:
            raise NotMeasured(f"no response after {cell.concurrency} at once: {error!r}") from error

    def _press(self, peer: Peer, cell: Cell, *, seconds: int, concurrency: int) -> load.Load:
        return load.press(
            peer.url(self._place, cell),
            load.bodies(peer, cell, self._tables[cell.model]),
            self._place,
            token=self._tokens[peer.name],
            concurrency=concurrency,
            seconds=seconds,
        )
