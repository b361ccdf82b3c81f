"""Which kind of problem an error is."""

from serve.api.problem_kinds import KINDS, kind_of
from serve.errors import InvalidInput, Overloaded, ServeError


def test_an_error_has_the_kind_of_its_class() -> None:
    """`ServeError` itself is an internal error."""
    assert kind_of(Overloaded()) == KINDS[Overloaded]
    assert kind_of(ServeError("why")).status == 500


def test_invalid_input_has_its_code_as_slug() -> None:
    """The status depends on the code, and is 422 for most."""
    assert (kind_of(InvalidInput("json-depth", "")).status, kind_of(InvalidInput("null", "")).status) == (400, 422)
    assert kind_of(InvalidInput("null", "")).slug == "null"
