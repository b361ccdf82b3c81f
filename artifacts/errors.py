"""
What can be wrong with an artifact, in the words of the domain.

    ArtifactError
    ├── NameInvalid             a model, version or alias that no store can hold
    ├── KeyInvalid              a key that cannot be read, is missing, or is in the way
    ├── ArtifactMissing         the store has no such model, version or alias
    ├── ArtifactInUse           an alias names the version, so it is not deleted
    ├── ArtifactPath            what lies there is no plain file of the version's own folder, or is named like none
    ├── ArtifactUnreadable      the file system does not hand it out
    ├── ArtifactUntrusted       nobody signed it, or somebody who is not trusted
    ├── ArtifactSignature       the signature is none, or not one of this manifest
    ├── ArtifactRollback        signed as another model or version than its folder says
    ├── ArtifactFormat          the manifest cannot be read, or is newer than this code
    ├── ArtifactSchema          the columns are no columns, or not those of the estimator
    ├── ArtifactIncomplete      a listed file is missing, or an unlisted one is there
    ├── ArtifactDigest          a file's bytes are not the ones that were published
    ├── ArtifactVersion         other libraries are installed than those that fitted it
    ├── ArtifactUnloadable      the bytes are right, but no model comes out of them
    └── ArtifactSelfTest        the model loads, but no longer gives its own examples' answers

Each has a `slug`, which stays what it is: logs, the command line and the API name an error by it.
"""

import signal
import threading
from collections.abc import Iterable, Sequence
from typing import ClassVar

from artifacts.text import shorten

_MOST_SHOWN = 8


def is_ctrl_c(error: BaseException) -> bool:
    """Whether the user ended the program: Python raises KeyboardInterrupt itself only where SIGINT has its default."""
    return (
        isinstance(error, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


class ArtifactError(Exception):
    """Something is wrong with an artifact or its name."""

    slug: ClassVar[str] = "artifact-error"


class NameInvalid(ArtifactError):
    """A name that no store can hold."""

    slug = "artifact-name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'{shorten(name)}' is not a name: lower-case letters, digits, '.', '_' and '-', at most 64, "
            "the first a letter or a digit; an alias is not a number"
        )
        self.name = name


class KeyInvalid(ArtifactError):
    """A key cannot be read, is missing, or is in the way; nothing of it is told."""

    slug = "artifact-key"


class ArtifactMissing(ArtifactError):
    """The store has no such model, version or alias."""

    slug = "artifact-missing"

    def __init__(self, model: str, reference: str | int | None = None) -> None:
        of_model = f"model '{shorten(model)}'"
        what = of_model if reference is None else f"version or alias '{shorten(str(reference))}' of {of_model}"
        super().__init__(f"the store has no {what}")
        self.model = model
        self.reference = reference


class ArtifactInUse(ArtifactError):
    """An alias names the version, so it is not deleted."""

    slug = "artifact-in-use"

    def __init__(self, model: str, version: int, aliases: Iterable[str]) -> None:
        self.aliases = sorted(aliases)
        super().__init__(
            f"version {version} of model {shorten(model)} is its {_some(self.aliases)}: point the alias at another "
            "version first, python -m artifacts promote MODEL@VERSION --alias ALIAS, or remove it, python -m artifacts "
            "unalias MODEL ALIAS"
        )


class ArtifactPath(ArtifactError):
    """What lies there is no plain file of its own folder, or is named like none: it is not opened."""

    slug = "artifact-path"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"'{shorten(name)}' is {what}")
        self.name = name


class ArtifactUnreadable(ArtifactError):
    """The file system does not hand out what is there."""

    slug = "artifact-unreadable"


class ArtifactUntrusted(ArtifactError):
    """Nobody signed it, or somebody whose key is not trusted."""

    slug = "artifact-untrusted"


class ArtifactSignature(ArtifactError):
    """The signature is none, or not one of these bytes."""

    slug = "artifact-signature"


class ArtifactRollback(ArtifactError):
    """It was signed as another model or version than its folder says."""

    slug = "artifact-rollback"


class ArtifactFormat(ArtifactError):
    """The manifest cannot be read, or is of a format that this code does not know."""

    slug = "artifact-format"


class ArtifactSchema(ArtifactError):
    """The columns are no columns, or not those of the estimator."""

    slug = "artifact-schema"


class ArtifactIncomplete(ArtifactError):
    """The folder does not hold exactly the files that its manifest lists."""

    slug = "artifact-incomplete"

    def __init__(self, *, missing: Iterable[str] = (), unlisted: Iterable[str] = ()) -> None:
        self.missing = sorted(missing)
        self.unlisted = sorted(unlisted)
        parts = [f"missing: {_some(self.missing)}"] if self.missing else []
        parts += [f"not listed: {_some(self.unlisted)}"] if self.unlisted else []
        super().__init__("; ".join(parts))


class ArtifactDigest(ArtifactError):
    """A file's bytes are not the ones that were published."""

    slug = "artifact-digest"

    def __init__(self, file: str) -> None:
        super().__init__(f"{file} was changed after it was published: its sha256 is not the manifest's")
        self.file = file


class ArtifactVersion(ArtifactError):
    """Other libraries are installed than those that fitted it."""

    slug = "artifact-version"

    def __init__(self, differences: Iterable[str]) -> None:
        super().__init__(
            f"{'; '.join(differences)}: publish it again, install what fitted it, or set SEPAL_VERSIONS=warn"
        )


class ArtifactUnloadable(ArtifactError):
    """The bytes are the published ones, but no model comes out of them."""

    slug = "artifact-unloadable"


class ArtifactSelfTest(ArtifactError):
    """The model no longer answers its own examples as it did when it was published."""

    slug = "artifact-self-test"


def _some(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _MOST_SHOWN} more"] if len(names) > _MOST_SHOWN else []
    return ", ".join([*map(shorten, names[:_MOST_SHOWN]), *more])
