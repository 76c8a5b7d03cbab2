"""What both kinds of sign-in share: what is begun with, and what a browser may come back with.

State ties an answer to the browser that was sent away (RFC 6749, 10.12); PKCE ties the code to it,
so that nobody else gets anything for one (RFC 7636).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from mosaic_core.errors import (
    IdentityError,
    IdentityMisconfigured,
    IdentityRefused,
    IdentityTampered,
)
from mosaic_core.identity import Begun
from mosaic_identity_oidc.web import Answer

_ERROR = re.compile(r"[a-z_]{1,60}")
_CODE = 8_192
#: What an issuer answers when it is about its client, not about who signs in (RFC 6749, 5.2), and
#: what GitHub calls that.
_ABOUT_US = frozenset(
    {"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
    | {"incorrect_client_credentials", "redirect_uri_mismatch"}
)


@dataclass(frozen=True, slots=True)
class Coming:
    """What was remembered of a sign-in."""

    way: str
    callback: str
    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls, way: str, callback: str) -> Coming:
        """What nobody can guess, for a way and a browser."""
        token = secrets.token_urlsafe
        return cls(way, callback, token(24), token(24), token(48))

    @classmethod
    def again(cls, way: str, begun: Begun, answer: Mapping[str, str]) -> Coming:
        """What the sign-in was begun with that an answer is to.

        Raises:
            IdentityTampered: it was begun in another way, or by somebody else.
        """
        told = begun.remembered
        try:
            found = cls(**{name: str(told[name]) for name in cls.__dataclass_fields__})
        except KeyError:
            raise IdentityTampered("No sign-in was begun.", hint="Begin again.") from None
        same = hmac.compare_digest(
            found.state.encode(), answer.get("state", "").encode("utf-8", "replace")
        )
        if found.way != way or not same:
            raise IdentityTampered(
                "What came back belongs to another sign-in.", hint="Begin again, in this browser."
            )
        return found

    @property
    def remembered(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def begun(self, endpoint: str, **asked: str) -> Begun:
        """Sends a browser to an endpoint for authorisation."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "redirect_uri": self.callback,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **asked,
        }
        mark = "&" if "?" in endpoint else "?"
        return Begun(f"{endpoint}{mark}{urlencode(query)}", self.remembered)


def code_of(answer: Mapping[str, str]) -> str:
    """The code in an answer.

    Raises:
        IdentityRefused: the issuer says no; it says why.
        IdentityTampered: there is none.
    """
    if "error" in answer:
        raise refused(answer["error"])
    code = answer.get("code", "")
    if not code or len(code) > _CODE:
        raise IdentityTampered("Nothing came back that says who it is.", hint="Begin again.")
    return code


def require_tokens(answer: Answer, issuer: str) -> dict[str, object]:
    """What an issuer gives for a code, as it is.

    Raises:
        IdentityRefused: the code does not count, or not any more.
        IdentityMisconfigured: the issuer does not take this client.
    """
    content = answer.object
    error = content.get("error")
    if answer.status == 200 and error is None:
        return content
    if answer.status == 401 or error in _ABOUT_US:
        raise IdentityMisconfigured(
            f"The issuer {issuer} does not take this client ({_told(error) or answer.status}).",
            hint="Check client_id, client_secret and the callback's address that it has.",
        )
    if error is None:
        raise IdentityMisconfigured(
            f"The issuer {issuer} gives nothing for a code (the answer is {answer.status})."
        )
    raise refused(error)


def refused(error: object) -> IdentityError:
    """The error for an issuer's no."""
    told = _told(error)
    if told == "access_denied":
        return IdentityRefused("The sign-in was declined.", hint="Begin again, or in another way.")
    if told in _ABOUT_US:
        return IdentityMisconfigured(f"The issuer does not take this client ({told}).")
    return IdentityRefused(
        f"The issuer does not say who it is{f' ({told})' if told else ''}.", hint="Begin again."
    )


def _told(error: object) -> str:
    """An issuer's code for what went wrong, if it is one; nothing else that it says is shown."""
    return error if isinstance(error, str) and _ERROR.fullmatch(error) else ""
