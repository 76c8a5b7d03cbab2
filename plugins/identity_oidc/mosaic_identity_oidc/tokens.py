"""What an ID token says, when it is one of the issuer's, for us, and for this sign-in.

The rules are those of OpenID Connect Core, 3.1.3.7. Which algorithms there are is said here, never
by the token (RFC 8725, 3.1): none of them has a shared secret, and none is "none".
"""

from __future__ import annotations

import hmac
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from mosaic_core.errors import IdentityTampered
from mosaic_identity_oidc.issuers import Issuer, Issuers
from mosaic_identity_oidc.parties import Party

#: What may sign, and the kind of key of each.
ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    **dict.fromkeys(("Ed25519", "EdDSA"), "OKP"),
}
#: Seconds that clocks may differ, and characters of a token.
_LEEWAY, _LONGEST = 60, 32_768


async def claims_of(
    token: object, party: Party, issuer: Issuer, issuers: Issuers, nonce: str
) -> dict[str, Any]:
    """The claims of an ID token.

    Args:
        nonce: what the sign-in was begun with.

    Raises:
        IdentityTampered: it is not signed by the issuer, not for us, not for this, or too old.
    """
    if not isinstance(token, str) or not token or len(token) > _LONGEST:
        raise tampered("there is no token in it")
    try:
        header = jws.extract_compact(token.encode("ascii")).headers()
        kind, kid = ALGORITHMS.get(str(header.get("alg"))), header.get("kid")
        if kind is None:
            raise tampered("it is signed in a way that does not count")
        if kid is not None and not isinstance(kid, str):
            raise tampered("it does not say with which key it is signed")
        key = await issuers.key(party, issuer, kid, kind)
        claims = jwt.decode(token, key, algorithms=[str(header["alg"])]).claims
        _required(party).validate(claims)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise tampered(_why(error)) from error
    directory = claims.get("tid") if party.by_directory else None
    if party.by_directory and directory is None:
        raise tampered("it does not say from which directory it is")
    if not party.is_issuer(str(claims["iss"]), directory):
        raise tampered("another issuer made it")
    audience, authorised = claims["aud"], claims.get("azp")
    if authorised is not None and authorised != party.client_id:
        raise tampered("it is for somebody else")
    if isinstance(audience, list) and len(audience) > 1 and authorised is None:
        raise tampered("it is for several, and does not say who asked for it")
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise tampered("it belongs to another sign-in")
    return dict(claims)


def tampered(why: str) -> IdentityTampered:
    """The error for what is not what it has to be; it tells nothing that was in it."""
    return IdentityTampered(f"What the issuer says cannot be taken: {why}.", hint="Begin again.")


def _required(party: Party) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        leeway=_LEEWAY,
        iss={"essential": True},
        sub={"essential": True},
        aud={"essential": True, "value": party.client_id},
        exp={"essential": True},
        iat={"essential": True},
    )


def _why(error: Exception) -> str:
    """In our own words: an error of the library may have a part of the token in it."""
    kind = type(error).__name__
    return {
        "BadSignatureError": "its signature is wrong",
        "ExpiredTokenError": "it is too old",
        "MissingClaimError": "it does not say all that it has to",
        "InvalidClaimError": "it is for somebody else, or for another time",
    }.get(kind, "it is no token")
