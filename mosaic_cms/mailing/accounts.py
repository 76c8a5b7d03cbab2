"""Letters about an account, from the platform to who reads its address.

None of them has anything that the asker wrote, such as a name: nobody sends their own words to
others through this.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mosaic_cms.identity.asked import ADDRESS, RESET, SIGN_UP, Asked, Told
from mosaic_cms.identity.one_time import token_of
from mosaic_cms.identity.tables import Account
from mosaic_cms.mailing.letters import Compose, Letter, Render
from mosaic_cms.scope import PlatformScope
from mosaic_core.mail import one_line

_NOT_YOU = "If it was not you, there is nothing to do: without the link, nothing happens."


@dataclass(frozen=True, slots=True)
class _Words:
    """What a letter says, with places for the platform's name, the address and another one."""

    subject: str
    says: str
    #: What its link does, and which page it leads to.
    link: str
    page: str
    after: str
    #: The link has a token that counts once.
    once: bool = False


_WORDS = {
    "verify": _Words(
        "Confirm your address for {platform}",
        "Somebody, probably you, gave {to} as the address of an account at {platform}.",
        "Confirm the address",
        "verify",
        _NOT_YOU,
        once=True,
    ),
    "reset": _Words(
        "A new password for {platform}",
        "Somebody, probably you, asked to set a new password for the account of {to} at "
        "{platform}.",
        "Set a new password",
        "reset",
        _NOT_YOU,
        once=True,
    ),
    "welcome": _Words(
        "Your account at {platform}",
        "There is an account for {to} at {platform} now. Set a password, and sign in with it.",
        "Set a password",
        "reset",
        "When the link has expired, ask for a new password at {platform}.",
        once=True,
    ),
    "address-known": _Words(
        "You have an account at {platform}",
        "Somebody, probably you, wanted to use {to} for an account at {platform}. There is one "
        "with this address already; sign in to it. Did you forget its password?",
        "Ask for a new password",
        "reset",
        "If it was not you, there is nothing to do: who asked was not told about your account.",
    ),
    "address-changed": _Words(
        "The address of your account at {platform} was changed",
        "Your account at {platform} has another address now. It was {to}, and is {new}.",
        "Go to {platform}",
        "",
        "If it was not you, tell those who run {platform}.",
    ),
    "sign-in-changed": _Words(
        "How you sign in to your account at {platform} was changed",
        "{what} the account of {to} at {platform}. If it was you, there is nothing to do.",
        "Ask for a new password",
        "reset",
        "If it was not you, somebody else knows your password: set a new one with the link, sign "
        "in, and see what else was changed.",
    ),
    "password-changed": _Words(
        "The password of your account at {platform} was changed",
        "The password of the account of {to} at {platform} was changed, and it is signed out "
        "everywhere else. If it was you, there is nothing to do.",
        "Ask for a new password",
        "reset",
        "If it was not you, somebody else can read your mail or knows your password: set a new "
        "one with the link, and change the password of your mailbox.",
    ),
}


#: What was changed, as a letter begins with it.
_CHANGES: Mapping[str, str] = {
    "factor-on": "A second factor is asked for from now on when somebody signs in to",
    "factor-off": "No second factor is asked for any more when somebody signs in to",
    "codes": "There are new recovery codes, and the old ones count no more, for",
    "passkey-on": "A new passkey signs in to",
    "issuer-on": "Another account, somewhere else, signs in from now on to",
    "issuer-off": "An account somewhere else does not sign in any more to",
    "passkey-off": "A passkey was removed, and does not sign in any more to",
}


async def _compose(
    kind: str, scope: PlatformScope, about: Mapping[str, Any], render: Render
) -> Letter | None:
    """None when its link would not count any more, or the account is gone."""
    words, identity = _WORDS[kind], scope.product.identity
    platform = scope.product.platform
    settings = platform.settings.platform
    token, until = "", None
    async with identity.store.session() as session:
        if await session.get(Account, uuid.UUID(about["account"])) is None:
            return None
        if words.once:
            found = await token_of(session, identity.secrets, uuid.UUID(about["token"]))
            if found is None:
                return None
            token, until = f"?token={found[0]}", found[1].expires_at
    page = f"/account/{words.page}" if words.page else "/"
    facts = {
        "platform": one_line(settings.name),
        "to": one_line(about["to"]),
        "new": one_line(about.get("new", "")),
        "what": _CHANGES.get(about.get("what", ""), ""),
    }
    text, html = render(
        "account",
        {
            "heading": words.subject.format(**facts),
            "says": words.says.format(**facts),
            "link": words.link.format(**facts),
            "address": f"{platform.origin(settings.domain)}{page}{token}",
            "until": until.strftime("%Y-%m-%d %H:%M UTC") if until is not None else None,
            "after": words.after.format(**facts),
        },
    )
    return Letter(about["to"], words.subject.format(**facts), text, html)


async def _asked(
    do: Callable[[Asked, Mapping[str, Any]], Awaitable[Told | None]],
    scope: PlatformScope,
    about: Mapping[str, Any],
    render: Render,
) -> Letter | None:
    """The letter that comes of what somebody asked for; None when nothing does, or it was asked for
    too long ago."""
    if datetime.fromisoformat(about["until"]) <= datetime.now(UTC):
        return None
    told = await do(scope.product.identity.asked, about)
    return None if told is None else await _compose(told.kind, scope, told.about, render)


KINDS: Mapping[str, Compose] = {
    **{kind: partial(_compose, kind) for kind in _WORDS},
    RESET: partial(_asked, Asked.reset),
    SIGN_UP: partial(_asked, Asked.sign_up),
    ADDRESS: partial(_asked, Asked.change_address),
}
