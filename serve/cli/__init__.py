"""The commands of `python -m serve` that administer users, roles, sessions, API keys and the audit."""

import argparse

from serve.cli import audit, keys, roles, sessions, users


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add all of these commands; each sets a `call`, whose libraries are imported only when it runs."""
    for module in (users, roles, sessions, keys, audit):
        module.add_to(commands)
