"""The type of the fixture that runs commands in this process."""

from collections.abc import Callable

Command = Callable[..., tuple[int, str, str]]
