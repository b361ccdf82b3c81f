"""One step each; a released step is never changed, the next one comes beside it."""
