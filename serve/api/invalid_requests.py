"""Mistakes in a query, a form or a JSON body that FastAPI validates, with codes and messages of this API."""

from collections.abc import Mapping, Sequence
from typing import Any

from artifacts.hints import did_you_mean

MAX_TEXT = 256
_MAX_NAME = 64

# By the codes of pydantic that occur in a query or a form; of any other, pydantic's message is used.
_MISTAKES: Mapping[str, tuple[str, str]] = {
    "bool_parsing": ("not-a-boolean", "expected true or false"),
    "duplicate": ("duplicate", "sent more than once: send it once"),
    "extra_forbidden": ("unknown-name", "unknown"),
    "json_invalid": ("malformed-json", "the body is not JSON"),
    "literal_error": ("unknown-value", "expected {expected}"),
    "missing": ("missing", "missing"),
    "model_attributes_type": ("not-an-object", "expected a JSON object"),
    "string_too_long": ("text-too-long", "expected at most {max_length} characters"),
    "string_too_short": ("text-too-short", "expected at least {min_length} characters"),
    "string_type": ("not-a-text", "expected a text"),
}


def describe(entry: Mapping[str, Any], parameters: Sequence[str]) -> dict[str, str | None]:
    """
    Return the place, the code and the message of one mistake.

    Args:
        entry: One of `RequestValidationError.errors()`.
        parameters: The query parameters of the route, to suggest one for an unknown name.
    """
    kind, location = entry["type"], entry["loc"]
    code, message = _MISTAKES.get(kind, (kind, entry["msg"][:MAX_TEXT]))
    if kind in _MISTAKES:
        message = message.format(**entry.get("ctx", {}))
    if code == "unknown-name" and parameters:
        hint = did_you_mean(str(location[-1]), parameters)
        message += hint or f"; the parameters of this path are {', '.join(parameters)}"
    return {"row": None, "column": ".".join(map(str, location[1:]))[:_MAX_NAME], "code": code, "message": message}
