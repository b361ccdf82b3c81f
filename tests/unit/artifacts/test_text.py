"""Text of unknown origin is printed without effect on a terminal or a log."""

import pytest

from artifacts.text import class_name, printable, shorten


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("größe 中文", "größe 中文"),
        ("a\x1b[2J\n", "a\\u001b[2J\\n"),
        ("\u202e\x7f\x9b", "\\u202e\\u007f\\u009b"),
        ("\ud800", "\\ud800"),
    ],
    ids=ascii,
)
def test_control_characters_become_json_escapes(text: str, expected: str) -> None:
    """Letters of any script stay, and what a terminal obeys or cannot show is escaped."""
    assert printable(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("abcde", "abcde"), ("abcdef", "abcd…"), (True, "true"), (12, "12"), ("", ""), ("\n" * 9, "\\n\\n…")],
    ids=repr,
)
def test_a_name_is_cut_to_a_length(value: object, expected: str) -> None:
    """The text has at most so many characters, escapes included, and ends with an ellipsis where it was cut."""
    assert shorten(value, longest=5) == expected


def test_a_class_name_is_printable() -> None:
    """The name of a class that a pickle made is escaped."""
    assert class_name(type("a\x1b", (), {})()) == "a\\u001b"
