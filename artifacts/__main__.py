"""The store from the command line: python -m artifacts list | show | verify | promote."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from artifacts.errors import ArtifactError
from artifacts.manifest import Manifest
from artifacts.settings import ArtifactSettings
from artifacts.store import CHAMPION, Store


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all is well, 1 if an artifact is not."""
    parser = argparse.ArgumentParser(prog="python -m artifacts", description=__doc__)
    parser.add_argument("--store", type=Path, default=None, help="the store's folder (default: SEPAL_ARTIFACTS)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every version of every model, a line each")
    for name, text in (("show", "what one version promises"), ("verify", "load versions as a server would")):
        command = commands.add_parser(name, help=text)
        command.add_argument("model", nargs=None if name == "show" else "?", help="MODEL, MODEL@VERSION or MODEL@ALIAS")
    promote = commands.add_parser("promote", help="point an alias at a version: to promote it, or to roll back")
    promote.add_argument("model", help="MODEL@VERSION")
    promote.add_argument("--alias", default=CHAMPION, help="which alias (default: %(default)s)")
    arguments = parser.parse_args(argv)
    store = Store(arguments.store or ArtifactSettings().artifacts)
    try:
        return _run(store, arguments)
    except ArtifactError as error:
        print(error, file=sys.stderr)
        return 1


def _run(store: Store, arguments: argparse.Namespace) -> int:
    if arguments.command == "list":
        return _list(store)
    if arguments.command == "show":
        return _show(store, arguments.model)
    if arguments.command == "verify":
        return _verify(store, arguments.model)
    return _promote(store, arguments.model, arguments.alias)


def _list(store: Store) -> int:
    rows = [("MODEL", "VERSION", "ALIASES", "PUBLISHED", "ESTIMATOR")]
    for model in store.models():
        aliases = store.aliases(model)
        for version in store.versions(model):
            names = ",".join(alias for alias, target in sorted(aliases.items()) if target == version)
            rows.append((model, str(version), names, *_summary(store, model, version)))
    if len(rows) == 1:
        print(f"no model in {store.root}: python -m train iris makes one")
        return 0
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _summary(store: Store, model: str, version: int) -> tuple[str, str]:
    try:
        manifest = store.manifest(model, version)
    except ArtifactError as error:
        return "", f"unreadable: {error}"
    return f"{manifest.created_at:%Y-%m-%d %H:%M}", _short(manifest)


def _show(store: Store, reference: str) -> int:
    model, version = _resolve(store, reference)
    manifest = store.manifest(model, version)
    aliases = ", ".join(alias for alias, target in sorted(store.aliases(model).items()) if target == version)
    print(f"{model} version {version}" + (f" ({aliases})" if aliases else ""))
    print(f"published   {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC")
    print(f"estimator   {_short(manifest)}")
    print(f"task        {manifest.task}: {', '.join(map(str, manifest.classes))}")
    print(f"requires    {', '.join(manifest.requires)}")
    print("columns")
    for column in manifest.signature.columns:
        null = ", may be null" if column.nullable else ""
        seen = "only null" if column.minimum is None else f"{column.minimum:g} to {column.maximum:g}"
        print(f"  {column.name}  {column.kind} ({column.dtype}{null}), seen {seen}")
    print("scores")
    for name, value in manifest.scores.items():
        print(f"  {name}  {value:.4f}")
    return 0


def _verify(store: Store, reference: str | None) -> int:
    wanted = (
        [_resolve(store, reference)]
        if reference
        else [(model, version) for model in store.models() for version in store.versions(model)]
    )
    failed = 0
    for model, version in wanted:
        try:
            store.load(model, version)
        except ArtifactError as error:
            failed += 1
            print(f"{model}@{version}  FAILED  {type(error).__name__}: {error}")
        else:
            print(f"{model}@{version}  ok")
    return 1 if failed else 0


def _promote(store: Store, reference: str, alias: str) -> int:
    model, version = _resolve(store, reference)
    store.promote(model, version, alias=alias)
    print(f"{alias} of {model} is version {version}; servers take it up when they start")
    return 0


def _resolve(store: Store, reference: str) -> tuple[str, int]:
    model, _, version = reference.partition("@")
    return model, store.resolve(model, version or CHAMPION)


def _short(manifest: Manifest) -> str:
    return " ".join(manifest.estimator.split())[:100]


if __name__ == "__main__":
    sys.exit(main())
