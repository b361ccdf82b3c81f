"""Tokens of an OpenID Connect provider: names, scopes, times and keys."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from serve.auth.jwk_sets import read_public_set
from serve.auth.oidc import OidcVerifier
from serve.auth.principals import Permission
from serve.auth.tokens import LEEWAY_S
from serve.errors import Unauthenticated
from tests.support.keys import ISSUER, Kind, ec_key, kinds, public_jwk, published, rs256, rsa_key, signed
from tests.unit.serve.auth.test_tokens import NOW

BOTH = ("RS256", "ES256")
RSA = kinds(NOW)["theirs-rs"]


def verifier(keys: object = None, **other: Any) -> OidcVerifier:
    """Return a verifier with these keys."""
    given = {
        "issuer": ISSUER,
        "audience": "sepal-api",
        "algorithms": BOTH,
        "scope_claim": "scope",
        "clock": lambda: NOW,
    }
    made = OidcVerifier(**{**given, **other})
    made.replace_keys(read_public_set(json.dumps(keys or published()).encode(), BOTH))
    return made


def scopes(claims: Mapping[str, object], **other: Any) -> set[str]:
    """Return the permissions of a token with these claims."""
    return set(verifier(**other).verify(RSA.token(claims=dict(claims))).principal.permissions)


@pytest.mark.parametrize("kind", [RSA, kinds(NOW)["theirs-es"]], ids=lambda kind: kind.name)
def test_a_token_of_the_issuer_is_valid(kind: Kind) -> None:
    """Its name has a prefix that no local user has, and its ids are its own and that of its key."""
    verified = verifier().verify(kind.token())

    assert verified.principal.name == "oidc:4f1c"
    assert verified.principal.permissions == {Permission.PREDICT}
    assert (verified.since, verified.until) == (NOW - LEEWAY_S, NOW + 600 + LEEWAY_S)
    assert verified.own in verified.ids
    assert len(verified.ids) == 2
    assert all(mark.startswith("oidc:") and len(mark) <= 64 for mark in verified.ids)


@pytest.mark.parametrize(
    "header", [{"typ": "JWT"}, {"typ": "jwt"}, {"typ": "at+jwt"}, {"typ": "application/at+JWT"}, {"x5t": "a"}], ids=str
)
def test_headers_of_common_providers_are_accepted(header: dict[str, object]) -> None:
    """The types of access tokens and harmless parameters are accepted."""
    assert verifier().verify(RSA.token(header)).principal.name == "oidc:4f1c"


@pytest.mark.parametrize(
    "change", [{"aud": "sepal-api"}, {"typ": "Bearer"}, {"azp": "x", "extra": {"a": [1]}}], ids=str
)
def test_claims_of_common_providers_are_accepted(change: dict[str, object]) -> None:
    """An audience may be a string, Keycloak adds a type, and unknown claims are ignored."""
    assert verifier().verify(RSA.token(claims=change)).principal.name == "oidc:4f1c"


@pytest.mark.parametrize("missing", ["iat", "nbf"])
def test_one_begin_of_the_validity_suffices(missing: str) -> None:
    """Entra sends both `iat` and `nbf`, Auth0 one of them."""
    claims = {name: value for name, value in RSA.claims.items() if name != missing}

    assert verifier().verify(signed(RSA.header, claims, RSA.sign)).since == NOW - LEEWAY_S


def test_a_single_key_needs_no_id() -> None:
    """A token may omit the key id if the set has one key only."""
    bare = public_jwk(rsa_key("theirs"))
    token = signed({"alg": "RS256"}, RSA.claims, RSA.sign)

    assert verifier({"keys": [bare]}).verify(token).principal.name == "oidc:4f1c"
    assert verifier({"keys": [{**bare, "kid": "named"}]}).verify(token).principal.name == "oidc:4f1c"
    with pytest.raises(Unauthenticated):
        verifier({"keys": [bare, public_jwk(ec_key("theirs"))]}).verify(token + "x")
    with pytest.raises(Unauthenticated):
        verifier().verify(token)


@pytest.mark.parametrize(
    "sub", ["", "a" * 256, "a\nb", "a\x1b[31m", "\u202eada", "\x00", "\u00e4", "a\u2028b"], ids=repr
)
def test_names_are_short_printable_ascii(sub: str) -> None:
    """A subject that a log or a terminal could misrepresent is refused."""
    with pytest.raises(Unauthenticated):
        verifier().verify(RSA.token(claims={"sub": sub}))


@pytest.mark.parametrize("missing", [{}, {"iat": None, "nbf": None}], ids=["with a beginning", "without"])
@pytest.mark.parametrize("exp", [10**400, -(10**400), 2**63, 1e300], ids=["huge", "less", "long", "float"])
def test_extreme_times_are_refused(exp: float, missing: dict[str, object]) -> None:
    """A number of any size is refused like any other invalid time."""
    claims = {name: value for name, value in {**RSA.claims, "exp": exp}.items() if name not in missing}

    with pytest.raises(Unauthenticated):
        verifier().verify(signed(RSA.header, claims, RSA.sign))


@pytest.mark.parametrize(
    ("claim", "value", "granted"),
    [
        ("scope", "openid predict batch", {"predict", "batch"}),
        ("scp", "predict", {"predict"}),
        ("scp", ["predict", "models:read"], {"predict", "models:read"}),
        ("permissions", ["batch", 7, None, ["predict"], {"a": "predict"}], {"batch"}),
        ("realm_access.roles", {"roles": ["predict"]}, {"predict"}),
        ("resource_access.sepal.roles", {"sepal": {"roles": ["predict"]}}, {"predict"}),
        ("https://sepal.example/roles", ["predict"], {"predict"}),
        ("realm_access.roles", ["predict"], set()),
        ("scope", None, set()),
        ("scope", {"predict": True}, set()),
        ("scope", True, set()),
        ("scope", "PREDICT predict,batch *", set()),
        ("missing", "", set()),
    ],
)
def test_scopes_come_from_the_configured_claim(claim: str, value: object, granted: set[str]) -> None:
    """A string or a list at a name or a dotted path grants scopes; other values grant nothing."""
    name = claim if claim.startswith("https") else claim.split(".", maxsplit=1)[0]

    assert scopes({"scope": "", name: value}, scope_claim=claim) == granted


@pytest.mark.parametrize("blank", ["\t", "\n", "\u00a0", "\u2003", " \t"], ids=ascii)
def test_scopes_are_separated_by_spaces(blank: str) -> None:
    """A token with other white space in its scope is refused, because OAuth allows spaces only."""
    with pytest.raises(Unauthenticated):
        scopes({"scope": f"predict{blank}batch"})


def test_values_of_the_claim_are_mapped_to_scopes() -> None:
    """With a mapping only its values grant scopes; our own names grant nothing."""
    mapping = {"sepal-caller": [Permission.PREDICT, Permission.BATCH]}

    assert scopes({"scope": "sepal-caller metrics:read"}, scopes=mapping) == {"predict", "batch"}
    assert scopes({"scope": "sepal-caller"}, scopes={}) == set()


def test_removed_keys_are_returned() -> None:
    """The ids of removed and replaced keys are returned, so that their tokens are forgotten."""
    ours = verifier()
    verified = ours.verify(RSA.token())
    [mark] = verified.ids - {verified.own}
    other = {"keys": [public_jwk(rsa_key("next"), kid="theirs-rsa")]}

    assert ours.replace_keys(read_public_set(json.dumps(published()).encode(), BOTH)) == frozenset()
    assert mark in ours.replace_keys(read_public_set(json.dumps(other).encode(), BOTH))
    with pytest.raises(Unauthenticated):
        ours.verify(RSA.token())
    assert ours.verify(RSA.token(sign=rs256(rsa_key("next")))).principal.name == "oidc:4f1c"


def test_before_the_first_fetch_all_tokens_are_refused() -> None:
    """Without keys no token of the issuer is valid."""
    unfetched = OidcVerifier(issuer=ISSUER, audience="sepal-api", algorithms=BOTH, scope_claim="scope")

    with pytest.raises(Unauthenticated):
        unfetched.verify(RSA.token())
