"""Invalid tokens after public advisories; each is one attack on one kind of token."""

import base64
import json
import random
import string
import zlib
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.keys import Kind, Sign, ec_key, es256, hs256, public_jwk, rs256, rsa_key, segment, signed, spelled

ALPHABET = string.ascii_letters + string.digits + "-_"
# The order of P-256.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def attacks(kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield all attacks with their names."""
    for group in (_unsigned, _confused, _borrowed, _forged_curves, _steered, _typed, _wrapped, _respelled, _claimed):
        yield from group(kind)


def _unsigned(kind: Kind) -> Iterator[tuple[str, str]]:
    """CVE-2020-28042, CVE-2026-28802 and others: no algorithm, no signature."""
    body, _, signature = kind.token().rpartition(".")
    claims = body.partition(".")[2]
    nothing: list[object] = ["none", "None", "nOnE", "NONE", "none ", "", None, 0, True, ["none"], {}]
    for alg in nothing:
        for kid in ({}, {"kid": kind.header["kid"]}):
            head = segment({"alg": alg, "typ": "at+jwt", **kid})
            yield f"alg {alg!r} {sorted(kid)}", f"{head}.{claims}."
            yield f"alg {alg!r} {sorted(kid)} with a signature", f"{head}.{claims}.{signature}"
    yield "no signature", body + "."
    yield "no third part", body
    yield "no alg", signed({"kid": kind.header["kid"], "typ": "at+jwt"}, kind.claims, kind.sign)


def public_spellings(pair: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> dict[str, bytes]:
    """Return all encodings of a public key, each of which a confused verifier may use as a secret."""
    encoding, form = serialization.Encoding, serialization.PublicFormat
    public = pair.public_key()
    pem = public.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo)
    jwk = public_jwk(pair)
    spellings = {
        "PEM": pem,
        "PEM without its end": pem.rstrip(),
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "PEM with a blank before": b" " + pem,
        "PEM in one line": pem.replace(b"\n", b""),
        "PEM with four dashes": pem.replace(b"-----", b"----"),
        "DER": public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
        "SSH": public.public_bytes(encoding.OpenSSH, form.OpenSSH),
        "JWK": json.dumps(jwk).encode(),
        "JWK closely": json.dumps(jwk, separators=(",", ":")).encode(),
        "JWK set": json.dumps({"keys": [jwk]}).encode(),
        "nothing": b"",
        "null": b"\0",
    }
    if isinstance(pair, rsa.RSAPrivateKey):
        spellings["PKCS 1"] = public.public_bytes(encoding.PEM, form.PKCS1)
        spellings["the modulus"] = str(jwk["n"]).encode()
    return spellings


def _confused(kind: Kind) -> Iterator[tuple[str, str]]:
    """CVE-2015-9235, CVE-2022-29217, CVE-2024-33663: the public key as the secret of an HMAC."""
    for name, secret in public_spellings(kind.pair or rsa_key()).items():
        for alg in ("HS256", "HS384", "HS512", kind.header["alg"]):
            yield f"{alg} with {name}", kind.token({"alg": alg}, sign=hs256(secret))
        yield f"no kid, with {name}", signed({"alg": "HS256", "typ": "at+jwt"}, kind.claims, hs256(secret))


def _borrowed(kind: Kind) -> Iterator[tuple[str, str]]:
    """Keys of the attacker, and algorithms that are not configured."""
    evil = {"HS256": hs256(b"e" * 32), "ES256": es256(ec_key("evil")), "RS256": rs256(rsa_key("evil"))}
    for alg, sign in evil.items():
        yield f"{alg} by a stranger", kind.token({"alg": alg}, sign=sign)
        yield f"{kind.header['alg']} signed as {alg}", kind.token(sign=sign)
        yield f"{alg} by a stranger without kid", signed({"alg": alg, "typ": "at+jwt"}, kind.claims, sign)
    for alg in (
        "HS256",
        "RS256",
        "ES256",
        "PS256",
        "RS512",
        "ES384",
        "EdDSA",
        "HS512",
        "rs256",
        "RS256 ",
        "dir",
        "A128KW",
    ):
        if alg != kind.header["alg"]:
            yield f"{alg} in name only", kind.token({"alg": alg})


def _always(signature: bytes) -> Sign:
    return lambda _: signature


def _forged_curves(kind: Kind) -> Iterator[tuple[str, str]]:
    """CVE-2022-21449 and similar: empty signatures, and keys on other curves."""
    zero, order = bytes(32), ORDER.to_bytes(32, "big")
    one = (1).to_bytes(32, "big")
    numbers = {
        "zeros": zero + zero,
        "order": order + order,
        "r zero": zero + one,
        "s zero": one + zero,
        "one": one + one,
    }
    for name, signature in {**numbers, "nothing": b"", "a byte": b"\0", "long": bytes(256)}.items():
        yield f"a signature of {name}", kind.token(sign=_always(signature))
    for curve in (ec.SECP256K1, ec.SECP384R1, ec.SECP521R1, ec.SECP224R1, ec.BrainpoolP256R1):
        yield f"on {curve.name}", kind.token({"alg": "ES256"}, sign=es256(ec_key("evil", curve)))
    if isinstance(kind.pair, ec.EllipticCurvePrivateKey):
        pair = kind.pair
        yield "DER", kind.token(sign=lambda body: pair.sign(body, ec.ECDSA(hashes.SHA256())))
        yield "two signatures", kind.token(sign=lambda body: kind.sign(body) * 2)
        yield "another hash", kind.token(sign=lambda body: kind.sign(body + b" "))


def _steered(kind: Kind) -> Iterator[tuple[str, str]]:
    """CVE-2018-0114, CVE-2026-27962 and similar: a header that chooses its key or other processing."""
    evil = rs256(rsa_key("evil"))
    jwk = public_jwk(rsa_key("evil"), kid="evil")
    steering: list[dict[str, object]] = [
        {"jwk": jwk}, {"jku": "http://127.0.0.1:9/k"}, {"jku": "file:///etc/passwd"}, {"x5u": "http://127.0.0.1:9/c"},
        {"x5c": ["MIIB"]}, {"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": False},
        {"zip": "DEF"}, {"enc": "A256GCM"}, {"cty": "JWT"}, {"p2c": 10**9, "p2s": "AA"},
    ]  # fmt: skip
    for more in steering:
        yield f"signed, and says {sorted(more)}", kind.token(more)
        yield f"by a stranger, and says {sorted(more)}", kind.token({**more, "alg": "RS256", "kid": "evil"}, sign=evil)
    kids: list[object] = [
        "../../dev/null", "/dev/null", "' UNION SELECT 'a' -- ", "k" * 10_000, "", "unknown", "\0", "sealed",
        ["theirs-rsa"], {}, 0, None, True, " theirs-rsa", "theirs-rsa ", "THEIRS-RSA", "http://127.0.0.1:9/", "%00",
    ]  # fmt: skip
    for kid in kids:
        yield f"kid {str(kid)[:20]!r}", kind.token({"kid": kid})
        yield f"kid {str(kid)[:20]!r} of nothing", kind.token({"kid": kid, "alg": "HS256"}, sign=hs256(b""))
    claims = segment(kind.claims)
    alg, kid = json.dumps(kind.header["alg"]), json.dumps(kind.header["kid"])
    for twice in (f'{{"alg":"none","alg":{alg},"kid":{kid}}}', f'{{"alg":{alg},"kid":"x","kid":{kid}}}'):
        body = f"{segment(twice)}.{claims}"
        yield f"twice: {twice[:12]}", f"{body}.{spelled(kind.sign(body.encode()))}"


def _typed(kind: Kind) -> Iterator[tuple[str, str]]:
    """Tokens of another kind or for another purpose (RFC 8725, 3.11 and 3.12)."""
    for typ in ("rt+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "id_token", "JWE", "", 0, ["JWT"], "at+jwt;x"):
        yield f"typ {typ!r}", kind.token({"typ": typ})
    if kind.is_outside:
        telling: list[dict[str, object]] = [
            {"nonce": "n"}, {"at_hash": "h"}, {"events": {}}, {"cnf": {"jkt": "k"}}, {"typ": "Refresh"}, {"typ": "ID"},
        ]  # fmt: skip
        for claim in telling:
            yield f"with {sorted(claim)}", kind.token(claims=claim)
    else:
        yield "typ JWT", kind.token({"typ": "JWT"})
        yield (
            "no typ",
            signed({key: value for key, value in kind.header.items() if key != "typ"}, kind.claims, kind.sign),
        )
        yield "another order", signed(dict(reversed(list(kind.header.items()))), kind.claims, kind.sign)
        yield "another spelling", signed(json.dumps(kind.header), kind.claims, kind.sign)


def _wrapped(kind: Kind) -> Iterator[tuple[str, str]]:
    """Nested tokens, encrypted tokens, and invalid forms."""
    inner = kind.token()
    yield "nested", signed({**kind.header, "cty": "JWT"}, inner, kind.sign)
    yield "nested, without cty", signed(kind.header, inner, kind.sign)
    bomb = spelled(zlib.compress(bytes(10**6), 9))
    for header in (
        {"alg": "dir", "enc": "A256GCM", "zip": "DEF"},
        {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 10**9, "p2s": "AAAAAAAAAAA"},
        {**kind.header, "enc": "A128GCM", "zip": "DEF"},
    ):
        yield f"JWE {header['alg']}", f"{segment(header)}.AA.AAAAAAAAAAAAAAAA.{bomb}.AAAAAAAAAAAAAAAAAAAAAA"
    head, claims, signature = inner.split(".")
    for name, parts in {
        "four": (head, claims, signature, signature), "twice": (inner, inner), "turned": (claims, head, signature),
        "empty": ("", "", ""), "hollow": (head, "", signature), "before": ("", head, claims, signature),
        "after": (head, claims, signature, ""), "five": (head, claims, claims, claims, signature),
    }.items():  # fmt: skip
        yield f"parts: {name}", ".".join(parts)
    yield "JSON", json.dumps({"payload": claims, "protected": head, "signature": signature}).replace(" ", "")
    yield "large", f"{head}.{'A' * 64 * 2**10}.{signature}"
    for name, deep in {"list": "[" * 4000, "object": '{"a":' * 1100, "number": "9" * 5000, "bytes": "\udcff"}.items():
        text = base64.urlsafe_b64encode(deep.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()
        yield f"header of {name}", f"{text}.{claims}.{signature}"
        body = f"{head}.{text}"
        yield f"claims of {name}", f"{body}.{spelled(kind.sign(body.encode()))}"


def _respelled(kind: Kind) -> Iterator[tuple[str, str]]:
    """Other encodings of the same bytes, which a lenient parser accepts (RFC 7515, appendix C)."""
    parts = kind.token().split(".")
    for place, part in enumerate(parts):
        odd = {"=": part + "=", "==": part + "==", "!": part + "!", "a blank": part + " ", "a line": part + "\n"}
        odd |= {
            "a tab": "\t" + part,
            "in between": part[:4] + "\n" + part[4:],
            "%3D": part + "%3D",
            "null": part + "\0",
        }
        odd |= {"the other alphabet": part.replace("-", "+").replace("_", "/")}
        odd |= {f"last {last}": part[:-1] + last for last in _same_bits(part)}
        for name, spelling in odd.items():
            if spelling != part:
                yield f"part {place} with {name}", ".".join([*parts[:place], spelling, *parts[place + 1 :]])


def _same_bits(part: str) -> str:
    """Return the other last characters that decode to the same bytes if spare bits are ignored."""
    spare = {2: 4, 3: 2}.get(len(part) % 4, 0)
    value = ALPHABET_BY_VALUE.index(part[-1]) >> spare << spare
    return "".join(ALPHABET_BY_VALUE[value + bits] for bits in range(1 << spare)).replace(part[-1], "")


ALPHABET_BY_VALUE = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def _claimed(kind: Kind) -> Iterator[tuple[str, str]]:
    """Validly signed tokens with invalid claims."""
    now = int(str(kind.claims["iat"]))
    wrong = {
        "exp": (now - 100, 0, -1, str(now + 600), now + 600.5, float(now + 600), None, [], 2**63, 10**30, float("nan"),
                float("inf"), now + 25 * 3600, {"$gt": 0}),
        "nbf": (now + 3600, 2**63, str(now), float(now), "", [], float("nan")),
        "iat": (now + 3600, 2**63, str(now), now - 25 * 3600, [], -1, float("-inf")),
        "aud": ("elsewhere", ["elsewhere"], [], "", 0, None, ["sepal", 1], {}, "sepa", "SEPAL", "sepal.example",
                "sepal-api2", ["sepal-ap"], [["sepal-api"]]),
        "iss": ("", "sepal.", "sepa", "SEPAL", None, ["sepal"], "https://issuer.example/", "http://issuer.example",
                "https://issuer.example.evil", "https://issuer.exampl"),
        "sub": ("", None, 7, [], {}, True),
        "scope": ("predict\u00a0batch", "predict\tbatch", "predict batch\n", "predict\u2003batch"),
    }  # fmt: skip
    for name, values in wrong.items():
        for value in values:
            yield f"{name} {value!r}", kind.token(claims={name: value})
    for name in ("exp", "aud", "iss", "sub"):
        claims = {key: value for key, value in kind.claims.items() if key != name}
        yield f"without {name}", signed(kind.header, claims, kind.sign)
    known = json.dumps(dict(kind.claims))
    for twice in ('"sub":"admin"', '"scope":"batch"', '"exp":9999999999', f'"aud":{json.dumps(kind.claims["aud"])}'):
        yield f"claims with {twice} twice", signed(kind.header, f"{known[:-1]},{twice}}}", kind.sign)
    for odd in ("[]", "null", '"text"', "1", "", "{", "{}", '{"exp":1,"exp":2}'):
        yield f"claims that are {odd}", signed(kind.header, odd, kind.sign)


def mutations(kind: Kind, *, count: int, seed: int) -> Iterator[str]:
    """Yield the valid token with small random changes, never unchanged."""
    draw, good = random.Random(seed), kind.token()
    while count:
        token = good
        for _ in range(draw.choice((1, 1, 1, 2, 5))):
            token = _mutated(token, draw)
        if token != good:
            count -= 1
            yield token


def _mutated(token: str, draw: random.Random) -> str:
    place = draw.randrange(len(token))
    other = draw.choice(ALPHABET + ".=+/")
    parts = token.split(".")
    return draw.choice((
        lambda: token[:place] + other + token[place + 1 :],
        lambda: token[:place] + token[place + 1 :],
        lambda: token[:place] + other + token[place:],
        lambda: token[:place] + token[place].swapcase() + token[place + 1 :],
        lambda: token[: max(1, place)],
        lambda: token[:place] + token[place : place + 4] * 2 + token[place + 4 :],
        lambda: ".".join(draw.sample(parts, len(parts))),
        lambda: token[:-1] + draw.choice(ALPHABET),
        lambda: _reworded(token, draw),
    ))()  # fmt: skip


def _reworded(token: str, draw: random.Random) -> str:
    """Change a value in the header or the claims, and keep the signature."""
    parts = token.split(".")
    place = draw.choice((0, 1))
    try:
        said = json.loads(base64.urlsafe_b64decode(parts[place] + "=" * (-len(parts[place]) % 4)))
        name = draw.choice(sorted(said))
    except (ValueError, IndexError, TypeError):
        return token + "A"
    said[name] = draw.choice(("admin", "none", "HS256", 0, None, 2**40, [], "predict batch models:read metrics:read"))
    parts[place] = segment(said) if place < len(parts) else "e30"
    return ".".join(parts)
