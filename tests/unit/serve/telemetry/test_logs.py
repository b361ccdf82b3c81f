"""Logging: one form for all lines, with the request's id and bounded values."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from serve.telemetry.logs import LONGEST_VALUE, REQUEST_ID, configure_logging, is_text


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Restore the logging of the test run."""
    root = logging.getLogger()
    handlers, level, configured = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.configure(**configured)


def lines(form: str, *, level: str = "info") -> io.StringIO:
    """Configure logging into a text stream."""
    stream = io.StringIO()
    configure_logging(level=level, form=form, stream=stream)
    return stream


def test_own_and_library_lines_have_one_form() -> None:
    """Lines of structlog and of the standard library are JSON with the same keys, and the id of the request."""
    stream = lines("json")
    token = REQUEST_ID.set("r1")
    structlog.get_logger("serve.a").info("own", value=1)
    logging.getLogger("library").warning("with %s", "argument")
    REQUEST_ID.reset(token)
    logging.getLogger("library").info("outside")

    own, library, outside = map(json.loads, stream.getvalue().splitlines())

    assert (own["event"], own["logger"], own["level"], own["request_id"]) == ("own", "serve.a", "info", "r1")
    assert (library["event"], library["logger"], library["request_id"]) == ("with argument", "library", "r1")
    assert "request_id" not in outside
    assert own.keys() - {"value"} == library.keys()


def test_values_are_cut() -> None:
    """A long value is cut at its end, and a long traceback at its beginning."""
    stream = lines("json")
    error = ValueError("x" * 100_000 + "end")
    structlog.get_logger("serve.a").error("failed", exc_info=error, long="y" * 1000)

    [line] = map(json.loads, stream.getvalue().splitlines())

    assert line["long"] == "y" * LONGEST_VALUE + "…"
    assert line["exception"].endswith("end")
    assert len(line["exception"]) == 10 * LONGEST_VALUE


@pytest.mark.parametrize(("form", "expected"), [("text", True), ("json", False), ("auto", False)])
def test_text_is_for_terminals(form: str, *, expected: bool) -> None:
    """`auto` writes text only to a terminal."""
    stream = lines(form, level="warning")
    structlog.get_logger("serve.a").warning("seen")
    structlog.get_logger("serve.a").info("below the level")

    assert is_text(form, stream) is expected
    assert stream.getvalue().startswith("{") is not expected
    assert len(stream.getvalue().splitlines()) == 1
