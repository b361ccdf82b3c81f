"""The contract between train and serve: train writes artifacts, serve reads them; this package imports neither."""

from artifacts.bundle import Bundle
from artifacts.columns import Column
from artifacts.errors import ArtifactError
from artifacts.manifest import Manifest, Promise
from artifacts.pointers import CHAMPION
from artifacts.predictions import Predictions
from artifacts.settings import ArtifactSettings
from artifacts.signature import Batch, Signature
from artifacts.store import Store
from artifacts.values import Fault

__all__ = [
    "CHAMPION",
    "ArtifactError",
    "ArtifactSettings",
    "Batch",
    "Bundle",
    "Column",
    "Fault",
    "Manifest",
    "Predictions",
    "Promise",
    "Signature",
    "Store",
]
