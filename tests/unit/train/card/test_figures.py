"""One plot as a self-contained SVG, or the reason why it could not be drawn."""

import base64
import warnings
import xml.etree.ElementTree as ET

import pytest
from matplotlib.axes import Axes

from train.card.figures import INK, CannotDraw, FailedPlot, Plot, PlotText, draw, quiet, reason

TEXT = PlotText("how to read it", "a line")


def line(axes: Axes) -> PlotText:
    """Draw a line with a label."""
    axes.plot([0, 1], [1, 0])
    axes.set_xlabel("$not a formula_{$")
    return TEXT


def test_a_plot_is_one_svg_in_the_colours_of_the_page() -> None:
    """The data URI has an XML image whose ink follows the page and whose texts stay texts."""
    plot = draw("Line", line)

    assert isinstance(plot, Plot)
    assert (plot.title, plot.text) == ("Line", TEXT)
    image = base64.b64decode(plot.source.removeprefix("data:image/svg+xml;base64,")).decode()
    ET.fromstring(image)
    assert image.startswith("<svg")
    assert "$not a formula_{$" in image
    assert "currentColor" in image
    assert "prefers-color-scheme:dark" in image
    assert INK not in image
    assert "font-family: system-ui" in image


def test_the_same_plot_has_the_same_bytes() -> None:
    """The image has no date and no random ids, so that a card can be reproduced."""
    assert draw("Line", line) == draw("Line", line)


@pytest.mark.parametrize(
    ("error", "expected"),
    [(CannotDraw("too few rows"), "too few rows"), (ValueError("no\nway"), r"ValueError: no\nway")],
    ids=["cannot draw", "other error"],
)
def test_a_failure_becomes_its_reason(error: Exception, expected: str) -> None:
    """An error while drawing is returned in one line; only unexpected errors have their class in it."""

    def fails(_: Axes) -> PlotText:
        raise error

    assert draw("Line", fails) == FailedPlot("Line", expected)


@pytest.mark.parametrize(("length", "expected"), [(300, "x" * 300), (301, "x" * 300 + "…")])
def test_a_reason_has_at_most_three_hundred_characters(length: int, expected: str) -> None:
    """A longer message is cut."""
    assert reason(CannotDraw("x" * length)) == expected


def test_only_warnings_that_were_printed_before_are_suppressed() -> None:
    """Warnings of users and of run time are suppressed, and a deprecation is not."""
    with warnings.catch_warnings(record=True) as caught, quiet():
        warnings.simplefilter("always", FutureWarning)
        warnings.warn("a glyph is missing", UserWarning, stacklevel=1)
        warnings.warn("divided by zero", RuntimeWarning, stacklevel=1)
        warnings.warn("old", FutureWarning, stacklevel=1)

    assert [each.category for each in caught] == [FutureWarning]
