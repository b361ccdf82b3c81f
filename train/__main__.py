"""Make a model and publish it: from a recipe, from any CSV file, or from a file with a fitted estimator."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from artifacts import ArtifactError, ArtifactSettings, Store
from artifacts.manifest import check_name
from train import fitted, plans, report, tables, trials
from train.errors import ModelNotLoaded, TrainError
from train.evaluate import demand
from train.plans import Plan, Question
from train.publishing import publish
from train.recipes import all_recipes

EXAMPLES = """
three ways, of which one must be given:

  a recipe, one of train/recipes:
    python -m train iris

  any table, without code: its columns, the task and the model are found out, and what looks wrong is told
    python -m train --csv penguins.csv --target species
    python -m train --csv sales.csv --target amount --drop invoice --time-column day --name sales

  an estimator that was fitted elsewhere, with a sample of its rows: columns and ranges are drawn from these
    python -m train --model model.joblib --sample rows.csv --target species --name penguins
"""
# On fewer rows, threads that wait for each other cost more than they save, most of all on a machine that has others.
_ROWS_FOR_THREADS = 50_000
# Which options say something to which way; the others are refused rather than passed over.
_WAYS = {
    "recipe": {"folds"},
    "csv": {"target", "name", "drop", "keep", "time_column", "task", "nulls", "unknown", "folds", "no_examples"},
    "model": {"sample", "target", "name", "nulls", "unknown", "no_examples", "yes"},
}


def main(argv: Sequence[str] | None = None) -> int:
    """Publish one model; 0 if it was published, 1 if not, 2 if the command makes no sense."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    way = _check(parser, arguments)
    store = Store(ArtifactSettings().artifacts)
    if arguments.if_empty and store.models():
        return 0
    try:
        {"recipe": _run_recipe, "csv": _run_csv, "model": _run_model}[way](arguments, store)
    except (TrainError, ArtifactError) as error:
        report.refusal(error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", nargs="?", choices=sorted(all_recipes()), help="which recipe to follow")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="a table to learn from: UTF-8, names in its first line"
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="a fitted estimator, as joblib wrote it")
    parser.add_argument("--no-promote", action="store_true", help="publish, but leave the champion where it is")
    parser.add_argument("--if-empty", action="store_true", help="do nothing if the store has a model already")
    parser.add_argument("--folds", type=int, metavar="N", help="parts of the cross-validation (default: 5)")
    files = parser.add_argument_group("with --csv or --model")
    files.add_argument("--target", metavar="COLUMN", help="what is predicted; with --model, to score the sample")
    files.add_argument("--name", help="the model's name (default with --csv: the file's)")
    files.add_argument("--nulls", metavar="A,B", help='cells that mean null besides the empty one: "NA,?"')
    files.add_argument(
        "--unknown",
        choices=("refuse", "pass"),
        help="what becomes of a category that training did not see (default: refuse with --csv, pass with --model)",
    )
    files.add_argument(
        "--no-examples", action="store_true", default=None, help="show made-up rows instead of real ones"
    )
    table = parser.add_argument_group("with --csv")
    table.add_argument("--drop", nargs="+", action="extend", metavar="COLUMN", help="columns that it shall not see")
    table.add_argument(
        "--keep", nargs="+", action="extend", metavar="COLUMN", help="columns not to take for ids or dates"
    )
    table.add_argument(
        "--time-column", metavar="COLUMN", help="judge by the latest rows; itself it is not learned from"
    )
    table.add_argument("--task", choices=("classification", "regression"), help="(default: found out)")
    model = parser.add_argument_group("with --model")
    model.add_argument("--sample", type=Path, metavar="FILE", help="a CSV of rows such as the model was fitted on")
    model.add_argument("--yes", action="store_true", default=None, help="load the file without asking")
    return parser


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> str:
    """Which way was chosen; one that makes no sense ends here, with exit code 2."""
    ways = [way for way in _WAYS if getattr(arguments, way)]
    if len(ways) != 1:
        parser.error("say one of: a recipe, --csv FILE or --model FILE; --help shows examples")
    for option in sorted(set.union(*_WAYS.values()) - _WAYS[ways[0]]):
        if getattr(arguments, option) is not None:
            parser.error(
                f"--{option.replace('_', '-')} is not for {'a recipe' if ways == ['recipe'] else '--' + ways[0]}"
            )
    if arguments.folds is not None and arguments.folds < 2:
        parser.error("--folds must be at least 2")
    for option in {"recipe": (), "csv": ("target",), "model": ("sample", "name")}[ways[0]]:
        if getattr(arguments, option) is None:
            parser.error(f"--{ways[0]} needs --{option} too")
    return ways[0]


def _run_recipe(arguments: argparse.Namespace, store: Store) -> None:
    plan = plans.of_recipe(all_recipes()[arguments.recipe], folds=arguments.folds or 5)
    run(plan, store, promote=not arguments.no_promote)


def _run_csv(arguments: argparse.Namespace, store: Store) -> None:
    name = check_name(arguments.name or tables.model_name(arguments.csv))
    table = tables.read(arguments.csv, nulls=_cells(arguments.nulls), sought=(arguments.target,))
    question = Question(
        target=arguments.target,
        task=arguments.task,
        drop=tuple(arguments.drop or ()),
        keep=tuple(arguments.keep or ()),
        time_column=arguments.time_column,
        folds=arguments.folds or 5,
    )
    plan = plans.of_table(table, question, name=name)
    more = {"unknown": arguments.unknown or "refuse", "examples": not arguments.no_examples}
    run(plan, store, promote=not arguments.no_promote, **more)
    report.next_step(name, arguments.csv)


def _run_model(arguments: argparse.Namespace, store: Store) -> None:
    name = check_name(arguments.name)
    fitted.demand_file(arguments.model)
    sought = () if arguments.target is None else (arguments.target,)
    table = tables.read(arguments.sample, nulls=_cells(arguments.nulls), sought=sought)
    _confirm(arguments.model, yes=bool(arguments.yes))
    estimator = fitted.load(arguments.model)
    sample = fitted.sample_of(estimator, table, target=arguments.target)
    with _threads_for(len(table.frame)):
        scores = fitted.scores(estimator, sample)
        report.sample_scores(scores)
        manifest = publish(
            estimator,
            sample.data,
            sample.y,
            name=name,
            columns=sample.columns,
            scores=scores,
            unknown=arguments.unknown or "pass",
            csv_nulls=table.nulls,
            examples=not arguments.no_examples,
            promote=not arguments.no_promote,
            source=f"{arguments.model.name}, fitted elsewhere; the rows here are a sample, {table.source}",
            store=store,
        )
    report.published(manifest, store, promote=not arguments.no_promote)
    report.next_step(name, arguments.sample)


def run(plan: Plan, store: Store, *, promote: bool, **more: Any) -> None:
    """
    The whole way of one model: cross-validation, fit, evaluation, publication.

    Raises:
        TrainError: It scored worse than the recipe demands, or cannot be served; nothing was published.
        ArtifactError: The store cannot hold it; nothing was published.
    """
    report.plan(plan)
    rows = plan.rows
    with _threads_for(len(rows.X)):
        trial = trials.run(plan, progress=report.progress)
        report.scores(trial, plan.labels)
        demand(plan.thresholds, trial.evaluation.scores)
        manifest = publish(
            trial.estimator,
            rows.X,
            rows.y,
            name=plan.name,
            labels=plan.labels,
            held_back=(rows.X_held, rows.y_held),
            scores=trial.cross_validated,
            csv_nulls=plan.csv_nulls,
            promote=promote,
            source=plan.source,
            store=store,
            **more,
        )
    report.published(manifest, store, promote=promote)


def _threads_for(rows: int) -> threadpool_limits:
    return threadpool_limits(1 if rows < _ROWS_FOR_THREADS else None)


def _cells(nulls: str | None) -> list[str] | None:
    return None if nulls is None else [cell for cell in nulls.split(",") if cell]


def _confirm(path: Path, *, yes: bool) -> None:
    """
    Say what loading a model means, before it is loaded.

    Raises:
        ModelNotLoaded: Nobody agreed.
    """
    report.warning(fitted.DANGER.format(path=path))
    if yes:
        return
    if not sys.stdin.isatty():
        raise ModelNotLoaded(f"nobody is at a terminal to agree that {path.name} is loaded: --yes agrees beforehand")
    if report.console.input("load it? [y/N] ", markup=False).strip().lower() not in {"y", "yes"}:
        raise ModelNotLoaded(f"{path.name} was not loaded")


if __name__ == "__main__":
    sys.exit(main())
