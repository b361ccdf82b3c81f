"""The former names of settings, each with what replaces it."""

from collections.abc import Iterator

from artifacts.settings import environment_variables

_CONSTANT = "it is a constant now: remove the variable"

FORMER = {
    "SEPAL_BODY_BYTES_S": _CONSTANT,
    "SEPAL_BODY_GRACE_S": _CONSTANT,
    "SEPAL_CALL_ROWS": _CONSTANT,
    "SEPAL_CANARY_INTERVAL_S": _CONSTANT,
    "SEPAL_CSV_NULLS": "use publish(csv_nulls=[...])",
    "SEPAL_ERROR_VALUES": "use SEPAL_EXPOSE=values",
    "SEPAL_HEADERS_S": _CONSTANT,
    "SEPAL_LOGIN_FAILURES": "use SEPAL_LOCKOUT=5/15minutes",
    "SEPAL_LOGIN_FAILURES_ADDRESS": "it follows from SEPAL_LOCKOUT now: remove the variable",
    "SEPAL_LOGIN_THREADS": _CONSTANT,
    "SEPAL_LOGIN_WINDOW_S": "use SEPAL_LOCKOUT=5/15minutes",
    "SEPAL_MAX_CELL_BYTES": _CONSTANT,
    "SEPAL_MAX_COLUMNS": _CONSTANT,
    "SEPAL_MAX_CSV_COLUMNS": _CONSTANT,
    "SEPAL_MAX_DEPTH": _CONSTANT,
    "SEPAL_MAX_DIGITS": _CONSTANT,
    "SEPAL_MAX_ERRORS": _CONSTANT,
    "SEPAL_MAX_FORM_BYTES": _CONSTANT,
    "SEPAL_MAX_HEADERS": _CONSTANT,
    "SEPAL_MAX_HEADER_BYTES": _CONSTANT,
    "SEPAL_OIDC_ALGORITHMS": _CONSTANT,
    "SEPAL_OIDC_REFRESH_S": _CONSTANT,
    "SEPAL_OPEN_DOCS": "use SEPAL_EXPOSE=docs",
    "SEPAL_OPEN_METRICS": "use SEPAL_EXPOSE=metrics",
    "SEPAL_RATE_BATCH": "use SEPAL_RATES=batch=600/minute",
    "SEPAL_RATE_CHANGE": "use SEPAL_RATES=change=60/minute",
    "SEPAL_RATE_LOGIN": "use SEPAL_RATES=login=60/minute",
    "SEPAL_RATE_PREDICT": "use SEPAL_RATES=predict=1000000/minute",
    "SEPAL_RATE_READ": "use SEPAL_RATES=read=6000/minute",
    "SEPAL_RATE_ROWS": "use SEPAL_RATES=rows=1000000/minute",
    "SEPAL_READER_S": _CONSTANT,
    "SEPAL_REDIS_WAIT_MS": _CONSTANT,
    "SEPAL_REVOCATION_POLL_S": _CONSTANT,
    "SEPAL_RUNTIME": "use publish(compiled=False)",
    "SEPAL_TOKEN_ISSUER": _CONSTANT,
    "SEPAL_UNKNOWN_NAMES": "use publish(unknown_names=...)",
}


def former_names() -> Iterator[str]:
    """Yield one line for each former name in the environment or in `.env`."""
    given = {name.upper() for name in environment_variables()}
    return (f"{name} is no longer a setting: {instead}" for name, instead in FORMER.items() if name in given)
