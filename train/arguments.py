"""What the command line of training was asked: one of three ways to a model, and what belongs to it."""

import argparse
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from artifacts.hints import did_you_mean
from train.recipes import all_recipes

Way: TypeAlias = Literal["recipe", "csv", "model"]

PROGRAM = "python -m train"
DESCRIPTION = "Make a model and publish it: from a recipe, from any CSV file, or from a file with a fitted estimator."

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
_CELLS = {"nulls", "null", "decimal", "thousands"}
_RELAXED = {"nullable", "fractions"}
# Which options say something to which way; the others are refused rather than passed over.
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
    """Which way was chosen, and its options; what makes no sense ends the program with exit code 2."""
    known = parser(program)
    arguments = known.parse_args(argv)
    return _check(known, arguments), arguments


def parser(program: str = PROGRAM) -> ArgumentParser:
    """All that can be said, whichever way."""
    made = ArgumentParser(
        prog=program,
        usage="%(prog)s RECIPE | --csv FILE --target COLUMN | --model FILE --sample FILE --name NAME [options]",
        description=DESCRIPTION,
        epilog=EXAMPLES.replace(PROGRAM, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for add in (_add_ways, _add_shared, _add_of_table, _add_of_model):
        add(made)
    return made


def _add_ways(parser: ArgumentParser) -> None:
    known = sorted(all_recipes())
    parser.add_argument("recipe", nargs="?", type=_recipe, metavar="RECIPE", help=f"one of {', '.join(known)}")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a table to learn from, UTF-8 with a header")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a fitted estimator, as joblib wrote it")
    parser.add_argument("--folds", type=int, metavar="N", help="parts of the cross-validation (default: 5)")
    parser.add_argument("--no-promote", action="store_true", help="publish, but leave the champion where it is")
    parser.add_argument(
        "--force", action="store_true", help="move the champion although the key that signs is new to the model"
    )
    parser.add_argument("--if-empty", action="store_true", help="do nothing if the store has a model already")


def _recipe(name: str) -> str:
    known = sorted(all_recipes())
    if name not in known:
        hint = did_you_mean(name, known) or f"; the recipes are {', '.join(known)}"
        raise argparse.ArgumentTypeError(f"unknown recipe {name!r}{hint}")
    return name


def _add_shared(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("with --csv or --model")
    group.add_argument("--target", metavar="COLUMN", help="what is predicted; with --model, to score the sample")
    group.add_argument("--name", help="the model's name (default with --csv: the file's)")
    group.add_argument("--null", nargs="+", action="extend", metavar="CELL", help="cells that mean null too: n.d.")
    group.add_argument("--nulls", metavar="A,B", help='all cells that mean null, instead of NA and its like: "NA,?"')
    group.add_argument(
        "--decimal",
        choices=(".", ","),
        help="the decimal mark (default: a point; a comma too where all cells of a column have one and no comma "
        "separates columns)",
    )
    group.add_argument(
        "--thousands",
        choices=(",", ".", " ", "'"),
        help="what separates groups of three digits (default: whatever all cells of a column have)",
    )
    group.add_argument(
        "--unknown",
        choices=("refuse", "pass"),
        help="what becomes of a category that training did not see (default: refuse with --csv, pass with --model)",
    )
    several: dict[str, Any] = {"nargs": "+", "action": "extend", "metavar": "COLUMN"}
    group.add_argument("--nullable", **several, help="columns without nulls in which callers may send one")
    group.add_argument("--fractions", **several, help="columns of whole numbers in which callers may send fractions")
    # None is what tells an option that was left out from one that was said in the wrong place.
    group.add_argument("--no-examples", action="store_true", default=None, help="show made-up rows, no real ones")


def _add_of_table(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("with --csv")
    several: dict[str, Any] = {"nargs": "+", "action": "extend", "metavar": "COLUMN"}
    group.add_argument("--drop", **several, help="columns that the model shall not see")
    group.add_argument("--keep", **several, help="columns that it shall see though they look like ids or dates")
    group.add_argument("--time-column", metavar="COLUMN", help="judge by the latest rows; it is not learned from")
    group.add_argument("--task", choices=("classification", "regression"), help="by default found out")


def _add_of_model(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("with --model")
    group.add_argument("--sample", type=Path, metavar="FILE", help="a CSV of rows such as the model was fitted on")
    group.add_argument(
        "--code",
        nargs="+",
        action="extend",
        type=Path,
        metavar="FILE",
        help="your own Python files or folders that the model needs; they travel with it",
    )
    group.add_argument(
        "--dtype",
        nargs="+",
        action="extend",
        type=_dtype,
        metavar="COLUMN=DTYPE",
        help="what a column was when the model was fitted, as pandas names it: zip=str (default: what the model tells)",
    )
    group.add_argument("--yes", action="store_true", default=None, help="load the file without asking")


def _dtype(said: str) -> tuple[str, str]:
    column, _, dtype = said.rpartition("=")
    if not column or not dtype:
        raise argparse.ArgumentTypeError(f"{said!r} is no COLUMN=DTYPE, such as zip=str")
    return column, dtype


def _check(parser: ArgumentParser, arguments: argparse.Namespace) -> Way:
    """Which way was chosen."""
    ways = [way for way in _WAYS if getattr(arguments, way)]
    if len(ways) != 1:
        parser.error("say one of: a recipe, --csv FILE or --model FILE; --help shows examples")
    for option in sorted(set.union(*_WAYS.values()) - _WAYS[ways[0]]):
        if getattr(arguments, option) is not None:
            parser.error(f"--{option.replace('_', '-')} is not for {_TITLES[ways[0]]}")
    if arguments.folds is not None and arguments.folds < 2:
        parser.error("--folds must be at least 2")
    for option in _NEEDED[ways[0]]:
        if getattr(arguments, option) is None:
            parser.error(f"--{ways[0]} needs --{option} too")
    return ways[0]
