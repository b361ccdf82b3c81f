"""The store from the command line: python -m artifacts list | show | verify | promote."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from artifacts.bundle import CARD
from artifacts.columns import Column
from artifacts.description import curl, example_of, executed, name, names, seen
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
    for verb, text in (("show", "what one version promises"), ("verify", "load versions as a server would")):
        command = commands.add_parser(verb, help=text)
        command.add_argument("model", nargs=None if verb == "show" else "?", help="MODEL, MODEL@VERSION or MODEL@ALIAS")
        if verb == "show":
            command.add_argument("--card", action="store_true", help="print only where its model card is")
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
        return _show(store, arguments.model, card=arguments.card)
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


def _show(store: Store, reference: str, *, card: bool) -> int:
    model, version = _resolve(store, reference)
    manifest = store.manifest(model, version)
    folder = store.root.resolve() / model / str(version)
    if card:
        return _show_card(manifest, folder)
    aliases = ", ".join(alias for alias, target in sorted(store.aliases(model).items()) if target == version)
    print(f"{model} version {version}" + (f" ({aliases})" if aliases else ""))
    for title, text in _facts(manifest):
        print(f"{title:<12}{text}")
    _section("columns", [(name(column.name), _column(column, manifest)) for column in manifest.signature.columns])
    _section("scores", [(name(score), f"{value:.4f}") for score, value in manifest.scores.items()])
    _section("files", [(name(file), f"sha256 {digest}") for file, digest in manifest.files.items()])
    if CARD in manifest.files:
        print(f"card        {folder / CARD}")
    example = example_of(manifest)
    if example is not None:
        print(f"ask it\n  TOKEN=$(make -s token)\n  {curl(manifest, example)}")
    return 0


def _show_card(manifest: Manifest, folder: Path) -> int:
    if CARD not in manifest.files or not (folder / CARD).is_file():
        print(f"{manifest.model} version {manifest.version} has no model card", file=sys.stderr)
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
        yield "learned", f"from {manifest.training.rows} rows; {manifest.training.held_back} others were held back"
        if manifest.training.source:
            yield "source", name(manifest.training.source, longest=200)
    if manifest.execution:
        yield "answered by", executed(manifest.execution)
    yield "requires", ", ".join(manifest.requires)
    if manifest.signature.csv_nulls:
        yield "csv nulls", names(("an empty cell", *manifest.signature.csv_nulls))


def _column(column: Column, manifest: Manifest) -> str:
    null = ", may be null" if column.nullable else ""
    saw = seen(column, manifest.reference.get(column.name))
    return f"{column.kind} ({column.dtype}{null})" + (f", seen {saw}" if saw else "")


def _section(title: str, lines: Sequence[tuple[str, str]]) -> None:
    print(title)
    width = max((len(key) for key, _ in lines), default=0)
    for key, text in lines:
        print(f"  {key:<{width}}  {text}")


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
        except Exception as error:  # noqa: BLE001  # a version that is wrong in any way hides no other
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
    return name(" ".join(manifest.estimator.split()), longest=100)


if __name__ == "__main__":
    sys.exit(main())
