"""CSV files that a test writes."""

from collections.abc import Callable
from pathlib import Path

Write = Callable[[str | bytes], Path]


def writer(path: Path) -> Write:
    """Return a function that writes this file and returns its path."""

    def write(content: str | bytes) -> Path:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
