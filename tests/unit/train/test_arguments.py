"""The command line of training: which options each way has."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.server import ROOT
from train.arguments import create_parser, parse


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["tulip"], "unknown recipe 'tulip'; the recipes are breast_cancer, diabetes, iris, penguins"),
        (["irsi"], "unknown recipe 'irsi'; did you mean iris?"),
        ([], "give one of: a recipe, --csv FILE or --model FILE"),
        (["iris", "--csv", "rows.csv"], "give one of: a recipe, --csv FILE or --model FILE"),
        (["--csv", "rows.csv", "--model", "model.joblib"], "give one of"),
        (["iris", "--folds", "1"], "--folds must be at least 2"),
        (["iris", "--folds", "many"], "invalid int value: 'many'"),
        (["iris", "--time-column", "day"], "--time-column is not an option of a recipe"),
        (["--csv", "rows.csv", "--target", "kind", "--yes"], "--yes is not an option of --csv"),
        (["--csv", "rows.csv"], "--csv needs --target too"),
        (["--model", "m", "--sample", "rows.csv"], "--model needs --name too"),
        (["--model", "m", "--name", "m"], "--model needs --sample too"),
        (["--model", "m", "--name", "m", "--sample", "s", "--folds", "2"], "--folds is not an option of --model"),
        (["--model", "m", "--dtype", "str"], "'str' must be COLUMN=DTYPE, such as zip=str"),
        (["--model", "m", "--dtype", "zip="], "'zip=' must be COLUMN=DTYPE, such as zip=str"),
    ],
)
def test_invalid_arguments_are_explained(capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str) -> None:
    """Arguments that contradict each other, or would have no effect, end with exit code 2 and the reason on stderr."""
    with pytest.raises(SystemExit, match=r"^2$"):
        parse(arguments)

    assert reason in capsys.readouterr().err


def test_the_examples_of_the_help_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    """--help shows each of the three ways with valid commands."""
    with pytest.raises(SystemExit, match=r"^0$"):
        parse(["--help"])

    printed = capsys.readouterr().out
    examples = [line.split("python -m train ")[1] for line in printed.splitlines() if line.startswith("    python -m")]
    assert {parse(shlex.split(example))[0] for example in examples} == {"recipe", "csv", "model"}


def test_every_option_is_documented() -> None:
    """docs/training.md names each option of the command line, and no other."""
    named = set(re.findall(r"`(--[a-z-]+)", (ROOT / "docs" / "training.md").read_text()))

    options = {
        option for action in create_parser()._actions for option in action.option_strings if option.startswith("--")
    }
    assert named == options - {"--help"}


@pytest.mark.parametrize(
    ("arguments", "way"),
    [
        (["iris", "--folds", "2"], "recipe"),
        (["--csv", "rows.csv", "--target", "kind"], "csv"),
        (["--model", "m", "--sample", "rows.csv", "--name", "n"], "model"),
    ],
)
def test_the_way_is_returned(arguments: list[str], way: str) -> None:
    """The way follows from the argument that only it has."""
    assert parse(arguments)[0] == way


def test_an_option_can_be_repeated() -> None:
    """Values of a repeated option are joined, and a dtype is split at its last equals sign."""
    arguments = ["--model", "m", "--sample", "rows.csv", "--name", "n", "--dtype", "a=b=str", "c=float64"]

    _, parsed = parse([*arguments, "--dtype", "d=Int64", "--code", "x.py", "--code", "lib"])

    assert parsed.dtype == [("a=b", "str"), ("c", "float64"), ("d", "Int64")]
    assert parsed.code == [Path("x.py"), Path("lib")]


def test_the_usage_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of `sepal train` has its own name in usage and examples."""
    with pytest.raises(SystemExit, match=r"^0$"):
        parse(["--help"], program="sepal train")

    printed = capsys.readouterr().out
    assert "sepal train iris" in printed
    assert "python -m train" not in printed
