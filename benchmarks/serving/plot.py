"""Plot the comparison: requests per second for each model, and the time per row in larger requests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.serving.medians import Medians
from benchmarks.serving.peer import Cell
from benchmarks.serving.peers import CEILING, CURVE, LARGE, MODELS, SEPAL_ITSELF, THOUSAND

LARGE_REQUESTS = "sepal (large requests)"
LINES = sorted({cell.rows for cell in (*CURVE, *THOUSAND, *LARGE)})
# The same figures give the same file, and texts are stored as text.
STYLE: Any = {"svg.hashsalt": "serving", "svg.fonttype": "none", "font.size": 9}


def draw(medians: Medians, file: Path) -> None:
    """Draw both plots into one SVG file."""
    peers = [name for name in medians.peers if not name.startswith("sepal (") and name != CEILING.name]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 4.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        _rates(left, medians, peers)
        _costs(right, medians, peers)
        figure.savefig(file, metadata={"Date": None})


def _color(peers: Sequence[str], peer: str) -> str:
    return "black" if peer == SEPAL_ITSELF.name else f"C{peers.index(peer)}"


def _rates(axes: Axes, medians: Medians, peers: Sequence[str]) -> None:
    width = 0.8 / len(peers)
    for place, peer in enumerate(peers):
        cells = [medians.of(peer, Cell(model, 1, 64)) for model in MODELS]
        heights = [cell.rows_per_s if cell else 0 for cell in cells]
        middle = [number + (place - (len(peers) - 1) / 2) * width for number in range(len(MODELS))]
        axes.bar(middle, heights, width, label=peer, color=_color(peers, peer))
    if ceiling := medians.of(CEILING.name, Cell("iris", 1, 64)):
        axes.axhline(ceiling.rows_per_s, color="gray", linestyle=":", label=CEILING.name)
    axes.set(yscale="log", ylabel="requests per second", title="one row per request, 64 at once")
    axes.set_xticks(range(len(MODELS)), MODELS)
    axes.legend(fontsize=7, ncols=2)


def _costs(axes: Axes, medians: Medians, peers: Sequence[str]) -> None:
    for peer in peers:
        names = [peer, LARGE_REQUESTS] if peer == SEPAL_ITSELF.name else [peer]
        points = [
            (rows, 1e6 / median.rows_per_s)
            for rows in LINES
            for name in names
            if (median := medians.of(name, Cell("iris", rows, 2)))
        ]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=peer, color=_color(peers, peer))
    axes.set(
        xscale="log", yscale="log", xlabel="rows per request", ylabel="microseconds per row", title="iris, 2 at once"
    )
    if axes.lines:
        axes.legend(fontsize=7)
