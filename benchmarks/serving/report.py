"""The report of the records: a table of ratios with their aims, a table of all servers, and a plot."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.serving.medians import Median, Medians
from benchmarks.serving.peer import Cell
from benchmarks.serving.peers import CEILING, MODELS, NUMBERS, SEPAL_ITSELF, TUTORIAL_DEF
from benchmarks.serving.records import Record

BEGIN, END = "<!-- serving: written by python -m benchmarks.serving -->", "<!-- /serving -->"
PLOT = "serving.svg"
IRIS = Cell("iris", 1, 64)
ALONE = Cell("iris", 1, 1)
LABELS_ONLY = "sepal (labels only)"


@dataclass(frozen=True, slots=True)
class Ratio:
    """
    One line of the table.

    Attributes:
        what: What was measured, and what it is compared with.
        ours: The figure of sepal.
        other: The name of the other server.
        theirs: The figure of the other server.
        unit: The format of both figures; {} is the number.
        least: The worst sufficient ratio.
        aim: The desired ratio.
        less_is_more: Whether a smaller ratio is better.
    """

    what: str
    ours: float | None
    other: str
    theirs: float | None
    unit: str
    least: float
    aim: float
    less_is_more: bool = False

    @property
    def value(self) -> float | None:
        """The ratio of sepal's figure to the other."""
        return self.ours / self.theirs if self.ours is not None and self.theirs else None

    @property
    def line(self) -> str:
        """The line as Markdown."""
        sign = "≤" if self.less_is_more else "≥"
        shown = [self.unit.format(number) if number is not None else "—" for number in (self.ours, self.theirs)]
        value = f"**{self.value:.2f}** {self._verdict}" if self.value is not None else "—"
        aims = f"{sign} {self.least:g} | {sign} {self.aim:g}"
        return f"| {self.what} | {shown[0]} | {self.other}: {shown[1]} | {value} | {aims} |"

    @property
    def _verdict(self) -> str:
        value = self.value or 0
        reached = [value <= wanted if self.less_is_more else value >= wanted for wanted in (self.aim, self.least)]
        return "aim reached" if reached[0] else "sufficient" if reached[1] else "missed"


def ratios(medians: Medians) -> list[Ratio]:
    """Return all lines of the table."""
    peers = [name for name in medians.peers if not name.startswith("sepal") and name != CEILING.name]
    return [
        _rate(medians, "one flower, 64 at once, authenticated vs bare ASGI", IRIS, CEILING.name, 0.5, 0.7),
        _rate(medians, "the same vs best other server", IRIS, medians.best(IRIS, peers), 6, 9),
        *(
            _rate(medians, f"{what}, 64 at once vs best other server", cell, medians.best(cell, peers), least, aim)
            for what, cell, least, aim in (
                ("one row of a forest of 100 trees", Cell("forest", 1, 64), 5, 8),
                ("one row of histogram boosting", Cell("boosting", 1, 64), 4, 7),
                ("one penguin, with texts and nulls", Cell("penguins", 1, 64), 10, 30),
            )
        ),
        _alone(medians),
        _tail(medians),
        *(
            _rate(
                medians,
                f"{what}, labels{more} vs best other server",
                cell,
                medians.best(cell, peers),
                least,
                aim,
                ours=ours,
            )
            for what, cell, least, aim in (
                ("1,000 flowers per request", Cell("iris", 1000, 2), 1.5, 1.9),
                ("1,000 rows of the forest per request", Cell("forest", 1000, 2), 2, 3),
            )
            for more, ours in ((" and probabilities", SEPAL_ITSELF.name), (" only, as the others return", LABELS_ONLY))
        ),
        *_idle(medians),
    ]


def _rate(
    medians: Medians,
    what: str,
    cell: Cell,
    other: str | None,
    least: float,
    aim: float,
    *,
    ours: str = SEPAL_ITSELF.name,
) -> Ratio:
    mine, theirs = medians.of(ours, cell), medians.of(other or "", cell)
    unit = "{:,.0f} rows/s" if cell.rows > 1 else "{:,.0f} requests/s"
    rates = [cell.rows_per_s if cell else None for cell in (mine, theirs)]
    return Ratio(what, rates[0], other or "none", rates[1], unit, least, aim)


def _alone(medians: Medians) -> Ratio:
    cells = [medians.of(peer.name, ALONE) for peer in (SEPAL_ITSELF, CEILING)]
    ours, theirs = [cell.p50_ms if cell else None for cell in cells]
    what = "one flower, one at once, median time vs bare ASGI"
    return Ratio(what, ours, CEILING.name, theirs, "{:.3f} ms", 2.5, 1.6, less_is_more=True)


def _tail(medians: Medians) -> Ratio:
    cell = medians.of(SEPAL_ITSELF.name, IRIS)
    p99, p50 = (cell.p99_ms, cell.p50_ms) if cell else (None, None)
    return Ratio("one flower, 64 at once, p99 vs p50", p99, "p50", p50, "{:.2f} ms", 2.5, 1.6, less_is_more=True)


def _idle(medians: Medians) -> Iterator[Ratio]:
    ours, theirs = medians.idle(SEPAL_ITSELF.name, len(MODELS)), medians.idle(TUTORIAL_DEF.name, len(NUMBERS))
    for what, name, unit in (
        ("memory when idle with four models", "memory_mib", "{:.0f} MiB"),
        ("start to first response with four models", "first_answer_s", "{:.2f} s"),
    ):
        mine, other = getattr(ours, name, None), getattr(theirs, name, None)
        yield Ratio(f"{what} vs tutorial with three", mine, TUTORIAL_DEF.name, other, unit, 1.2, 0.6, less_is_more=True)


def markdown(medians: Medians) -> Iterator[str]:
    """Yield the lines of the section."""
    machine = medians.machine
    yield f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}. Medians of"
    yield f"{medians.rounds} interleaved rounds, {machine.seconds} s per figure."
    yield f"With {_versions(medians)}.\n"
    yield "| measurement | sepal | compared with | ratio | required | aim |"
    yield "|---|---|---|---|---|---|"
    yield from (ratio.line for ratio in ratios(medians))
    yield f"\n![requests per second, and time per row by rows per request]({PLOT})\n"
    yield from _every_server(medians)
    yield ""
    yield from _remarks(medians)


def _every_server(medians: Medians) -> Iterator[str]:
    yield (
        "Requests per second with one row, 64 at once; in brackets the median and the 99th percentile of the latency, "
        "in ms:\n"
    )
    yield f"| server | {' | '.join(MODELS)} |"
    yield "|---" * (len(MODELS) + 1) + "|"
    for peer in medians.peers:
        cells = [medians.of(peer, Cell(model, 1, 64)) for model in MODELS]
        if any(cells):
            yield f"| {peer} | {' | '.join(map(_shown, cells))} |"


def _versions(medians: Medians) -> str:
    """Return each library once; the common libraries have the same version everywhere."""
    every = {name: number for versions in medians.machine.versions.values() for name, number in versions.items()}
    return ", ".join(f"{name} {number}" for name, number in every.items())


def _shown(cell: Median | None) -> str:
    return f"{cell.rows_per_s:,.0f} ({cell.p50_ms:.1f}, {cell.p99_ms:.1f})" if cell else "—"


def _remarks(medians: Medians) -> Iterator[str]:
    if medians.others:
        yield (
            f"- Other processes used {median(medians.others):.0%} of the server's core during a measurement in the "
            f"median, and {medians.others[-1]:.0%} at most."
        )
    for (peer, model), reason in sorted(medians.failures.items()):
        yield f"- {peer} was not measured with {model}: `{_first_line(reason)}`"
    for figure in medians.void:
        why = f"{figure.errors} errors in {figure.requests} requests" if figure.errors else "no response"
        yield (
            f"- void, {why}: {figure.peer}, {figure.model}, "
            f"{figure.rows:,} rows, {figure.concurrency} at once, round {figure.round + 1}"
        )


def _first_line(text: str) -> str:
    return " ".join(text.replace("`", "'").replace("|", "/").split())[:160]


def write(measured: Sequence[Record], output: Path | None) -> None:
    """Print the section; if there is a file, write the section between its marks and the plot next to it."""
    from benchmarks.serving import plot

    medians = Medians(measured)
    section = "\n".join(markdown(medians)).strip()
    print(section)
    if output:
        text = output.read_text()
        if BEGIN not in text or END not in text:
            raise SystemExit(f"{output} has no place for the section: add the lines {BEGIN} and {END}")
        marked = f"{BEGIN}\n{section}\n{END}"
        output.write_text(re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: marked, text, flags=re.DOTALL))
        plot.draw(medians, output.with_name(PLOT))
