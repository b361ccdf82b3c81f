"""The tests mirror the tree: one file a module; the rest is told by the file's first line."""
