"""What the command line prints while a model is trained."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from train import report
from train.errors import TrainError
from train.evaluate import Evaluation
from train.training import TrainingResult

CLASSIFIER = LogisticRegression().fit([[0.0], [1.0]], ["[red]", "blue"])


def result_of(confusion: Any) -> TrainingResult:
    """Return a result with two folds."""
    evaluation = Evaluation(3, {"accuracy": 0.75}, confusion)
    return TrainingResult(CLASSIFIER, "accuracy", [0.5, 1.0], evaluation)


def test_output_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns and labels of a table are printed without control characters and markup."""
    report.warning("a\x1b[2J\r\npublished\u202e[red]", "b\x9b")
    report.refusal(TrainError("c\x1b]0;d\x07\npublished"))

    printed = capsys.readouterr()
    assert printed.out == "warning: a\\u001b[2J published\\u202e[red] (b\\u009b)\n"
    assert printed.err == "not published: c\\u001b]0;d\\u0007 published\n"


def test_a_warning_without_advice_has_no_parentheses(capsys: pytest.CaptureFixture[str]) -> None:
    """Advice in parentheses is printed only if there is some."""
    report.warning("few rows")

    assert capsys.readouterr().out == "warning: few rows\n"


def test_the_end_of_the_input_is_an_empty_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question at the end of the input returns an empty text instead of a traceback."""

    def ended(*_: object) -> str:
        raise EOFError

    monkeypatch.setattr(builtins, "input", lambda *_: "yes")
    assert report.prompt("load it? ") == "yes"
    monkeypatch.setattr(builtins, "input", ended)
    assert report.prompt("load it? ") == ""


def test_scores_have_folds_and_confusion(capsys: pytest.CaptureFixture[str]) -> None:
    """Each fold, each score and each row of the confusion matrix has a line; class names are not markup."""
    report.scores(result_of(np.array([[1, 0], [1, 7]])), None)

    lines = [" ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.splitlines()]
    assert "accuracy, fold 1 0.5000" in lines
    assert "accuracy, fold 2 1.0000" in lines
    assert "accuracy, held back 0.7500" in lines
    assert "[red] 1 0" in lines
    assert "blue 1 7" in lines


def test_a_regressor_has_no_confusion(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a confusion matrix only the scores are printed."""
    report.scores(result_of(None), None)

    assert "Confusion" not in capsys.readouterr().out


def test_labels_replace_the_classes(capsys: pytest.CaptureFixture[str]) -> None:
    """The confusion matrix names the labels of the publisher if there are some."""
    report.scores(result_of(np.eye(2, dtype=int)), ["short", "long"])

    printed = capsys.readouterr().out
    assert "short" in printed
    assert "blue" not in printed


@pytest.mark.parametrize(("scores", "is_printed"), [({}, False), ({"sample_r2": 0.5}, True)])
def test_sample_scores_are_printed_if_there_are_some(
    scores: dict[str, float], is_printed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sample without a target has no scores, and nothing is printed."""
    report.sample_scores(scores)

    assert ("0.5000" in capsys.readouterr().out) == is_printed


def test_the_progress_bar_passes_the_folds_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The progress bar yields every fold."""
    assert list(report.progress(["a", "b"], 2)) == ["a", "b"]
    assert "cross-validating" in capsys.readouterr().out


def test_the_next_step_quotes_the_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The printed command is one line in which a shell reads the name of the file as one word."""
    report.next_step("iris", Path("my rows.csv"))

    command = capsys.readouterr().out.splitlines()[-1]
    assert "/models/iris/predict/csv" in command
    assert command.endswith("-F 'file=@my rows.csv'")
