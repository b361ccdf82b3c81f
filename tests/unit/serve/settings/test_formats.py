"""Lists, mappings, rates and sizes are read as one writes them, or as JSON."""

import pytest
from pydantic import TypeAdapter, ValidationError

from serve.settings.formats import DEFAULT_RATES, Lockout, RateName, Rates, Size


@pytest.mark.parametrize(("text", "rates"), [
    ("predict=100/minute", {"predict": "100/minute"}),
    ("predict = 5 / 15 minutes , rows=off", {"predict": "5 / 15 minutes", "rows": "off"}),
    ('{"login": "1/second"}', {"login": "1/second"}),
])  # fmt: skip
def test_rates_that_are_left_out_keep_their_default(text: str, rates: dict[RateName, str]) -> None:
    """A mapping names the rates that differ, as `name=rate` pairs or JSON."""
    assert TypeAdapter(Rates).validate_python(text) == DEFAULT_RATES | rates


@pytest.mark.parametrize(
    "text", ["predict", "predict=often", "rows=0/minute", "all=1/day", "predict=1/0 days", '{"predict"']
)
def test_an_invalid_rate_is_refused(text: str) -> None:
    """Unknown names, rates without a number or a unit, zeros, and texts that are not a mapping are refused."""
    with pytest.raises(ValidationError):
        TypeAdapter(Rates).validate_python(text)


@pytest.mark.parametrize(("text", "size"), [("64MiB", 64 * 2**20), ("67108864", 2**26), ("500kB", 500_000)])
def test_a_size_has_a_unit_or_is_in_bytes(text: str, size: int) -> None:
    """Binary units, decimal units and a number of bytes are accepted."""
    assert TypeAdapter(Size).validate_python(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "64 pages"])
def test_an_invalid_size_is_refused(text: str) -> None:
    """A size is more than 0 and has a known unit."""
    with pytest.raises(ValidationError):
        TypeAdapter(Size).validate_python(text)


def test_a_lockout_cannot_be_off() -> None:
    """Passwords can be guessed without a lockout."""
    assert TypeAdapter(Lockout).validate_python("5/15minutes") == "5/15minutes"
    with pytest.raises(ValidationError):
        TypeAdapter(Lockout).validate_python("off")
