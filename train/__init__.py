"""Write artifacts: call `publish` from a script or a notebook."""

from train.publishing import publish

__all__ = ["publish"]
