"""Convert rows with texts and nulls to the frame of training, for servers that leave this to their user."""

import json
from pathlib import Path
from typing import Any

import pandas as pd


class Frames:
    """Converts rows to frames with the columns and dtypes of training."""

    def __init__(self, folder: Path, model: str) -> None:
        self._dtypes: dict[str, str] = json.loads((folder / f"{model}.dtypes.json").read_text())

    def of(self, rows: Any) -> pd.DataFrame:
        """Return a frame of rows that are lists or dicts; None becomes the null of its column."""
        return pd.DataFrame(rows, columns=list(self._dtypes)).astype(self._dtypes)
