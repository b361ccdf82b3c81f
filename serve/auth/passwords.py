"""Password hashes: argon2id by passlib, which only this module knows."""

import secrets
import warnings
from typing import Any

from passlib.hash import argon2

SHORTEST = 8
LONGEST = 1024


class Passwords:
    """Hashes and verifies with OWASP's parameters for argon2id: 19 MiB, two passes, one lane."""

    def __init__(self, *, memory_kib: int = 19_456, passes: int = 2) -> None:
        with warnings.catch_warnings():
            # passlib reads the version of argon2-cffi in a deprecated way.
            warnings.filterwarnings("ignore", "Accessing argon2.__version__", DeprecationWarning)
            argon2.set_backend("argon2_cffi")
        using: Any = argon2.using
        self._hasher = using(type="ID", memory_cost=memory_kib, time_cost=passes, parallelism=1)
        self._unknown_user = self.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """
        Hash a password with a new salt.

        Raises:
            ValueError: The password is shorter than 8 characters or longer than 1,024.
        """
        if not SHORTEST <= len(password) <= LONGEST:
            raise ValueError(f"a password has {SHORTEST} to {LONGEST:,} characters")
        return str(self._hasher.hash(password))

    def verify(self, password: str, hashed: str | None) -> bool:
        """Return whether a password matches a hash; None, for an unknown user, takes as long and is False."""
        if len(password) > LONGEST:
            return False
        is_hash = hashed is not None and bool(self._hasher.identify(hashed))
        try:
            matches = bool(self._hasher.verify(password, hashed if is_hash else self._unknown_user))
        except ValueError:
            # A truncated hash matches nothing.
            return False
        return matches and is_hash

    def is_outdated(self, hashed: str) -> bool:
        """Return whether a hash was made with other parameters than new hashes are."""
        return bool(self._hasher.needs_update(hashed))
