"""The store from the command line: python -m artifacts list | show | verify | promote | sign | delete | ..."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from artifacts.columns import Column
from artifacts.description import curl, example_of, executed, learned, name, names, seen
from artifacts.errors import ArtifactError, KeyInvalid
from artifacts.history import Event
from artifacts.keys import demand_absolute, generate, public_half
from artifacts.local_server import api, token_command
from artifacts.manifest import Manifest
from artifacts.output import piped
from artifacts.pointers import CHAMPION
from artifacts.settings import ArtifactSettings, complaints
from artifacts.store import Store
from artifacts.version_folder import CARD


def main(argv: Sequence[str] | None = None, *, program: str = "python -m artifacts") -> int:
    """Run one command; 0 if all is well, 1 if an artifact is not, 2 if a setting or an argument is wrong."""
    return piped(partial(_main, argv, program))


def _main(argv: Sequence[str] | None, program: str) -> int:
    arguments = _parser(program).parse_args(argv)
    try:
        settings = ArtifactSettings()
    except ValidationError as error:
        print("\n".join(complaints(error)), file=sys.stderr)
        return 2
    try:
        if arguments.command == "keygen":
            return _keygen(arguments.output or demand_absolute(settings.signing_key))
        return _run(Store.of(settings, root=arguments.store), arguments)
    except ArtifactError as error:
        print(f"{error.slug}: {error}", file=sys.stderr)
        return 1


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description="The store from the command line.")
    parser.add_argument("--store", type=Path, default=None, help="the store's folder (default: SEPAL_ARTIFACTS)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every version of every model, a line each")
    for verb, text in (("show", "what one version promises"), ("verify", "load versions as a server would")):
        command = commands.add_parser(verb, help=text)
        command.add_argument("model", nargs=None if verb == "show" else "?", help="MODEL, MODEL@VERSION or MODEL@ALIAS")
        if verb == "show":
            command.add_argument("--card", action="store_true", help="print only where its model card is")
    promote = commands.add_parser("promote", help="point an alias at a version: to promote it, or to roll back")
    promote.add_argument("--alias", default=CHAMPION, help="which alias (default: %(default)s)")
    promote.add_argument("--force", action="store_true", help="although the key that signed it is new to the model")
    sign = commands.add_parser("sign", help="vouch for a version that was published before, or elsewhere")
    delete = commands.add_parser("delete", help="remove a version that no alias names from the disk")
    for command in (promote, sign, delete):
        command.add_argument("model", help="MODEL@VERSION")
        command.add_argument("--by", default="", help="who the history says it was (default: the system's user)")
    unalias = commands.add_parser("unalias", help="remove an alias; the version that it names stays")
    unalias.add_argument("model", help="MODEL")
    unalias.add_argument("alias", help="ALIAS")
    unalias.add_argument("--force", action="store_true", help="also if it is the champion, which servers load")
    unalias.add_argument("--by", default="", help="who the history says it was (default: the system's user)")
    history = commands.add_parser("history", help="what was published, promoted, signed and deleted, by whom and when")
    history.add_argument("model", help="MODEL")
    keygen = commands.add_parser("keygen", help="make a key pair that signs versions; none is ever replaced")
    keygen.add_argument("--output", type=Path, help="file of the private key (default: SEPAL_SIGNING_KEY)")
    return parser


def _run(store: Store, arguments: argparse.Namespace) -> int:
    commands: dict[str, Callable[[], int]] = {
        "list": lambda: _list(store),
        "show": lambda: _show(store, arguments.model, card=arguments.card),
        "verify": lambda: _verify(store, arguments.model),
        "promote": lambda: _promote(store, arguments),
        "sign": lambda: _sign(store, arguments.model, by=arguments.by),
        "delete": lambda: _delete(store, arguments.model, by=arguments.by),
        "unalias": lambda: _unalias(store, arguments),
        "history": lambda: _history(store, arguments.model),
    }
    return commands[arguments.command]()


def _list(store: Store) -> int:
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
        yield model, str(version), pointing, *_summary(store, model, version)


def _summary(store: Store, model: str, version: int) -> tuple[str, str]:
    try:
        manifest = store.manifest(model, version)
    except ArtifactError as error:
        return "", f"unreadable: {error}"
    return f"{manifest.created_at:%Y-%m-%d %H:%M}", _short(manifest)


def _show(store: Store, reference: str, *, card: bool) -> int:
    model, version = _resolve(store, reference)
    manifest = store.manifest(model, version)
    folder = store.root.resolve() / model / str(version)
    if card:
        return _show_card(manifest, folder)
    aliases = ", ".join(alias for alias, target in sorted(store.aliases(model).items()) if target == version)
    print(f"{model} version {version}" + (f" ({aliases})" if aliases else ""))
    for title, text in [("signed by", _signed_by(store, model, version)), *_facts(manifest)]:
        print(f"{title:<12}{text}")
    _section("columns", [(name(column.name), _column(column, manifest)) for column in manifest.signature.columns])
    _section("scores", [(name(score), f"{value:.4f}") for score, value in manifest.scores.items()])
    _section("files", [(name(file), f"sha256 {digest}") for file, digest in manifest.files.items()])
    if CARD in manifest.files:
        print(f"card        {folder / CARD}")
    example = example_of(manifest)
    if example is not None:
        print(f"ask it\n  TOKEN=$({token_command()})\n  {curl(manifest, example, api=api())}")
    return 0


def _signed_by(store: Store, model: str, version: int) -> str:
    try:
        _, key = store.verified_manifest(model, version)
    except ArtifactError as error:
        return f"NOBODY WHO IS TRUSTED, so all of this may be invented: {error.slug}: {error}"
    return f"key {key}"


def _show_card(manifest: Manifest, folder: Path) -> int:
    if CARD not in manifest.files or not (folder / CARD).is_file():
        print(f"{name(manifest.model)} version {manifest.version} has no model card", file=sys.stderr)
        return 1
    print(folder / CARD)
    return 0


def _facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "published", f"{manifest.created_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "estimator", _short(manifest)
    yield "task", f"{manifest.task}: {names(manifest.classes)}" if manifest.classes else manifest.task
    if manifest.training:
        if manifest.training.target:
            yield "target", name(manifest.training.target)
        yield "learned", learned(manifest.training, sampled=manifest.is_sampled)
        if manifest.training.source:
            yield "source", name(manifest.training.source, longest=200)
    if manifest.execution:
        yield "runtime", executed(manifest.execution)
    yield "requires", names(manifest.requires)
    if manifest.code:
        yield "own code", names(manifest.code)
    for warning in manifest.warnings:
        yield "WARNING", name(warning, longest=500)
    if manifest.signature.csv_nulls:
        yield "csv nulls", names(("an empty cell", *manifest.signature.csv_nulls))


def _column(column: Column, manifest: Manifest) -> str:
    null = ", may be null" if column.nullable else ""
    saw = seen(column, manifest.reference.get(column.name))
    where = "in the sample" if column.sampled else "seen"
    return f"{column.kind} ({column.dtype}{null})" + (f", {where} {saw}" if saw else "")


def _section(title: str, lines: Sequence[tuple[str, str]]) -> None:
    print(title)
    width = max((len(key) for key, _ in lines), default=0)
    for key, text in lines:
        print(f"  {key:<{width}}  {text}")


def _verify(store: Store, reference: str | None) -> int:
    if reference:
        return int(_fails(store, *_resolve(store, reference)))
    # All of them are looked at, whatever is found first.
    return int(sum(_any_fails(store, model) for model in store.models()) > 0)


def _any_fails(store: Store, model: str) -> bool:
    try:
        versions = store.versions(model)
    except ArtifactError as error:
        print(f"{model}  FAILED  {error.slug}: {error}")
        return True
    return sum(_fails(store, model, version) for version in versions) > 0


def _fails(store: Store, model: str, version: int) -> bool:
    try:
        loaded = store.check(model, version)
    except ArtifactError as error:
        print(f"{model}@{version}  FAILED  {error.slug}: {error}")
        return True
    print(f"{model}@{version}  ok  signed by {loaded.key}")
    for difference in (*loaded.incompatible, *loaded.differing):
        print(f"{model}@{version}  warning  {difference}")
    return False


def _promote(store: Store, arguments: argparse.Namespace) -> int:
    model, version = _resolve(store, arguments.model)
    alias = arguments.alias
    store.promote(model, version, alias=alias, force=arguments.force, by=arguments.by)
    print(f"{alias} of {model} is version {version}; servers take it up when they start")
    return 0


def _sign(store: Store, reference: str, *, by: str) -> int:
    model, version = _resolve(store, reference)
    key = store.sign(model, version, by=by)
    print(f"{model} version {version} is signed by {key}")
    return 0


def _delete(store: Store, reference: str, *, by: str) -> int:
    model, version = _resolve(store, reference)
    store.delete(model, version, by=by)
    print(f"{model} version {version} is deleted")
    return 0


def _unalias(store: Store, arguments: argparse.Namespace) -> int:
    if arguments.alias == CHAMPION and not arguments.force:
        print(f"servers load the {CHAMPION}: promote another version, or add --force to remove it", file=sys.stderr)
        return 2
    version = store.unalias(arguments.model, arguments.alias, by=arguments.by)
    print(f"{arguments.alias} of {arguments.model} is removed; it was version {version}")
    return 0


def _history(store: Store, model: str) -> int:
    for event in store.history(model):
        print(_told(event) if event else "(a line that was cut short)")
    return 0


def _told(event: Event) -> str:
    what = f"{event.event:<9}  version {event.version}  key {name(event.key)}"
    moved = f"  {name(event.alias)}: {event.before or 'nothing'} to {event.after or 'nothing'}" if event.alias else ""
    return f"{event.at:%Y-%m-%d %H:%M:%S}  {name(event.by)}  {what}{moved}"


def _keygen(file: Path) -> int:
    try:
        public = generate(file)
    except FileExistsError as error:
        raise KeyInvalid(f"{file} is there already, and a key is never replaced") from error
    print(f"{file} is the private key: whoever signs needs it, and nobody else")
    print(f"{public_half(file)} is its public half: a server that shall load what it signs needs this line")
    print(f"SEPAL_TRUSTED_KEYS={public.text}")
    return 0


def _resolve(store: Store, reference: str) -> tuple[str, int]:
    model, _, version = reference.partition("@")
    return model, store.resolve(model, version or CHAMPION)


def _short(manifest: Manifest) -> str:
    return name(" ".join(manifest.estimator.split()), longest=100)


if __name__ == "__main__":
    sys.exit(main())
