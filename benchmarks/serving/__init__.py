"""sepal beside what users pick today: the same models, the same rows, one run."""
