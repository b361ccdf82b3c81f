"""Which secrets are too weak: short ones, samples from documents, patterns; and keys of another kind."""

import re

_LEAST_BYTES = 32
# A random secret of 32 bytes, in any encoding, has more different characters.
_LEAST_CHARACTERS = 8
# By chance, one random secret in a million has one of these in it.
_SAMPLES = (
    "secret", "change", "example", "insecure", "placeholder", "replace", "password", "default", "sample", "qwerty",
    "development", "production", "yourkey", "signingkey", "dontuse", "donotuse",
)  # fmt: skip
_PATTERNS = (
    "12345678", "abcdefgh",
    # The key in FastAPI's tutorial, copied into thousands of repositories.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
)  # fmt: skip


def weakness(secret: str) -> str:
    """Return why the secret could be guessed, as a phrase that follows its name; empty if no reason is found."""
    if len(secret.encode()) < _LEAST_BYTES:
        return f"is {'too short' if secret else 'missing'}: production needs at least {_LEAST_BYTES} bytes"
    lowered = secret.lower()
    letters = re.sub(r"[^a-z]", "", lowered)
    if len(set(secret)) < _LEAST_CHARACTERS or secret in (secret + secret)[1:-1]:
        return "repeats itself"
    if any(sample in letters for sample in _SAMPLES) or any(pattern in lowered for pattern in _PATTERNS):
        return "is a sample, or made of words"
    return ""


def misplaced(secret: str) -> str:
    """Return which other kind of key the secret is, as a phrase that follows its name; empty if it is not one."""
    if "BEGIN " in secret or secret.lstrip().startswith(("ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")):
        return "is a key pair, or half of one: those go into SEPAL_TOKEN_KEYS"
    if secret.strip()[:1] + secret.strip()[-1:] in {"{}", "[]"}:
        return "is JSON: a set of keys goes into SEPAL_TOKEN_KEYS"
    return ""
