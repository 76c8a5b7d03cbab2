"""The identity contract: signing in with somebody else's word for who one is.

The other party is called the *issuer*, as OpenID Connect does. A browser is sent to it, and comes
back with an answer, from which the provider makes a :class:`Vouched`. What that is worth here, and
which account it is, is not the provider's to decide.

::

    begun = await provider.begin("google", callback)   # the browser goes to begun.address
    who = await provider.complete("google", begun, query)    # and comes back with a query
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mosaic_core.errors import ConfigurationError, IdentityTampered

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
#: What stands where names of ways do in addresses.
RESERVED = frozenset({"sso", "providers"})
#: Characters of an issuer's address and of its name for somebody (OpenID Connect Core, 2).
ISSUER, SUBJECT = 300, 255


@dataclass(frozen=True, slots=True)
class SignInWay:
    """A way to sign in that a deployment offers to everybody.

    Attributes:
        name: stands in addresses; small letters, digits and underscores.
        title: what people read.
        issuer: whom it trusts, as :class:`Vouched` has it. Where that differs by person, a name in
            braces stands for the part that does (``https://login.example/{directory}/``).
        second_factor: the issuer has asked for a second factor, so that nobody else has to.
    """

    name: str
    title: str
    issuer: str
    second_factor: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in RESERVED:
            raise ConfigurationError(
                f"A way to sign in cannot be called {self.name!r}.",
                hint="Use small letters, digits and underscores, 32 at most.",
            )

    def trusts(self, issuer: str) -> bool:
        """Whether an issuer is one that somebody comes with in this way."""
        before, differs, rest = self.issuer.partition("{")
        if not differs:
            return issuer == self.issuer
        after = rest.partition("}")[2]
        part = issuer.removeprefix(before).removesuffix(after)
        return bool(part) and "/" not in part and issuer == f"{before}{part}{after}"


@dataclass(frozen=True, slots=True)
class OwnIssuer:
    """An issuer that a tenant brought along: its address, and what it knows the tenant by.

    It is not trusted to be what it says: its address may lead anywhere.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)


#: By its name, or one of a tenant's own.
Way = str | OwnIssuer


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that is under way.

    Attributes:
        address: where the browser goes.
        remembered: what :meth:`IdentityProvider.complete` needs again. It is for nobody else, the
            browser that went away excepted, which keeps it sealed.
    """

    address: str
    remembered: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who somebody is, by the word of an issuer.

    Attributes:
        issuer, subject: together they are one person, for ever; nothing else is.
        email: an address that the issuer has of them; empty for none.
        email_verified: the issuer says that the person reads its mail. False unless it does.
        name: what they are called; empty for nothing.

    Raises:
        IdentityTampered: issuer or subject is empty, or longer than it may be.
    """

    issuer: str
    subject: str
    email: str = ""
    email_verified: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if not (0 < len(self.issuer) <= ISSUER and 0 < len(self.subject) <= SUBJECT):
            raise IdentityTampered("The issuer has no name, or none for whom it vouches for.")


@runtime_checkable
class IdentityProvider(Protocol):
    """Signs in by what an issuer says. Safe to use from any number of tasks."""

    @property
    def ways(self) -> Sequence[SignInWay]:
        """What is offered to everybody, in the order of configuration."""
        ...

    @property
    def takes_own(self) -> bool:
        """Whether it can sign in with issuers of tenants."""
        ...

    async def begin(self, way: Way, callback: str) -> Begun:
        """Begins a sign-in. Nothing is kept of it here.

        Args:
            callback: the address to which the browser comes back.

        Raises:
            NotFound: there is no way of this name.
            IdentityUnavailable: the issuer cannot be reached, or not in time.
            IdentityMisconfigured: it, or what it is known by here, cannot be used.
        """
        ...

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        """Who came back. An answer counts once, and only for what it was begun with.

        Args:
            begun: what :meth:`begin` made for this very browser.
            answer: the query with which it came back.

        Raises:
            IdentityRefused: the issuer does not say who it is: the person declined, or the answer
                was used or is too old.
            IdentityTampered: the answer, or what the issuer says, is not what it has to be.
            IdentityUnavailable, IdentityMisconfigured, NotFound: as for :meth:`begin`.
        """
        ...

    async def examine(self, way: Way) -> None:
        """Looks whether a way could be used now.

        Raises:
            IdentityUnavailable, IdentityMisconfigured, NotFound: as for :meth:`begin`.
        """
        ...


def ways_of(providers: Mapping[str, IdentityProvider]) -> dict[str, IdentityProvider]:
    """Who offers each way, by its name, in the order of configuration.

    Raises:
        ConfigurationError: two providers have a way of one name.
    """
    found: dict[str, IdentityProvider] = {}
    for name, provider in providers.items():
        for way in provider.ways:
            if way.name in found:
                raise ConfigurationError(
                    f"Two plugins offer a way to sign in called {way.name!r}; one is {name!r}.",
                    hint="Rename one of them.",
                )
            found[way.name] = provider
    return found
