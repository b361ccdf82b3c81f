"""Points that may separate thousands: a note says how they are read."""

from pathlib import Path

import pytest

from train.__main__ import main

DOUBTFUL = "'price' is read with a decimal point ('1.600' is 1.6); if points separate thousands: --thousands ."


@pytest.mark.parametrize(
    ("options", "price", "read"),
    [([], "1.{}", DOUBTFUL), (["--thousands", "."], "1.{}", "'price' ('1.600' is 1600)"), ([], "1.0{}", None)],
)
def test_three_digits_after_every_point_are_worth_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    price: str,
    read: str | None,
) -> None:
    """Where another column has a decimal comma, a point is likely to separate thousands; with the option, it does."""
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(tmp_path / "store"))
    rows = [f"{price.format(600 + place)};{place},5;{'ab'[place > 30]}" for place in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["price;discount;y", *rows]))

    assert (
        main(
            [
                "--csv",
                str(tmp_path / "rows.csv"),
                "--target",
                "y",
                "--name",
                "points",
                "--no-promote",
                "--keep",
                "price",
                *options,
            ]
        )
        == 0
    )

    report = " ".join(capsys.readouterr().out.split())
    assert ("decimal point" in report) == (read is not None and "decimal point" in read)
    assert (read or "") in report
