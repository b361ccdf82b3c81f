"""Logging: JSON lines, or text for a terminal."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO

import structlog

# The id of the current request, which is added to all of its log lines.
REQUEST_ID: ContextVar[str] = ContextVar("request_id")

LONGEST_VALUE = 512


def is_text(form: str, stream: TextIO) -> bool:
    """Return whether lines are text instead of JSON."""
    return form == "text" or (form == "auto" and stream.isatty())


def configure_logging(*, level: str, form: str, stream: TextIO = sys.stdout) -> None:
    """Write all log lines of this process, also those of libraries, in one form: JSON, or text for a terminal."""
    as_text = is_text(form, stream)
    shared: list[structlog.typing.Processor] = [
        _name_request,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _shorten,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty()) if as_text else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for quiet in ("alembic", "uvicorn.access"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _name_request(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request_id = REQUEST_ID.get(None)
    if request_id is not None:
        line["request_id"] = request_id
    return line


def _shorten(_logger: object, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Cut values to 512 characters, and tracebacks to their last 5,120."""
    for key, value in line.items():
        if key == "exception":
            line[key] = value[-10 * LONGEST_VALUE :]
        elif isinstance(value, str) and len(value) > LONGEST_VALUE:
            line[key] = value[:LONGEST_VALUE] + "…"
    return line
