"""Mistakes of a query or a form in the words of this API."""

from typing import Any

import pytest

from serve.api.invalid_requests import MAX_TEXT, describe

PARAMETERS = ["version", "probabilities"]


def entry(kind: str, name: str = "version", **context: Any) -> dict[str, Any]:
    """Return a mistake as pydantic describes it."""
    return {"type": kind, "loc": ("query", name), "msg": "m" * 999, "ctx": context}


@pytest.mark.parametrize(("mistake", "code", "message"), [
    (entry("missing"), "missing", "missing"),
    (entry("literal_error", expected="'a' or 'b'"), "unknown-value", "expected 'a' or 'b'"),
    (entry("string_too_long", max_length=9), "text-too-long", "expected at most 9 characters"),
    (entry("extra_forbidden", "versoin"), "unknown-name", "unknown; did you mean version?"),
    (entry("extra_forbidden", "limit"), "unknown-name",
     "unknown; the parameters of this path are version, probabilities"),
    (entry("other"), "other", "m" * MAX_TEXT),
])  # fmt: skip
def test_a_mistake_has_a_code_and_a_message(mistake: dict[str, Any], code: str, message: str) -> None:
    """Pydantic's own message is used only for a code that is unknown here."""
    described = describe(mistake, PARAMETERS)

    assert (described["code"], described["message"]) == (code, message)
    assert (described["row"], described["column"]) == (None, mistake["loc"][1])


def test_without_parameters_there_is_no_suggestion() -> None:
    """A route without query parameters has none to suggest."""
    assert describe(entry("extra_forbidden"), [])["message"] == "unknown"


def test_a_long_name_is_truncated() -> None:
    """Its place in nested fields is joined by dots."""
    nested = {"type": "missing", "loc": ("body", "a", 3, "b" * 99), "msg": ""}

    assert describe(nested, [])["column"] == ("a.3." + "b" * 99)[:64]
