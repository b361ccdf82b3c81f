"""A drawing as one self-contained image: scalable, its texts real texts, its ink the colour of the page's own."""

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

# A grey that can be read on white and on black, and that nothing else has: in the file it becomes the ink.
INK = "#7d7f82"
# After Okabe and Ito (2008), "Color universal design": told apart by the colour-blind. Their blue is too dark by night.
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
    # Names of columns and classes are no formulas, and scripts that matplotlib's font lacks are left to the browser.
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "sepal",
}
_SIZE_INCHES = (4.6, 3.8)
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a plot: how to read it, and what it shows for those who do not see it."""

    caption: str
    alt: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as a data URI, and what is said of it."""

    title: str
    words: Words
    source: str


@dataclass(frozen=True, slots=True)
class Undrawn:
    """A plot that is not there, and why."""

    title: str
    reason: str


class Undrawable(Exception):
    """These rows do not give this plot; the message says why."""


def draw(title: str, paint: "Callable[[Axes], Words]") -> Plot | Undrawn:
    """
    Draw one plot, or say why it cannot be drawn: a model is published without it, and who reads its card is told.

    Args:
        title: What it is called.
        paint: Draws into the axes, and says what is to be said of it.
    """
    try:
        # Here, since without held-back rows there is nothing to draw, and importing it takes longer than all else.
        from matplotlib import style
        from matplotlib.figure import Figure

        with quiet(), style.context(["default", _STYLE]):
            figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
            words = paint(figure.add_subplot())
            return Plot(title, words, _uri(figure))
    except Exception as error:  # noqa: BLE001  # an estimator may raise anything; the card's reader is told
        return Undrawn(title, reason(error))


def reason(error: Exception) -> str:
    """Why something was not drawn, in a line."""
    text = printable(str(error) if isinstance(error, Undrawable) else f"{type(error).__name__}: {error}")
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


@contextmanager
def quiet() -> Iterator[None]:
    """Pass over what was said when the rows were scored, and over letters that only the browser has."""
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
