"""
What most people write: FastAPI, a pydantic model, joblib, and python-jose as in FastAPI's tutorial.

    BENCH_MODELS=folder BENCH_NAMES=iris,forest uvicorn benchmarks.peers.tutorial:app
    python benchmarks/peers/tutorial.py        prints a token

Each model has three routes for one row, /NAME/predict (`def`), /NAME/async (`async def`) and /NAME/secure (`def`, with
a token), and one for many rows, /NAME/batch.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import joblib
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from jose import JWTError, jwt
from pydantic import BaseModel

ALGORITHM = "HS256"
SECRET_KEY = "used only by this benchmark, not a secret"
USERS = {"johndoe": {"username": "johndoe", "disabled": False}}

app = FastAPI()
bearer = OAuth2PasswordBearer(tokenUrl="token")


class Item(BaseModel):
    """One row of numbers."""

    features: list[float]


class Penguin(BaseModel):
    """One row of the penguins, with the column names of training."""

    island: str
    bill_length_mm: float | None
    bill_depth_mm: float | None
    flipper_length_mm: float | None
    body_mass_g: float | None
    sex: str | None
    year: int


class Items(BaseModel):
    """Many rows of numbers."""

    rows: list[list[float]]


class User(BaseModel):
    """The caller."""

    username: str
    disabled: bool


class Prediction(BaseModel):
    """The response for one row."""

    prediction: int | str


class Predictions(BaseModel):
    """The response for many rows."""

    predictions: list[int]


async def current_user(token: Annotated[str, Depends(bearer)]) -> User:
    """Return the user of the token."""
    try:
        name = jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM]).get("sub")
    except JWTError as error:
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"}) from error
    if name not in USERS:
        raise HTTPException(401, "Could not validate credentials")
    return User.model_validate(USERS[name])


async def active_user(user: Annotated[User, Depends(current_user)]) -> User:
    """Return the user if the user is not disabled."""
    if user.disabled:
        raise HTTPException(400, "Inactive user")
    return user


def add(name: str, row: Any, predict: Callable[[Any], Any]) -> None:
    """Add the routes of one model for one row."""

    @app.post(f"/{name}/predict", response_model=Prediction)
    def predict_one(item: row) -> Any:
        return {"prediction": predict(item)}

    @app.post(f"/{name}/async", response_model=Prediction)
    async def predict_on_the_loop(item: row) -> Any:
        return {"prediction": predict(item)}

    @app.post(f"/{name}/secure", response_model=Prediction)
    def predict_for_a_user(item: row, _user: Annotated[User, Depends(active_user)]) -> Any:
        return {"prediction": predict(item)}


def add_numbers(name: str, model: Any) -> None:
    """Add a model of numbers, with routes for one row and for many."""
    add(name, Item, lambda item: model.predict([item.features])[0].item())

    @app.post(f"/{name}/batch", response_model=Predictions)
    def predict_many(items: Items) -> Any:
        return {"predictions": model.predict(items.rows).tolist()}


def add_penguins(name: str, model: Any, folder: Path) -> None:
    """Add a model of texts and nulls, which are converted to a frame."""
    from benchmarks.peers.frames import Frames

    frames = Frames(folder, name)
    add(name, Penguin, lambda penguin: str(model.predict(frames.of([penguin.model_dump()]))[0]))


def add_all(folder: Path, names: list[str]) -> None:
    """Add every model of the list."""
    for name in names:
        model = joblib.load(folder / f"{name}.joblib")
        if name == "penguins":
            add_penguins(name, model, folder)
        else:
            add_numbers(name, model)


if __name__ == "__main__":
    expires = datetime.now(UTC) + timedelta(days=1)
    print(jwt.encode({"sub": "johndoe", "exp": expires}, SECRET_KEY, algorithm=ALGORITHM))
else:
    add_all(Path(os.environ["BENCH_MODELS"]), os.environ["BENCH_NAMES"].split(","))
