"""Input and output of commands; imported at every start, so it imports only the standard library."""

import getpass
import sys
import time


def read_password() -> str:
    """Prompt for a password without an echo, or read the first line of standard input."""
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def format_time(at: float | None) -> str:
    """Format a time to the minute, or None as a hyphen."""
    return "-" if at is None else time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(at))


def format_ended(sessions: int) -> str:
    """Format how many sessions a change has ended."""
    return f"; {sessions} session{'' if sessions == 1 else 's'} ended" if sessions else ""
