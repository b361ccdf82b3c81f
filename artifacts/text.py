"""Text of unknown origin, made safe to print: names, labels and messages that a manifest or a request contains."""

import json

LONGEST_NAME = 80


def printable(text: str) -> str:
    """Replace characters that control a terminal or cannot be seen by JSON escapes; letters of any script stay."""
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


def shorten(value: object, *, longest: int = LONGEST_NAME) -> str:
    """Return a name or a label as printable text of at most so many characters; booleans as JSON writes them."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = printable(text[: longest + 1])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def class_name(thing: object) -> str:
    """Return the name of an object's class, which may come from a pickle, as printable text."""
    return shorten(type(thing).__name__)
