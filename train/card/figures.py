"""Draw a plot as one self-contained SVG whose texts stay texts and whose ink follows the page's colour scheme."""

import base64
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from artifacts.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A grey that is readable on white and on black, and used for nothing else: the SVG has `currentColor` in its place.
INK = "#7d7f82"
# After Okabe and Ito (2008), "Color universal design": for colour-blind readers. A lighter blue suits the dark scheme.
COLOURS = ("#1a86cc", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_INKS = "<style>:root{color:#26282b}@media (prefers-color-scheme:dark){:root{color:#d9dbde}}</style>"
_STYLE: dict[str, Any] = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    # Names of columns and classes are not formulas; the browser renders scripts that matplotlib's font lacks.
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "sepal",
}
_SIZE_INCHES = (4.6, 3.8)
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class PlotText:
    """The texts of a plot: a caption on how to read it, and the alternative text."""

    caption: str
    alt: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as a data URI, with its texts."""

    title: str
    text: PlotText
    source: str


@dataclass(frozen=True, slots=True)
class FailedPlot:
    """A plot that could not be drawn, and why."""

    title: str
    reason: str


class CannotDraw(Exception):
    """A plot cannot be drawn from these rows; the message says why."""


def draw(title: str, paint: "Callable[[Axes], PlotText]") -> Plot | FailedPlot:
    """
    Draw one plot, or return why it cannot be drawn: then the model is published without it, and the card says why.

    Args:
        title: The heading of the plot.
        paint: Draws into the axes, and returns the texts.
    """
    try:
        # Imported here: it is slow to import, and without held-back rows there is nothing to draw.
        from matplotlib import style
        from matplotlib.figure import Figure

        with quiet(), style.context(["default", _STYLE]):
            figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
            text = paint(figure.add_subplot())
            return Plot(title, text, _uri(figure))
    except Exception as error:  # noqa: BLE001  # an estimator may raise anything; the card says why
        return FailedPlot(title, reason(error))


def reason(error: Exception) -> str:
    """Return why something was not drawn, in one line."""
    text = printable(str(error) if isinstance(error, CannotDraw) else f"{type(error).__name__}: {error}")
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings that scoring the rows printed already, and those about glyphs that only the browser has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def _uri(figure: "Figure") -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", buffer.getvalue())
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace("<defs>", f"{_INKS}<defs>", 1)
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
