"""What `python -m serve` does to people and their rights: users, roles, sessions, keys, audit."""

import argparse

from serve.cli import audit, keys, roles, sessions, users


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Every command of these, each with the `call` that does it; what the work needs is imported when it is done."""
    for module in (users, roles, sessions, keys, audit):
        module.add_to(commands)
