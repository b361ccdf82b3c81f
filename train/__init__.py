"""Makes artifacts: `publish` is the one call, from a script or a notebook."""

from train.publishing import publish

__all__ = ["publish"]
