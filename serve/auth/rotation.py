"""The keys that sign tokens, changed from the command line: list, add, use, retire."""

from collections.abc import Callable, Mapping
from pathlib import Path

from serve.auth.jwks import SigningKey, secret_key
from serve.auth.keyring import GENERATORS, added, load, retired, save, taking_turns, used

Keys = tuple[SigningKey, ...]


class Rotation:
    """What the commands do to the file; each prints what it did. A server takes the change up by itself."""

    def __init__(self, file: Path, *, secret: str = "") -> None:
        self._file = file
        self._secret = secret

    def run(self, action: str, argument: str) -> None:
        """
        One command.

        Raises:
            OSError: The file cannot be read or written.
            ValueError: It is not what it must be, or the command asks for what cannot be.
        """
        actions: Mapping[str, Callable[[str], str]] = {"add": self._add, "use": self._use, "retire": self._retire}
        if action == "list":
            for place, key in enumerate(load(self._file)):
                print(f"{key.kid}  {key.alg}  {'verifies' if place else 'signs'}")
            return
        # In turn: of two commands at once, the second would write again what the first took away.
        with taking_turns(self._file):
            print(actions[action](argument))

    def _add(self, alg: str) -> str:
        key = GENERATORS[alg]()
        # `use` and `retire` would take an id that begins so for an option.
        while key.kid.startswith("-"):
            key = GENERATORS[alg]()
        save(self._file, added(self._keys(), key))
        return key.kid

    def _use(self, kid: str) -> str:
        save(self._file, used(load(self._file), kid))
        return f"{kid} signs"

    def _retire(self, kid: str) -> str:
        save(self._file, retired(load(self._file), kid))
        if self._secret and kid == secret_key(self._secret.encode()).kid:
            return f"{kid} is gone from the file, and verifies for as long as SEPAL_SECRET_KEY is set"
        return f"{kid} is gone, and every token with it"

    def _keys(self) -> Keys:
        """A new file begins with the secret, which signs on: the change of keys is a step of its own."""
        if self._file.exists():
            return load(self._file)
        return (secret_key(self._secret.encode()),) if self._secret else ()
