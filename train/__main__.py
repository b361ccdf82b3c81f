"""Fit a recipe's model and publish it: python -m train iris."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from statistics import fmean, pstdev
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from artifacts import ArtifactError, ArtifactSettings, Store
from train.errors import TrainError
from train.evaluate import Evaluation, demand, evaluate
from train.fit import cross_validate, fit, split
from train.publishing import publish
from train.recipes import Recipe, all_recipes

_console = Console(highlight=False)
_errors = Console(highlight=False, stderr=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one recipe; 0 if its model was published, 1 if not."""
    recipes = all_recipes()
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    parser.add_argument("recipe", choices=sorted(recipes), help="which model to make")
    parser.add_argument("--folds", type=int, default=5, help="parts of the cross-validation (default: %(default)s)")
    parser.add_argument("--no-promote", action="store_true", help="publish, but leave the champion where it is")
    parser.add_argument("--if-empty", action="store_true", help="do nothing if the store has a model already")
    arguments = parser.parse_args(argv)
    store = Store(ArtifactSettings().artifacts)
    if arguments.if_empty and store.models():
        return 0
    if arguments.folds < 2:
        parser.error("--folds must be at least 2")
    try:
        run(recipes[arguments.recipe], store, folds=arguments.folds, promote=not arguments.no_promote)
    except (TrainError, ArtifactError) as error:
        _errors.print(f"[red]not published:[/] {escape(str(error))}")
        return 1
    return 0


def run(recipe: Recipe, store: Store, *, folds: int, promote: bool) -> None:
    """
    The whole way of one model: data, cross-validation, fit, evaluation, publication.

    Raises:
        TrainError: It scored worse than the recipe demands, or cannot be served; nothing was published.
        ArtifactError: The store cannot hold it; nothing was published.
    """
    X, y = recipe.load()
    rows = split(X, y)
    _console.print(f"[bold]{recipe.name}[/]: {len(X)} rows, {X.shape[1]} columns, {len(rows.X_held)} rows held back")
    accuracies = cross_validate(recipe.estimator(), rows, folds=folds, progress=_progress)
    estimator = fit(recipe.estimator(), rows)
    evaluation = evaluate(estimator, rows)
    _print_scores(accuracies, evaluation, recipe.labels or estimator.classes_.tolist())
    demand(recipe.thresholds, evaluation.scores)
    folded = {"cv_accuracy_mean": fmean(accuracies), "cv_accuracy_std": pstdev(accuracies)}
    manifest = publish(
        estimator,
        rows.X,
        rows.y,
        name=recipe.name,
        labels=recipe.labels,
        promote=promote,
        scores={**evaluation.scores, **folded},
        store=store,
    )
    role = "champion" if promote else "not promoted"
    _console.print(f"[green]published[/] {manifest.model} version {manifest.version} ({role})")
    _console.print(f"  {store.root / manifest.model / str(manifest.version)}", soft_wrap=True, markup=False)


def _progress(folds: Iterable[Any], total: int) -> Iterable[Any]:
    return track(folds, total=total, description="cross-validating", console=_console)


def _print_scores(accuracies: Sequence[float], evaluation: Evaluation, classes: Sequence[object]) -> None:
    scores = Table("", "score", title="Scores", title_justify="left")
    for fold, accuracy in enumerate(accuracies, start=1):
        scores.add_row(f"accuracy, fold {fold}", f"{accuracy:.4f}")
    for name, score in evaluation.scores.items():
        scores.add_row(f"{name}, held back", f"{score:.4f}")
    confusion = Table("true \\ predicted", *map(str, classes), title="Confusion, held back", title_justify="left")
    for actual, counts in zip(classes, evaluation.confusion, strict=True):
        confusion.add_row(str(actual), *map(str, counts))
    _console.print(scores, confusion)


if __name__ == "__main__":
    sys.exit(main())
