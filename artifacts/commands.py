"""The commands of `python -m artifacts`, but for `show`; each returns its exit code."""

import sys
from argparse import Namespace
from collections.abc import Iterator

from artifacts.description import name
from artifacts.errors import ArtifactError, KeyInvalid
from artifacts.history import Event
from artifacts.keys import demand_absolute, generate, public_key_path
from artifacts.pointers import CHAMPION
from artifacts.settings import ArtifactSettings
from artifacts.show import one_line, resolve
from artifacts.store import Store


def list_versions(store: Store, _: Namespace) -> int:
    """Print a table of all versions."""
    rows = [("MODEL", "VERSION", "ALIASES", "PUBLISHED", "ESTIMATOR")]
    rows += [row for model in store.models() for row in _rows(store, model)]
    if len(rows) == 1:
        print(f"no model in {store.root}: python -m train iris makes one")
        return 0
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _rows(store: Store, model: str) -> Iterator[tuple[str, str, str, str, str]]:
    try:
        aliases, versions = store.aliases(model), store.versions(model)
    except ArtifactError as error:
        yield model, "", "", "", f"unreadable: {error}"
        return
    for version in versions:
        pointing = ",".join(alias for alias, target in sorted(aliases.items()) if target == version)
        try:
            manifest = store.manifest(model, version)
            summary = f"{manifest.created_at:%Y-%m-%d %H:%M}", one_line(manifest.estimator)
        except ArtifactError as error:
            summary = "", f"unreadable: {error}"
        yield model, str(version), pointing, *summary


def verify(store: Store, arguments: Namespace) -> int:
    """Load versions as a server would, and print which ones fail; all are tried, also after a failure."""
    if arguments.model:
        return int(not _loads(store, *resolve(store, arguments.model)))
    results = [result for model in store.models() for result in _verify_model(store, model)]
    return int(not all(results))


def _verify_model(store: Store, model: str) -> Iterator[bool]:
    try:
        versions = store.versions(model)
    except ArtifactError as error:
        print(f"{model}  FAILED  {error.slug}: {error}")
        yield False
        return
    for version in versions:
        yield _loads(store, model, version)


def _loads(store: Store, model: str, version: int) -> bool:
    try:
        result = store.check(model, version)
    except ArtifactError as error:
        print(f"{model}@{version}  FAILED  {error.slug}: {error}")
        return False
    print(f"{model}@{version}  ok  signed by {result.key}")
    for difference in (*result.incompatible, *result.differing):
        print(f"{model}@{version}  warning  {difference}")
    return True


def promote(store: Store, arguments: Namespace) -> int:
    """Point an alias at a version."""
    model, version = resolve(store, arguments.model)
    store.promote(model, version, alias=arguments.alias, force=arguments.force, by=arguments.by)
    print(f"{arguments.alias} of {model} is version {version}; servers load it when they start")
    return 0


def sign(store: Store, arguments: Namespace) -> int:
    """Sign a version."""
    model, version = resolve(store, arguments.model)
    key = store.sign(model, version, by=arguments.by)
    print(f"{model} version {version} is signed by {key}")
    return 0


def delete(store: Store, arguments: Namespace) -> int:
    """Delete a version."""
    model, version = resolve(store, arguments.model)
    store.delete(model, version, by=arguments.by)
    print(f"{model} version {version} is deleted")
    return 0


def unalias(store: Store, arguments: Namespace) -> int:
    """Remove an alias; the champion only with --force."""
    if arguments.alias == CHAMPION and not arguments.force:
        print(f"servers load the {CHAMPION}: promote another version, or use --force to remove it", file=sys.stderr)
        return 2
    version = store.unalias(arguments.model, arguments.alias, by=arguments.by)
    print(f"{arguments.alias} of {arguments.model} is removed; it was version {version}")
    return 0


def history(store: Store, arguments: Namespace) -> int:
    """Print the history of a model, one line per event."""
    for event in store.history(arguments.model):
        print(_line(event) if event else "(incomplete line)")
    return 0


def _line(event: Event) -> str:
    what = f"{event.event:<9}  version {event.version}  key {name(event.key)}"
    moved = f"  {name(event.alias)}: {event.before or 'nothing'} to {event.after or 'nothing'}" if event.alias else ""
    return f"{event.at:%Y-%m-%d %H:%M:%S}  {name(event.by)}  {what}{moved}"


def keygen(_: Store, arguments: Namespace) -> int:
    """Make a key pair, and print the setting that makes a server trust it."""
    file = arguments.output or demand_absolute(ArtifactSettings().signing_key)
    try:
        public = generate(file)
    except FileExistsError as error:
        raise KeyInvalid(f"{file} exists, and a key is never replaced; choose another file with --output") from error
    print(f"{file} is the private key: keep it secret; only publishers need it")
    print(f"{public_key_path(file)} is the public key: servers that load what the private key signs need this setting")
    print(f"SEPAL_TRUSTED_KEYS={public.text}")
    return 0
