"""Bytes to rows, and predictions to bytes; a dialect knows columns and no HTTP."""
