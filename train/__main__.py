"""Train a model and publish it: from a recipe, from any CSV file, or from a file with a fitted estimator."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from artifacts import ArtifactError, ArtifactSettings, Store
from artifacts.manifest import check_name
from artifacts.output import unbroken
from artifacts.settings import complaints
from train import experiments, model_file, own_code, report, sample, training
from train.arguments import PROGRAM, parse
from train.cells import NULLS, CellRules
from train.csv_file import model_name, read_csv
from train.errors import ModelNotLoaded, TrainError
from train.evaluate import check_thresholds
from train.experiments import Experiment, Problem
from train.publishing import publish
from train.recipes import all_recipes

# On fewer rows, several threads cost more than they save, most of all on a busy machine.
_ROWS_FOR_THREADS = 50_000


def main(argv: Sequence[str] | None = None, *, program: str = PROGRAM) -> int:
    """Publish one model; return 0 if it was published, 1 if not, 2 if the arguments are invalid."""
    # A closed pipe, as after `| head`, must not stop the training.
    return unbroken(partial(_main, argv, program))


def _main(argv: Sequence[str] | None, program: str) -> int:
    way, arguments = parse(argv, program=program)
    try:
        store = Store.of(ArtifactSettings())
    except ValidationError as error:
        print("\n".join(complaints(error)), file=sys.stderr)
        return 2
    if arguments.if_empty and store.models():
        return 0
    try:
        store.signer(promote=not arguments.no_promote, force=arguments.force)
        {"recipe": _run_recipe, "csv": _run_csv, "model": _run_model}[way](arguments, store)
    except (TrainError, ArtifactError) as error:
        report.refusal(error)
        return 1
    return 0


def _run_recipe(arguments: argparse.Namespace, store: Store) -> None:
    experiment = experiments.of_recipe(all_recipes()[arguments.recipe], folds=arguments.folds or 5)
    run(experiment, store, promote=not arguments.no_promote, force=arguments.force)


def _run_csv(arguments: argparse.Namespace, store: Store) -> None:
    name = check_name(model_name(arguments.csv) if arguments.name is None else arguments.name)
    table = read_csv(arguments.csv, rules=_rules(arguments), sought=(arguments.target,))
    problem = Problem(
        target=arguments.target,
        task=arguments.task,
        drop=tuple(arguments.drop or ()),
        keep=tuple(arguments.keep or ()),
        time_column=arguments.time_column,
        folds=arguments.folds or 5,
    )
    experiment = experiments.of_table(table, problem, name=name)
    more = {
        "unknown": arguments.unknown or "refuse",
        "examples": not arguments.no_examples,
        "force": arguments.force,
        **_relaxed(arguments),
    }
    run(experiment, store, promote=not arguments.no_promote, **more)
    if not arguments.no_promote:
        report.next_step(name, arguments.csv)


def _run_model(arguments: argparse.Namespace, store: Store) -> None:
    name = check_name(arguments.name)
    model_file.require_file(arguments.model)
    sought = () if arguments.target is None else (arguments.target,)
    table = read_csv(arguments.sample, rules=_rules(arguments), sought=sought)
    code = arguments.code or ()
    sys.path[:0] = own_code.folders(code)
    _confirm(arguments.model, yes=bool(arguments.yes))
    estimator = model_file.load(arguments.model)
    rows = sample.sample_of(estimator, table, target=arguments.target, dtypes=dict(arguments.dtype or ()))
    with _threads_for(len(table.frame)):
        scores = sample.scores(estimator, rows)
        report.sample_scores(scores)
        publish(
            estimator,
            rows.data,
            rows.y,
            name=name,
            columns=rows.columns,
            scores=scores,
            unknown=arguments.unknown or "pass",
            categories=rows.categories,
            csv_nulls=table.nulls,
            number_formats=table.number_formats,
            examples=not arguments.no_examples,
            sample=True,
            **_relaxed(arguments),
            promote=not arguments.no_promote,
            force=arguments.force,
            code=code,
            source=f"{arguments.model.name}, fitted elsewhere; the rows here are a sample, {table.source}",
            store=store,
        )
    if not arguments.no_promote:
        report.next_step(name, arguments.sample)


def run(experiment: Experiment, store: Store, *, promote: bool, **more: Any) -> None:
    """
    Cross-validate, fit, evaluate and publish one model.

    Raises:
        TrainError: Its scores are below a threshold, or it cannot be served; nothing was published.
        ArtifactError: The store cannot hold it; nothing was published.
    """
    report.experiment(experiment)
    rows = experiment.rows
    with _threads_for(len(rows.X)):
        result = training.run(experiment, progress=report.progress)
        report.scores(result, experiment.labels)
        for warning in training.warnings_about(result, experiment):
            report.warning(warning.what, warning.advice)
        check_thresholds(experiment.thresholds, result.evaluation.scores)
        publish(
            result.estimator,
            rows.X,
            rows.y,
            name=experiment.name,
            labels=experiment.labels,
            held_back=(rows.X_held, rows.y_held),
            scores=result.cross_validated,
            csv_nulls=experiment.csv_nulls,
            number_formats=experiment.number_formats,
            unlabelled=experiment.unlabelled,
            promote=promote,
            source=experiment.source,
            store=store,
            **more,
        )


def _threads_for(rows: int) -> threadpool_limits:
    return threadpool_limits(1 if rows < _ROWS_FOR_THREADS else None)


def _relaxed(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"nullable": arguments.nullable or (), "fractions": arguments.fractions or ()}


def _rules(arguments: argparse.Namespace) -> CellRules:
    """Return how the options say that cells are read."""
    usual = NULLS if arguments.nulls is None else arguments.nulls.split(",")
    return CellRules(
        nulls=frozenset(["", *usual, *(arguments.null or ())]),
        decimal=arguments.decimal,
        thousands=arguments.thousands,
    )


def _confirm(path: Path, *, yes: bool) -> None:
    """
    Warn that loading a model runs code, and ask whether to load it.

    Raises:
        ModelNotLoaded: Loading was not confirmed.
    """
    report.warning(model_file.LOAD_WARNING.format(path=path))
    if yes:
        return
    if not sys.stdin.isatty():
        raise ModelNotLoaded(f"loading {path.name} must be confirmed, and there is no terminal: confirm it with --yes")
    if report.prompt("load it? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise ModelNotLoaded(f"{path.name} was not loaded")


if __name__ == "__main__":
    sys.exit(main())
