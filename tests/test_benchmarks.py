"""The records and the report of the server comparison; the measurements themselves are not tested."""

import json
from pathlib import Path

import pytest

from benchmarks.serving import records, report
from benchmarks.serving.medians import Medians
from benchmarks.serving.peer import Cell
from benchmarks.serving.peers import CEILING, SEPAL_ITSELF
from benchmarks.serving.records import Failure, Figure, Machine, Record, Start
from benchmarks.serving.rounds import sessions

CELL = Cell("iris", 1, 64)


def figure(peer: str, requests: int, *, number: int = 0, errors: int = 0) -> Figure:
    """Return a figure of one second of requests for iris."""
    return Figure(
        number, peer, "iris", 1, 64, requests, seconds=1.0, p50_us=1000, p99_us=2000, errors=errors, others=0.01
    )


@pytest.fixture
def measured() -> list[Record]:
    """Three rounds of sepal and of the ceiling, and a peer that failed."""
    return [
        Machine("a processor", 2, "an OS", "3.11", {"sepal": {}, "bare ASGI": {}, "MLServer": {}}, seconds=1),
        *(figure("sepal", requests, number=number) for number, requests in enumerate((9000, 12000, 5000))),
        *(figure("bare ASGI", 18000, number=number) for number in range(3)),
        figure("MLServer", 100_000, errors=1),
        Start(0, "sepal", 4, 1.5, 200.0),
        Start(0, "tutorial", 3, 2.0, 250.0),
        Failure(0, "vetiver", "penguins", "422: a null"),
    ]


def test_records_are_read_as_they_were_written(measured: list[Record], tmp_path: Path) -> None:
    """Every kind of record can be written and read back."""
    file = tmp_path / "records.jsonl"
    for record in measured:
        records.append(file, record)

    assert records.read(file.read_text().splitlines()) == measured
    assert json.loads(file.read_text().splitlines()[-1])["kind"] == "failure"


def test_an_error_voids_a_figure(measured: list[Record]) -> None:
    """A server that failed a request has no figure, and the report says so."""
    medians = Medians(measured)

    assert medians.of("MLServer", CELL) is None
    assert medians.best(CELL, ["MLServer"]) is None
    assert "void, 1 errors in 100000 requests: MLServer" in "\n".join(report.markdown(medians))


def test_the_report_compares_medians_with_the_aims(measured: list[Record], tmp_path: Path) -> None:
    """The section with the ratios of medians is written between its marks, and the plot next to the page."""
    page = tmp_path / "README.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")

    report.write(measured, page)

    written = page.read_text()
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert "old" not in written
    assert "| 9,000 requests/s | bare ASGI: 18,000 requests/s | **0.50** sufficient | ≥ 0.5 | ≥ 0.7 |" in written
    assert "| 200 MiB | tutorial: 250 MiB | **0.80** sufficient | ≤ 1.2 | ≤ 0.6 |" in written
    assert "vetiver was not measured with penguins: `422: a null`" in written
    assert "</svg>" in (tmp_path / report.PLOT).read_text()


def test_a_resumed_run_measures_only_what_is_missing() -> None:
    """A resumed run starts no server for figures that it has."""
    everything = sessions([SEPAL_ITSELF, CEILING], 1, done=[])

    left = sessions([SEPAL_ITSELF, CEILING], 1, done=[figure("bare ASGI", 1), Failure(0, "sepal", "iris", "why")])

    assert {cell for session in everything for cell in session.cells} == {*SEPAL_ITSELF.cells, *CEILING.cells}
    assert [session.peer.name for session in left] == ["sepal", "bare ASGI"]
    assert CELL not in left[1].cells
    assert "iris" not in left[0].wanted
