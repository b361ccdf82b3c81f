"""What the command line prints while a model is trained."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.progress import track
from rich.table import Table

from artifacts.local_server import api, serve_command, token_command
from artifacts.text import printable
from train.experiments import Experiment
from train.training import TrainingResult

console = Console(highlight=False, emoji=False)
errors = Console(highlight=False, emoji=False, stderr=True)


def escape(text: str) -> str:
    """Return a text in one line, without markup of the console and control characters of the terminal."""
    return escape_markup(printable(" ".join(text.splitlines())))


def refusal(error: Exception) -> None:
    """Print why nothing was published."""
    errors.print(f"[red]not published:[/] {escape(str(error))}", soft_wrap=True)


def warning(what: str, advice: str = "") -> None:
    """Print what may go wrong, and what to do about it."""
    console.print(f"[yellow]warning:[/] {escape(what)}{escape(f' ({advice})') if advice else ''}", soft_wrap=True)


def prompt(question: str) -> str:
    """Return what is typed; an empty text if the input has ended."""
    try:
        return console.input(question, markup=False)
    except EOFError:
        return ""


def experiment(planned: Experiment) -> None:
    """Print which rows are used, what was found in the table, and what may mislead the model."""
    rows = planned.rows
    fitted, held = len(rows.X), len(rows.X_held)
    console.print(
        f"[bold]{escape(planned.name)}[/]: {fitted + held} rows, {rows.X.shape[1]} columns, {held} rows held back"
    )
    for note in planned.notes:
        console.print(f"  {escape(note)}", soft_wrap=True)
    for each in planned.warnings:
        warning(each.what, each.advice)


def progress(folds: Iterable[Any], total: int) -> Iterable[Any]:
    """Show a progress bar over the folds."""
    return track(folds, total=total, description="cross-validating", console=console)


def scores(result: TrainingResult, classes: Sequence[object] | None) -> None:
    """Print the score of each fold, the scores on the held-back rows, and the confusion matrix of a classifier."""
    lines = Table("", "score", title="Scores", title_justify="left")
    for fold, score in enumerate(result.folds, start=1):
        lines.add_row(f"{result.score}, fold {fold}", f"{score:.4f}")
    for name, score in result.evaluation.scores.items():
        lines.add_row(f"{name}, held back", f"{score:.4f}")
    console.print(lines)
    if result.evaluation.confusion is None:
        return
    names = [escape(str(name)) for name in classes or result.estimator.classes_.tolist()]
    confusion = Table("true \\ predicted", *names, title="Confusion, held back", title_justify="left")
    for actual, counts in zip(names, result.evaluation.confusion, strict=True):
        confusion.add_row(actual, *map(str, counts))
    console.print(confusion)


def sample_scores(found: Mapping[str, float]) -> None:
    """Print scores on rows that the model may have been fitted on."""
    if not found:
        return
    lines = Table("", "score")
    for name, score in found.items():
        lines.add_row(name, f"{score:.4f}")
    console.print("Scores on the sample, which the model may have been fitted on", lines)


def next_step(name: str, file: Path) -> None:
    """Print how to predict the rows of a file once a server has loaded the model."""
    url = f"{api()}/models/{name}/predict/csv"
    sent = shlex.quote(f"file=@{file}")
    bearer = f"Authorization: Bearer $({token_command()})"
    console.print(f"{serve_command()} loads it when it starts; then:", soft_wrap=True, markup=False)
    console.print(f'  curl -s {url} -H "{bearer}" -F {sent}', soft_wrap=True, markup=False)
