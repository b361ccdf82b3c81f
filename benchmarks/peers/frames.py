"""Rows with texts and nulls as the frame of training, for servers that leave this to their user."""

import json
from pathlib import Path
from typing import Any

import pandas as pd


class Frames:
    """Makes frames with the columns and dtypes of training."""

    def __init__(self, folder: Path, model: str) -> None:
        self._dtypes: dict[str, str] = json.loads((folder / f"{model}.dtypes.json").read_text())

    def of(self, rows: Any) -> pd.DataFrame:
        """From lists of values or from dicts; None becomes the null of its column."""
        return pd.DataFrame(rows, columns=list(self._dtypes)).astype(self._dtypes)
