"""What commands ask and tell, before and after their work; imported at every start, so it imports next to nothing."""

import getpass
import sys
import time


def read_password() -> str:
    """A password, asked for without an echo, or the first line of standard input."""
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def day(at: float | None) -> str:
    """A time, to the minute; a dash for what never was."""
    return "-" if at is None else time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(at))


def ended(sessions: int) -> str:
    """How many sessions a change has cost."""
    return f"; {sessions} session{'' if sessions == 1 else 's'} ended" if sessions else ""
