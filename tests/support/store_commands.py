"""Call `python -m artifacts` in this process."""

from pathlib import Path

from artifacts.__main__ import main


def call(root: Path, *arguments: str) -> int:
    """Run one command on a store and return its exit code."""
    return main(["--store", str(root), *arguments])
