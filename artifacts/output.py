"""The output of a command line, whose reader may go away before its end."""

import os
import sys
from collections.abc import Callable

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
