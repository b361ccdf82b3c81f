"""
Compare sepal with popular model servers: the same models, the same rows, one run.

    python -m benchmarks.serving                                   about 20 minutes
    python -m benchmarks.serving --quick                           about 5
    python -m benchmarks.serving --only sepal --only tutorial      only these servers
    python -m benchmarks.serving --resume                          continue an interrupted run
    python -m benchmarks.serving --report records.jsonl --output benchmarks/README.md

The server has core 0 for itself, and wrk sends from core 1. Every server is measured once per round; figures are
medians over the rounds. Predictions are compared with offline before a server is measured, and a failed request voids a
figure. Everything that is needed is created in one folder, except wrk, which the system must have (Debian: apt install
wrk).
"""

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks.serving import environments, records, report
from benchmarks.serving.dialects import read_tables
from benchmarks.serving.peer import Peer, Place
from benchmarks.serving.peers import PEERS
from benchmarks.serving.records import Failure, Figure, Machine, Record, Start
from benchmarks.serving.rounds import LOAD_CORE, SERVER_CORE, Bench, duration_s, sessions


def main() -> int:
    """Measure or report; return 1 if sepal itself could not be measured."""
    arguments = _parser().parse_args()
    # If this process is terminated, it still stops the server that it started.
    signal.signal(signal.SIGTERM, _end)
    if arguments.report:
        measured = records.read(arguments.report.read_text().splitlines())
    else:
        _check_machine()
        measured = _measure(arguments)
    report.write(measured, arguments.output)
    return 1 if any(isinstance(record, Failure) and record.peer.startswith("sepal") for record in measured) else 0


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--into", type=Path, default=Path(".bench"), help="folder of everything it creates (default: .bench)"
    )
    parser.add_argument("--seconds", type=int, default=2, help="seconds per figure (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round of one second")
    names = [peer.name for peer in PEERS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--port", type=int, default=8190, help="port of the servers, which also use the next two (default: %(default)s)"
    )
    parser.add_argument(
        "--records", type=Path, help="JSON lines, one per figure (default: records.jsonl in the folder)"
    )
    parser.add_argument("--resume", action="store_true", help="keep the records, and measure only what is missing")
    parser.add_argument("--report", type=Path, metavar="FILE", help="measure nothing: report these records")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="Markdown file whose section is replaced; the plot is written next to it",
    )
    return parser


def _check_machine() -> None:
    for program, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed; on Debian or Ubuntu: sudo apt install {package}")
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        sys.exit("this benchmark needs two cores, one for the server and one for the load")


def _measure(arguments: argparse.Namespace) -> list[Record]:
    place = Place(arguments.into.resolve(), arguments.port)
    place.folder.mkdir(parents=True, exist_ok=True)
    chosen = [peer for peer in PEERS if not arguments.only or peer.name in arguments.only]
    _prepare(place, chosen)
    rounds, seconds = (1, 1) if arguments.quick else (arguments.rounds, arguments.seconds)
    file = arguments.records or place.folder / "records.jsonl"
    if not (arguments.resume and file.exists()):
        file.unlink(missing_ok=True)
        records.append(file, _machine(place, chosen, seconds=seconds))
    waiting = sessions(chosen, rounds, done=records.read(file.read_text().splitlines()))
    print(
        f"{len(waiting)} starts of servers, about {duration_s(waiting, seconds=seconds) / 60:.0f} minutes", flush=True
    )
    # All processes that start from here use the load's core, except the servers, which are pinned to another.
    os.sched_setaffinity(0, {LOAD_CORE})
    tokens = {peer.name: _token(place, peer) for peer in chosen}
    bench = Bench(place, read_tables(place.models / "tables.json"), tokens, seconds=seconds, file=file)
    for session in waiting:
        for record in bench.measure(session):
            print(_line(record), flush=True)
    return records.read(file.read_text().splitlines())


def _prepare(place: Place, peers: Sequence[Peer]) -> None:
    """Create missing environments, and always the models and their copies, since they depend on the code."""
    for peer in peers:
        if peer.environment:
            environments.ensure(place, peer)
    print("fitting and publishing the models", file=sys.stderr)
    shutil.rmtree(place.models, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "benchmarks.serving.models", place.models], check=True)
    for peer in peers:
        peer.prepare(place, peer)


def _token(place: Place, peer: Peer) -> str:
    if not peer.token:
        return ""
    command = [str(place.programs(peer.environment) / "python"), "-m", *peer.token.split()]
    return subprocess.run(
        command, check=True, cwd=place.folder, env=peer.env(place, ["iris"]), capture_output=True, text=True
    ).stdout.strip()


def _machine(place: Place, peers: Sequence[Peer], *, seconds: int) -> Machine:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return Machine(
        processor=names[0].partition(":")[2].strip() if names else platform.machine(),
        cores=os.cpu_count() or 0,
        system=platform.freedesktop_os_release()["PRETTY_NAME"],
        python=platform.python_version(),
        versions={peer.name: environments.versions(place, peer) for peer in peers},
        seconds=seconds,
    )


def _line(record: Record) -> str:
    if isinstance(record, Machine):
        return record.processor
    who = f"{record.round} {record.peer:22}"
    match record:
        case Figure():
            errors = f", {record.errors} ERRORS" if record.errors else ""
            cell = f"{record.model:9}{record.rows:>7} rows, {record.concurrency:>2} at once"
            times = f"p50 {record.p50_us / 1000:.2f} ms, p99 {record.p99_us / 1000:.2f} ms"
            return f"{who} {cell}{record.rows_per_s:>11,.0f} rows/s, {times}{errors}"
        case Start():
            return f"{who} up in {record.first_answer_s:.2f} s, {record.memory_mib:.0f} MiB"
        case Failure():
            return f"{who} {record.model}: {record.reason}"


if __name__ == "__main__":
    sys.exit(main())
