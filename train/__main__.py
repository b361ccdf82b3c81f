"""Make a model and publish it: from a recipe, from any CSV file, or from a file with a fitted estimator."""

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
from train import fitted, own_code, plans, report, tables, trials
from train.arguments import PROGRAM, parse
from train.cells import NULLS, CellRules
from train.errors import ModelNotLoaded, TrainError
from train.evaluate import demand
from train.plans import Plan, Problem
from train.publishing import publish
from train.recipes import all_recipes

# On fewer rows, threads that wait for each other cost more than they save, most of all on a machine that has others.
_ROWS_FOR_THREADS = 50_000


def main(argv: Sequence[str] | None = None, *, program: str = PROGRAM) -> int:
    """Publish one model; 0 if it was published, 1 if not, 2 if the command makes no sense."""
    # A model is published whether or not anyone reads the report.
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
    plan = plans.of_recipe(all_recipes()[arguments.recipe], folds=arguments.folds or 5)
    run(plan, store, promote=not arguments.no_promote, force=arguments.force)


def _run_csv(arguments: argparse.Namespace, store: Store) -> None:
    name = check_name(tables.model_name(arguments.csv) if arguments.name is None else arguments.name)
    table = tables.read(arguments.csv, rules=_rules(arguments), sought=(arguments.target,))
    question = Problem(
        target=arguments.target,
        task=arguments.task,
        drop=tuple(arguments.drop or ()),
        keep=tuple(arguments.keep or ()),
        time_column=arguments.time_column,
        folds=arguments.folds or 5,
    )
    plan = plans.of_table(table, question, name=name)
    more = {
        "unknown": arguments.unknown or "refuse",
        "examples": not arguments.no_examples,
        "force": arguments.force,
        **_relaxed(arguments),
    }
    run(plan, store, promote=not arguments.no_promote, **more)
    if not arguments.no_promote:
        report.next_step(name, arguments.csv)


def _run_model(arguments: argparse.Namespace, store: Store) -> None:
    name = check_name(arguments.name)
    fitted.demand_file(arguments.model)
    sought = () if arguments.target is None else (arguments.target,)
    table = tables.read(arguments.sample, rules=_rules(arguments), sought=sought)
    code = arguments.code or ()
    sys.path[:0] = own_code.folders(code)
    _confirm(arguments.model, yes=bool(arguments.yes))
    estimator = fitted.load(arguments.model)
    sample = fitted.sample_of(estimator, table, target=arguments.target, dtypes=dict(arguments.dtype or ()))
    with _threads_for(len(table.frame)):
        scores = fitted.scores(estimator, sample)
        report.sample_scores(scores)
        publish(
            estimator,
            sample.data,
            sample.y,
            name=name,
            columns=sample.columns,
            scores=scores,
            unknown=arguments.unknown or "pass",
            categories=sample.categories,
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
        for doubt in trials.doubts(trial, plan):
            report.warning(doubt.what, doubt.advice)
        demand(plan.thresholds, trial.evaluation.scores)
        publish(
            trial.estimator,
            rows.X,
            rows.y,
            name=plan.name,
            labels=plan.labels,
            held_back=(rows.X_held, rows.y_held),
            scores=trial.cross_validated,
            csv_nulls=plan.csv_nulls,
            number_formats=plan.number_formats,
            unlabelled=plan.unlabelled,
            promote=promote,
            source=plan.source,
            store=store,
            **more,
        )


def _threads_for(rows: int) -> threadpool_limits:
    return threadpool_limits(1 if rows < _ROWS_FOR_THREADS else None)


def _relaxed(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"nullable": arguments.nullable or (), "fractions": arguments.fractions or ()}


def _rules(arguments: argparse.Namespace) -> CellRules:
    """How cells are read, as far as the options say it."""
    usual = NULLS if arguments.nulls is None else arguments.nulls.split(",")
    return CellRules(
        nulls=frozenset(["", *usual, *(arguments.null or ())]),
        decimal=arguments.decimal,
        thousands=arguments.thousands,
    )


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
    if report.answer("load it? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise ModelNotLoaded(f"{path.name} was not loaded")


if __name__ == "__main__":
    sys.exit(main())
