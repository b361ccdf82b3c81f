"""The command line of training: three ways to train a model, each with its options."""

import argparse
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from artifacts.hints import did_you_mean
from train.recipes import all_recipes

Way: TypeAlias = Literal["recipe", "csv", "model"]

PROGRAM = "python -m train"
DESCRIPTION = "Train a model and publish it: from a recipe, from any CSV file, or from a file with a fitted estimator."

EXAMPLES = """
one of three ways must be given:

  a recipe, one of train/recipes:
    python -m train iris

  any table, without code: columns, task and model are chosen automatically, and data problems are reported
    python -m train --csv penguins.csv --target species
    python -m train --csv sales.csv --target amount --drop invoice --time-column day --name sales

  an estimator that was fitted elsewhere, with a sample of its rows, which give the columns and their ranges
    python -m train --model model.joblib --sample rows.csv --target species --name penguins
"""
_CELLS = {"nulls", "null", "decimal", "thousands"}
_RELAXED = {"nullable", "fractions"}
# Which options each way has; the others are refused, not ignored.
_WAYS: dict[Way, set[str]] = {
    "recipe": {"folds"},
    "csv": {"target", "name", "drop", "keep", "time_column", "task", "unknown", "folds", "no_examples"}
    | _CELLS
    | _RELAXED,
    "model": {"sample", "target", "name", "unknown", "no_examples", "dtype", "yes", "code"} | _CELLS | _RELAXED,
}
_NEEDED: dict[Way, tuple[str, ...]] = {"recipe": (), "csv": ("target",), "model": ("sample", "name")}
_TITLES: dict[Way, str] = {"recipe": "a recipe", "csv": "--csv", "model": "--model"}


def parse(argv: Sequence[str] | None, *, program: str = PROGRAM) -> tuple[Way, argparse.Namespace]:
    """Return the chosen way and its options; exit with code 2 if they are invalid."""
    parser = create_parser(program)
    arguments = parser.parse_args(argv)
    return _check(parser, arguments), arguments


def create_parser(program: str = PROGRAM) -> ArgumentParser:
    """Return the parser of all options of all ways."""
    parser = ArgumentParser(
        prog=program,
        usage="%(prog)s RECIPE | --csv FILE --target COLUMN | --model FILE --sample FILE --name NAME [options]",
        description=DESCRIPTION,
        epilog=EXAMPLES.replace(PROGRAM, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for add in (_add_ways, _add_shared, _add_of_table, _add_of_model):
        add(parser)
    return parser


def _add_ways(parser: ArgumentParser) -> None:
    known = sorted(all_recipes())
    parser.add_argument("recipe", nargs="?", type=_recipe, metavar="RECIPE", help=f"one of {', '.join(known)}")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a table to learn from, UTF-8 with a header")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a file with a fitted estimator, written by joblib")
    parser.add_argument("--folds", type=int, metavar="N", help="number of cross-validation folds (default: 5)")
    parser.add_argument("--no-promote", action="store_true", help="publish without making the new version the champion")
    parser.add_argument(
        "--force", action="store_true", help="make it the champion even if its signing key is new to the model"
    )
    parser.add_argument("--if-empty", action="store_true", help="do nothing if the store already has a model")


def _recipe(name: str) -> str:
    known = sorted(all_recipes())
    if name not in known:
        hint = did_you_mean(name, known) or f"; the recipes are {', '.join(known)}"
        raise argparse.ArgumentTypeError(f"unknown recipe {name!r}{hint}")
    return name


def _add_shared(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("with --csv or --model")
    group.add_argument("--target", metavar="COLUMN", help="the column to predict; with --model, scores the sample")
    group.add_argument("--name", help="the model's name (default with --csv: the name of the file)")
    group.add_argument("--null", nargs="+", action="extend", metavar="CELL", help="more cells that mean null: n.d.")
    group.add_argument("--nulls", metavar="A,B", help='the cells that mean null, in place of NA and the like: "NA,?"')
    group.add_argument(
        "--decimal",
        choices=(".", ","),
        help="the decimal mark (default: a point, or a comma if all cells of a column have one and it is not the "
        "delimiter)",
    )
    group.add_argument(
        "--thousands",
        choices=(",", ".", " ", "'"),
        help="the mark between groups of three digits (default: detected per column)",
    )
    group.add_argument(
        "--unknown",
        choices=("refuse", "pass"),
        help="how a category that training did not see is handled (default: refuse with --csv, pass with --model)",
    )
    several: dict[str, Any] = {"nargs": "+", "action": "extend", "metavar": "COLUMN"}
    group.add_argument("--nullable", **several, help="columns without nulls in which callers may send nulls")
    group.add_argument("--fractions", **several, help="integer columns in which callers may send fractions")
    # None means that the option was not given; the check for options of another way needs this.
    group.add_argument("--no-examples", action="store_true", default=None, help="invent the example rows")


def _add_of_table(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("with --csv")
    several: dict[str, Any] = {"nargs": "+", "action": "extend", "metavar": "COLUMN"}
    group.add_argument("--drop", **several, help="columns to leave out")
    group.add_argument("--keep", **several, help="columns to use although they look like ids or dates")
    group.add_argument("--time-column", metavar="COLUMN", help="hold back the latest rows; the column is no feature")
    group.add_argument("--task", choices=("classification", "regression"), help="default: chosen by the target")


def _add_of_model(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("with --model")
    group.add_argument("--sample", type=Path, metavar="FILE", help="a CSV with rows like those the model was fitted on")
    group.add_argument(
        "--code",
        nargs="+",
        action="extend",
        type=Path,
        metavar="FILE",
        help="your own Python files or folders that the model needs; they are published with it",
    )
    group.add_argument(
        "--dtype",
        nargs="+",
        action="extend",
        type=_dtype,
        metavar="COLUMN=DTYPE",
        help="the dtype of a column when the model was fitted, as in pandas: zip=str (default: as the model knows it)",
    )
    group.add_argument("--yes", action="store_true", default=None, help="load the file without asking")


def _dtype(text: str) -> tuple[str, str]:
    column, _, dtype = text.rpartition("=")
    if not column or not dtype:
        raise argparse.ArgumentTypeError(f"{text!r} must be COLUMN=DTYPE, such as zip=str")
    return column, dtype


def _check(parser: ArgumentParser, arguments: argparse.Namespace) -> Way:
    """Return the chosen way."""
    ways = [way for way in _WAYS if getattr(arguments, way)]
    if len(ways) != 1:
        parser.error("give one of: a recipe, --csv FILE or --model FILE; --help shows examples")
    for option in sorted(set.union(*_WAYS.values()) - _WAYS[ways[0]]):
        if getattr(arguments, option) is not None:
            parser.error(f"--{option.replace('_', '-')} is not an option of {_TITLES[ways[0]]}")
    if arguments.folds is not None and arguments.folds < 2:
        parser.error("--folds must be at least 2")
    for option in _NEEDED[ways[0]]:
        if getattr(arguments, option) is None:
            parser.error(f"--{ways[0]} needs --{option} too")
    return ways[0]
