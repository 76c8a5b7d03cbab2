"""What the actions about one's own account share."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from mosaic_cms.actions import Model
from mosaic_cms.rights import SELF, Permission
from mosaic_cms.scope import PlatformScope
from mosaic_core.errors import Denied
from mosaic_core.mail import one_line

READ_OWN = Permission("read", SELF)
CHANGE_OWN = Permission("update", SELF)


def _encodable(secret: SecretStr) -> SecretStr:
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("it has half a surrogate pair") from None
    return secret


def _named(name: str) -> str:
    line = one_line(name, 100)
    if not line:
        raise ValueError("a name needs a character that is seen")
    return line


#: What is shown to nobody and logged nowhere.
Password = Annotated[SecretStr, Field(max_length=1_000), AfterValidator(_encodable)]
Code = Annotated[SecretStr, Field(max_length=64), AfterValidator(_encodable)]
Token = Annotated[SecretStr, Field(max_length=256), AfterValidator(_encodable)]
Secret = Annotated[SecretStr, Field(max_length=2_000), AfterValidator(_encodable)]
Email = Annotated[str, Field(max_length=320)]
PersonName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_named)]


class WithPassword(Model):
    """Confirmed with the account's password: whoever finds a browser open does not have it."""

    password: Password


class Done(Model):
    """It was done; there is nothing more to say."""


def own_account(scope: PlatformScope) -> uuid.UUID:
    """The account of who acts.

    Raises:
        Denied: it is nobody's, such as an operator's at the command line.
    """
    try:
        if scope.actor.kind == "account":
            return uuid.UUID(scope.actor.name)
    except ValueError:
        pass
    raise Denied(
        f"This is about one's own account, and {scope.actor} has none.",
        hint="Operators have 'mosaic account'.",
    )
