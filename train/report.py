"""What the command line says of a model on its way, to people."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape as unmarked
from rich.progress import track
from rich.table import Table as Lines

from artifacts.local_server import api, serve_command, token_command
from artifacts.text import printable
from train.plans import Plan
from train.trials import Trial

console = Console(highlight=False, emoji=False)
errors = Console(highlight=False, emoji=False, stderr=True)


def escape(text: str) -> str:
    """A text in one line, in which neither the console nor the terminal finds anything to obey."""
    return unmarked(printable(" ".join(text.splitlines())))


def refusal(error: Exception) -> None:
    """Why nothing was published."""
    errors.print(f"[red]not published:[/] {escape(str(error))}", soft_wrap=True)


def warning(what: str, advice: str = "") -> None:
    """What may go wrong, and what to do about it."""
    console.print(f"[yellow]warning:[/] {escape(what)}{escape(f' ({advice})') if advice else ''}", soft_wrap=True)


def answer(question: str) -> str:
    """What somebody types; nothing where the input has ended."""
    try:
        return console.input(question, markup=False)
    except EOFError:
        return ""


def plan(drawn: Plan) -> None:
    """Which rows are learned from, what was found out, and what would mislead."""
    rows = drawn.rows
    taught, held = len(rows.X), len(rows.X_held)
    console.print(
        f"[bold]{escape(drawn.name)}[/]: {taught + held} rows, {rows.X.shape[1]} columns, {held} rows held back"
    )
    for note in drawn.notes:
        console.print(f"  {escape(note)}", soft_wrap=True)
    for hazard in drawn.hazards:
        warning(hazard.what, hazard.advice)


def progress(folds: Iterable[Any], total: int) -> Iterable[Any]:
    """A bar that grows by the fold."""
    return track(folds, total=total, description="cross-validating", console=console)


def scores(trial: Trial, classes: Sequence[object] | None) -> None:
    """A line a fold and a score, and of classes the confusion."""
    lines = Lines("", "score", title="Scores", title_justify="left")
    for fold, score in enumerate(trial.folds, start=1):
        lines.add_row(f"{trial.score}, fold {fold}", f"{score:.4f}")
    for name, score in trial.evaluation.scores.items():
        lines.add_row(f"{name}, held back", f"{score:.4f}")
    console.print(lines)
    if trial.evaluation.confusion is None:
        return
    names = [escape(str(name)) for name in classes or trial.estimator.classes_.tolist()]
    confusion = Lines("true \\ predicted", *names, title="Confusion, held back", title_justify="left")
    for actual, counts in zip(names, trial.evaluation.confusion, strict=True):
        confusion.add_row(actual, *map(str, counts))
    console.print(confusion)


def sample_scores(found: Mapping[str, float]) -> None:
    """Scores on rows that the model may have learned from."""
    if not found:
        return
    lines = Lines("", "score")
    for name, score in found.items():
        lines.add_row(name, f"{score:.4f}")
    console.print("Scores on the sample, from which it may have learned", lines)


def next_step(name: str, file: Path) -> None:
    """How to ask the model for the rows of a file, once a server has taken it up."""
    url = f"{api()}/models/{name}/predict/csv"
    sent = shlex.quote(f"file=@{file}")
    bearer = f"Authorization: Bearer $({token_command()})"
    console.print(f"{serve_command()} takes it up when it starts; then:", soft_wrap=True, markup=False)
    console.print(f'  curl -s {url} -H "{bearer}" -F {sent}', soft_wrap=True, markup=False)
