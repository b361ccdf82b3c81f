"""Tokens of an OpenID Connect provider: whose they are, how far they reach, and where the keys come from."""

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


def outside(keys: object = None, **other: Any) -> OidcVerifier:
    """The deployment under test, which knows these keys."""
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


def scopes(told: Mapping[str, object], **other: Any) -> set[str]:
    """How far a token reaches that says this."""
    return set(outside(**other).verify(RSA.token(claims=dict(told))).principal.permissions)


@pytest.mark.parametrize("kind", [RSA, kinds(NOW)["theirs-es"]], ids=lambda kind: kind.name)
def test_a_token_of_the_issuer_counts(kind: Kind) -> None:
    """Its name is one that no user of ours can have, its end its own, and its id is its key's."""
    verified = outside().verify(kind.token())

    assert verified.principal.name == "oidc:4f1c"
    assert verified.principal.permissions == {Permission.PREDICT}
    assert (verified.since, verified.until) == (NOW - LEEWAY_S, NOW + 600 + LEEWAY_S)
    assert verified.own in verified.ids
    assert len(verified.ids) == 2
    assert all(mark.startswith("oidc:") and len(mark) <= 64 for mark in verified.ids)


@pytest.mark.parametrize(
    "header", [{"typ": "JWT"}, {"typ": "jwt"}, {"typ": "at+jwt"}, {"typ": "application/at+JWT"}, {"x5t": "a"}], ids=str
)
def test_the_headers_of_common_providers_are_taken(header: dict[str, object]) -> None:
    """A type that is one of an access token, and a mark that says nothing."""
    assert outside().verify(RSA.token(header)).principal.name == "oidc:4f1c"


@pytest.mark.parametrize(
    "change", [{"aud": "sepal-api"}, {"typ": "Bearer"}, {"azp": "x", "extra": {"a": [1]}}], ids=str
)
def test_the_claims_of_common_providers_are_taken(change: dict[str, object]) -> None:
    """One audience as a text, Keycloak's type, and whatever else is said."""
    assert outside().verify(RSA.token(claims=change)).principal.name == "oidc:4f1c"


@pytest.mark.parametrize("missing", ["iat", "nbf"])
def test_a_token_may_be_silent_of_its_beginning(missing: str) -> None:
    """Entra has both times, Auth0 one of them; the end is needed always."""
    claims = {name: value for name, value in RSA.claims.items() if name != missing}

    assert outside().verify(signed(RSA.header, claims, RSA.sign)).since == NOW - LEEWAY_S


def test_a_single_key_needs_no_name() -> None:
    """A set of one key may do without ids, in the set and in the token; with two keys it may not."""
    bare = public_jwk(rsa_key("theirs"))
    token = signed({"alg": "RS256"}, RSA.claims, RSA.sign)

    assert outside({"keys": [bare]}).verify(token).principal.name == "oidc:4f1c"
    assert outside({"keys": [{**bare, "kid": "named"}]}).verify(token).principal.name == "oidc:4f1c"
    with pytest.raises(Unauthenticated):
        outside({"keys": [bare, public_jwk(ec_key("theirs"))]}).verify(token + "x")
    with pytest.raises(Unauthenticated):
        outside().verify(token)


@pytest.mark.parametrize(
    "sub", ["", "a" * 256, "a\nb", "a\x1b[31m", "\u202eada", "\x00", "\u00e4", "a\u2028b"], ids=repr
)
def test_a_name_is_plain(sub: str) -> None:
    """A name that could be mistaken, in a log or a terminal, is no name."""
    with pytest.raises(Unauthenticated):
        outside().verify(RSA.token(claims={"sub": sub}))


@pytest.mark.parametrize("missing", [{}, {"iat": None, "nbf": None}], ids=["with a beginning", "without"])
@pytest.mark.parametrize("exp", [10**400, -(10**400), 2**63, 1e300], ids=["huge", "less", "long", "float"])
def test_a_time_out_of_all_bounds_does_not_count(exp: float, missing: dict[str, object]) -> None:
    """However large a number is, it is refused like any other that is wrong."""
    claims = {name: value for name, value in {**RSA.claims, "exp": exp}.items() if name not in missing}

    with pytest.raises(Unauthenticated):
        outside().verify(signed(RSA.header, claims, RSA.sign))


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
def test_scopes_come_from_the_claim_that_was_agreed_upon(claim: str, value: object, granted: set[str]) -> None:
    """A text or a list, at a name or at a dotted path; of anything else nothing is granted."""
    name = claim if claim.startswith("https") else claim.split(".", maxsplit=1)[0]

    assert scopes({"scope": "", name: value}, scope_claim=claim) == granted


@pytest.mark.parametrize("blank", ["\t", "\n", "\u00a0", "\u2003", " \t"], ids=ascii)
def test_scopes_are_separated_by_spaces(blank: str) -> None:
    """Another blank than a space is none to OAuth: the token is refused, and not read as somebody else would."""
    with pytest.raises(Unauthenticated):
        scopes({"scope": f"predict{blank}batch"})


def test_values_of_others_are_mapped_to_scopes_of_ours() -> None:
    """With a mapping only what it names counts, and our own names count no longer."""
    mapping = {"sepal-caller": [Permission.PREDICT, Permission.BATCH]}

    assert scopes({"scope": "sepal-caller metrics:read"}, scopes=mapping) == {"predict", "batch"}
    assert scopes({"scope": "sepal-caller"}, scopes={}) == set()


def test_keys_that_are_gone_are_named() -> None:
    """Who is remembered by a key that the issuer took away, or swapped under its name, is told to be forgotten."""
    ours = outside()
    verified = ours.verify(RSA.token())
    [mark] = verified.ids - {verified.own}
    other = {"keys": [public_jwk(rsa_key("next"), kid="theirs-rsa")]}

    assert ours.replace_keys(read_public_set(json.dumps(published()).encode(), BOTH)) == frozenset()
    assert mark in ours.replace_keys(read_public_set(json.dumps(other).encode(), BOTH))
    with pytest.raises(Unauthenticated):
        ours.verify(RSA.token())
    assert ours.verify(RSA.token(sign=rs256(rsa_key("next")))).principal.name == "oidc:4f1c"


def test_before_the_first_look_up_nobody_counts() -> None:
    """A server that has not yet heard of the issuer's keys takes none of its tokens."""
    silent = OidcVerifier(issuer=ISSUER, audience="sepal-api", algorithms=BOTH, scope_claim="scope")

    with pytest.raises(Unauthenticated):
        silent.verify(RSA.token())
