"""vetiver: its FastAPI app for each model, mounted under /NAME."""

import json
import os
from pathlib import Path

import joblib
import pandas as pd
from fastapi import FastAPI
from vetiver import VetiverAPI, VetiverModel

folder = Path(os.environ["BENCH_MODELS"])
tables = json.loads((folder / "tables.json").read_text())

app = FastAPI()
for name in os.environ["BENCH_NAMES"].split(","):
    # The types of the fields are those of the first row, which therefore must not have nulls.
    prototype = pd.DataFrame(tables[name]["rows"], columns=tables[name]["columns"]).dropna()
    model = VetiverModel(joblib.load(folder / f"{name}.joblib"), name, prototype_data=prototype)
    app.mount(f"/{name}", VetiverAPI(model, check_prototype=True).app)
