"""The output of a command line, whose reader may go away before its end."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any

# What a shell reports of a program that SIGPIPE ended.
_READER_GONE = 128 + 13


def piped(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; where the reader of its output has gone, as `head` does, say nothing."""
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends, and would print a traceback of that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE


class _Dropping(io.FileIO):
    """A file that drops what is written once its reader has gone."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            return len(content)


def unbroken(command: Callable[[], int]) -> int:
    """Run a command to its end and return its exit code; what it prints after its reader has gone is dropped."""
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
