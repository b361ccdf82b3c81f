"""Output to a pipe whose reader may close it early."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any

# The exit code that a shell reports for a program that SIGPIPE ended.
_READER_GONE = 128 + 13


def piped(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; end silently if the reader closes the pipe, as `head` does."""
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes again at exit, and would print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE


class _Dropping(io.FileIO):
    """A file that discards output once its reader has closed the pipe."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            return len(content)


def unbroken(command: Callable[[], int]) -> int:
    """Run a command to its end and return its exit code; discard its output once the reader has closed the pipe."""
    if sys.stdout is not sys.__stdout__ or not isinstance(sys.stdout, io.TextIOWrapper):
        # Captured by the caller, or closed.
        return command()
    kept, sys.stdout = (
        sys.stdout,
        io.TextIOWrapper(
            io.BufferedWriter(_Dropping(sys.stdout.fileno(), "w", closefd=False)),
            encoding=sys.stdout.encoding,
            errors=sys.stdout.errors,
            line_buffering=sys.stdout.line_buffering,
        ),
    )
    try:
        return command()
    finally:
        sys.stdout.flush()
        sys.stdout = kept
