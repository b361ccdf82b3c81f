"""The command `python -m artifacts show`: what the manifest of a version says."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from artifacts.columns import Column
from artifacts.description import curl, example_of, executed, learned, name, names, seen
from artifacts.errors import ArtifactError
from artifacts.local_server import api, token_command
from artifacts.manifest import Manifest
from artifacts.pointers import CHAMPION
from artifacts.store import Store
from artifacts.version_folder import CARD


def show(store: Store, arguments: Namespace) -> int:
    """Print a version's manifest, or with --card the path of its model card; return the exit code."""
    model, version = resolve(store, arguments.model)
    manifest = store.manifest(model, version)
    folder = store.root.resolve() / model / str(version)
    if arguments.card:
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
        print(f"try it\n  TOKEN=$({token_command()})\n  {curl(manifest, example, api=api())}")
    return 0


def resolve(store: Store, reference: str) -> tuple[str, int]:
    """Return the model and the version that `MODEL`, `MODEL@VERSION` or `MODEL@ALIAS` means."""
    model, _, version = reference.partition("@")
    return model, store.resolve(model, version or CHAMPION)


def one_line(estimator: str) -> str:
    """Return an estimator as it prints itself, in one short line."""
    return name(" ".join(estimator.split()), longest=100)


def _signed_by(store: Store, model: str, version: int) -> str:
    try:
        _, key = store.verified_manifest(model, version)
    except ArtifactError as error:
        return f"NO TRUSTED KEY, so all of this may be forged: {error.slug}: {error}"
    return f"key {key}"


def _show_card(manifest: Manifest, folder: Path) -> int:
    if CARD not in manifest.files or not (folder / CARD).is_file():
        print(f"{name(manifest.model)} version {manifest.version} has no model card", file=sys.stderr)
        return 1
    print(folder / CARD)
    return 0


def _facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "published", f"{manifest.created_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "estimator", one_line(manifest.estimator)
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
