"""
What can be wrong with an artifact.

    ArtifactError
    ├── NameInvalid             the name of a model or an alias is invalid
    ├── KeyInvalid              a key is missing, invalid, readable by others, or already exists
    ├── ArtifactMissing         the store has no such model, version or alias
    ├── ArtifactInUse           an alias points to the version, so it is not deleted
    ├── ArtifactPath            a link, a pipe, a device or a folder instead of a file, or an invalid file name
    ├── ArtifactUnreadable      the file system returned an error
    ├── ArtifactUntrusted       it is not signed, or not by a trusted key
    ├── ArtifactSignature       the signature is malformed, or not one of this manifest
    ├── ArtifactRollback        it was signed as another model or version than its folder says
    ├── ArtifactFormat          the manifest is invalid, or newer than this code
    ├── ArtifactSchema          the columns are invalid, or not those of the estimator
    ├── ArtifactIncomplete      a listed file is missing, or a file is not listed
    ├── ArtifactDigest          a file was changed after publication
    ├── ArtifactVersion         the installed libraries are incompatible with those that fitted the model
    ├── ArtifactUnloadable      the bytes are the published ones, but cannot be loaded as a model
    └── ArtifactSelfTest        the model loads, but no longer predicts its own examples as it did

Each has a `slug`, which never changes: logs, the command line and the API name an error by it.
"""

import signal
import threading
from collections.abc import Iterable
from typing import ClassVar

from artifacts.text import shorten

_MOST_NAMES = 8


def is_ctrl_c(error: BaseException) -> bool:
    """Return whether the user ended the program: Python raises KeyboardInterrupt only if SIGINT has its default."""
    return (
        isinstance(error, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


class ArtifactError(Exception):
    """Something is wrong with an artifact or its name."""

    slug: ClassVar[str] = "artifact-error"


class NameInvalid(ArtifactError):
    """The name of a model or an alias is invalid."""

    slug = "artifact-name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"invalid name '{shorten(name)}': use lower-case letters, digits, '.', '_' and '-', at most 64, "
            "the first a letter or a digit; an alias must not be a number"
        )


class KeyInvalid(ArtifactError):
    """A key is missing, invalid, readable by others, or already exists; the message has nothing of the key."""

    slug = "artifact-key"


class ArtifactMissing(ArtifactError):
    """The store has no such model, version or alias."""

    slug = "artifact-missing"

    def __init__(self, model: str, reference: str | int | None = None) -> None:
        what = "" if reference is None else f"version or alias '{shorten(reference)}' of "
        super().__init__(f"the store has no {what}model '{shorten(model)}'")


class ArtifactInUse(ArtifactError):
    """An alias points to the version, so it is not deleted."""

    slug = "artifact-in-use"

    def __init__(self, model: str, version: int, aliases: Iterable[str]) -> None:
        super().__init__(
            f"version {version} of model {shorten(model)} is its {_some(aliases)}: point the alias at another "
            "version first, python -m artifacts promote MODEL@VERSION --alias ALIAS, or remove it, python -m artifacts "
            "unalias MODEL ALIAS"
        )


class ArtifactPath(ArtifactError):
    """A link, a pipe, a device or a folder is where a file should be, or a file name is invalid; it is not opened."""

    slug = "artifact-path"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"'{shorten(name)}' is {what}")


class ArtifactUnreadable(ArtifactError):
    """The file system returned an error."""

    slug = "artifact-unreadable"


class ArtifactUntrusted(ArtifactError):
    """It is not signed, or not by a trusted key."""

    slug = "artifact-untrusted"


class ArtifactSignature(ArtifactError):
    """The signature is malformed, or not one of these bytes."""

    slug = "artifact-signature"


class ArtifactRollback(ArtifactError):
    """It was signed as another model or version than its folder says."""

    slug = "artifact-rollback"


class ArtifactFormat(ArtifactError):
    """The manifest is invalid, or of a format that this code does not know."""

    slug = "artifact-format"


class ArtifactSchema(ArtifactError):
    """The columns are invalid, or not those of the estimator."""

    slug = "artifact-schema"


class ArtifactIncomplete(ArtifactError):
    """The folder does not hold exactly the files that its manifest lists."""

    slug = "artifact-incomplete"

    def __init__(self, *, missing: Iterable[str] = (), unlisted: Iterable[str] = ()) -> None:
        parts = {"missing": _some(missing), "not listed": _some(unlisted)}
        super().__init__("; ".join(f"{kind}: {names}" for kind, names in parts.items() if names))


class ArtifactDigest(ArtifactError):
    """A file's bytes are not the published ones."""

    slug = "artifact-digest"

    def __init__(self, file: str) -> None:
        super().__init__(f"{file} was changed after it was published: its sha256 differs from the manifest's")


class ArtifactVersion(ArtifactError):
    """The installed libraries are incompatible with those that fitted the model."""

    slug = "artifact-version"

    def __init__(self, differences: Iterable[str]) -> None:
        super().__init__(
            f"{'; '.join(differences)}: publish the model again, install these versions, or set SEPAL_VERSIONS=warn"
        )


class ArtifactUnloadable(ArtifactError):
    """The bytes are the published ones, but cannot be loaded as a model."""

    slug = "artifact-unloadable"


class ArtifactSelfTest(ArtifactError):
    """The model no longer predicts its own examples as it did when it was published."""

    slug = "artifact-self-test"


def _some(names: Iterable[str]) -> str:
    known = sorted(names)
    more = [f"and {len(known) - _MOST_NAMES} more"] if len(known) > _MOST_NAMES else []
    return ", ".join([*map(shorten, known[:_MOST_NAMES]), *more])
