"""Compare sepal with popular model servers: the same models, the same rows, one run."""
