"""
A CSV of a million penguins, with one invalid row in a hundred: compare the response with the request, and measure
memory.

    python -m benchmarks.csv_memory                  one upload of 1,000,000 rows
    python -m benchmarks.csv_memory --columns 20     more columns, which pass through
    python -m benchmarks.csv_memory --uploads 50 --rows 50000     fifty at once

The file repeats the real penguins, and each row has a number that passes through. The client reads the response while
it arrives: numbers must be consecutive, an invalid row must be explained and have no prediction, and every other row
must have the prediction that the estimator returns offline.
"""

import argparse
import csv
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx2
from rich.progress import Progress

from artifacts import Store
from tests.support.server import Server, environment
from train import publish
from train.recipes.penguins import RECIPE

INVALID_EVERY = 100
# What is wrong with an invalid row, in turn: the column, the cell, and how the error must begin.
MISTAKES = (
    ("bill_length_mm", "long", "bill_length_mm: expected a number"),
    ("island", "Atlantis", "island: expected one of the categories"),
    ("year", "", "year: expected a value"),
    ("year", "2008.5", "year: expected a whole number"),
)
MIB = 2**20


@dataclass(frozen=True)
class Table:
    """The lines of the real penguins, with the offline prediction for each."""

    header: str
    lines: list[str]
    names: list[str]
    species: list[str]

    def line(self, row: int) -> str:
        """Return one line of the file."""
        line = self.lines[row % len(self.lines)]
        if row % INVALID_EVERY:
            return f"{row},{line}\n"
        column, cell, _ = self._mistake(row)
        cells = line.split(",")
        cells[self.names.index(column)] = cell
        return f"{row},{','.join(cells)}\n"

    def is_right(self, row: int, answer: dict[str, str]) -> bool:
        """Whether a row of the response is correct."""
        if answer["number"] != str(row):
            return False
        if row % INVALID_EVERY:
            return answer["prediction"] == self.species[row % len(self.species)] and not answer["error"]
        expected = f"line {row + 2}: {self._mistake(row)[2]}"
        return not answer["prediction"] and answer["error"].startswith(expected)

    def _mistake(self, row: int) -> tuple[str, str, str]:
        return MISTAKES[row // INVALID_EVERY % len(MISTAKES)]


def make_table(store: Store, *, columns: int) -> Table:
    """Publish the penguins, and return their lines with additional columns that pass through."""
    X, y = RECIPE.load()
    estimator = RECIPE.estimator().fit(X, y)
    publish(estimator, X, y, name=RECIPE.name, store=store)
    more = [f"more_{place}" for place in range(columns - len(X.columns) - 1)]
    lines = X.assign(**dict.fromkeys(more, 0.25)).to_csv(index=False, header=False).splitlines()
    names = [*X.columns, *more]
    return Table("number," + ",".join(names), lines, names, estimator.predict(X).tolist())


def write(table: Table, path: Path, *, rows: int) -> int:
    """Write the file, and return its size in bytes."""
    with path.open("w") as file:
        file.write(table.header + "\n")
        file.writelines(table.line(row) for row in range(rows))
    return path.stat().st_size


class Peak:
    """Sample the resident memory of a process, in bytes, and keep the largest value."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/status")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.idle = self.most = self.now

    @property
    def now(self) -> int:
        """The current resident memory."""
        return int(self._path.read_text().partition("VmRSS:")[2].split()[0]) * 1024

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.most = max(self.most, self.now)


def upload(server: Server, token: str, path: Path) -> Iterator[str]:
    """Send a file, and yield the lines of the response as they arrive."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    with (
        path.open("rb") as file,
        httpx2.stream(
            "POST",
            f"http://127.0.0.1:{server.port}/api/v1/models/{RECIPE.name}/predict/csv",
            content=iter(lambda: file.read(2**16), b""),
            headers=headers,
            timeout=600,
        ) as answer,
    ):
        if answer.status_code != 200:
            answer.read()
            raise SystemExit(f"{answer.status_code}: {answer.text[:300]}")
        yield from answer.iter_lines()


def check(table: Table, lines: Iterator[str], *, rows: int) -> int:
    """Return the number of wrong rows, including missing and surplus ones."""
    wrong = 0
    for row, answer in itertools.zip_longest(range(rows), csv.DictReader(lines)):
        wrong += row is None or answer is None or not table.is_right(row, answer)
    return wrong


def main() -> int:
    """Measure and print; return 1 if a row was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows per upload (default: %(default)s)")
    parser.add_argument("--columns", type=int, default=8, help="columns per row (default: %(default)s)")
    parser.add_argument("--uploads", type=int, default=1, help="uploads at once (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        table = make_table(store, columns=arguments.columns)
        path = Path(folder) / "rows.csv"
        size = write(table, path, rows=arguments.rows)
        limit = max(size, 64 * MIB)
        env = environment(artifacts=store.root, state=Path(folder) / "state", log_format="json", max_csv_bytes=limit)
        with Server(env) as server:
            token = server.token("batch")
            with (
                Peak(server.worker) as peak,
                Progress() as progress,
                ThreadPoolExecutor(arguments.uploads) as pool,
            ):
                task = progress.add_task("uploading", total=arguments.uploads)
                began = time.monotonic()
                wrong = 0
                for wrong_rows in pool.map(
                    lambda _: check(table, upload(server, token, path), rows=arguments.rows), range(arguments.uploads)
                ):
                    wrong += wrong_rows
                    progress.advance(task)
                took = time.monotonic() - began
    rows = arguments.rows * arguments.uploads
    print(f"{arguments.uploads} x {arguments.rows} rows, {size / MIB:.1f} MiB each: {rows / took:,.0f} rows/s")
    print(f"rows that were wrong, missing or out of order: {wrong}")
    grown = (peak.most - peak.idle) / MIB
    print(f"memory: idle {peak.idle / MIB:.0f} MiB, peak {peak.most / MIB:.0f} MiB, +{grown:.0f} MiB")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
