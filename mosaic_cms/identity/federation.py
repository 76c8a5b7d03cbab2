"""Signing in by an issuer's word: a browser goes there, and comes back with it.

What is needed again is sealed into a cookie of that browser, for ten minutes. So nothing is kept of
sign-ins that nobody ends, and nobody's browser can be brought to end one that somebody else began:
it would sign them in to that person's account. Each counts once, whatever comes of it.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from mosaic_cms.identity.account_rows import email_key, own
from mosaic_cms.identity.linking import Known, account_of, is_linked, link
from mosaic_cms.identity.lockout import Allowance, Window, once, too_many
from mosaic_cms.identity.secrets import Secrets
from mosaic_cms.identity.sessions import Started
from mosaic_cms.identity.sign_in import Pending, SignIn
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import Account
from mosaic_cms.identity.ways import Chosen, Ways
from mosaic_cms.networks import neighbourhood
from mosaic_cms.scope import Actor
from mosaic_core.errors import (
    ConfigurationError,
    Denied,
    InvalidInput,
    InvalidMail,
    Unauthenticated,
)
from mosaic_core.head import Write
from mosaic_core.identity import Begun, Vouched
from mosaic_core.mail import check_address

#: Seconds that somebody has at the issuer.
PATIENCE = 600
_KIND = "sign-in by an issuer"
#: A path of the platform's own host. A browser takes a backslash for a slash, and leaves out what
#: is no character.
_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_INSTEAD = ", or sign in with a password"
_FROM_NETWORK = Allowance(Window("sign-ins by issuers from", 60, timedelta(minutes=15)))


@dataclass(frozen=True, slots=True)
class Away:
    """A browser that is sent away.

    Attributes:
        address: where to.
        cookie: what it brings back, sealed.
    """

    address: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Back:
    """A browser that came back: signed in, done with the first of two steps, or linked (None)."""

    outcome: tuple[Account, Started] | Pending | None
    return_to: str


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What is in the cookie. ``account`` is who links, and does not sign in."""

    id: str
    until: int
    way: str
    told: Mapping[str, str]
    return_to: str
    remember: bool
    account: str | None
    kind: str = _KIND


class Federation:
    """Begins and ends sign-ins.

    Args:
        sign_up: whether anybody gets an account who has none.
    """

    def __init__(
        self,
        store: IdentityStore,
        secrets: Secrets,
        sign_in: SignIn,
        ways: Ways,
        *,
        sign_up: bool,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._sign_in = sign_in
        self._ways = ways
        self._sign_up = sign_up

    async def begin(
        self,
        way: str,
        *,
        return_to: str = "/",
        remember: bool = False,
        account_id: uuid.UUID | None = None,
    ) -> Away:
        """Sends a browser to an issuer.

        Args:
            way: a name, or ``sso/`` and a tenant's slug.
            return_to: the path to which it gets in the end.
            account_id: the account that is to be linked; None to sign in.

        Raises:
            NotFound: there is no such way.
            InvalidInput: ``return_to`` leads somewhere else.
            IdentityError: the issuer cannot be used now.
        """
        if own_path(return_to) is None:
            raise InvalidInput(
                "What to return to is no path of this host.",
                hint="Write it as in '/account/'.",
                problems=(("return_to", "It is no path of this host"),),
            )
        chosen = await self._ways.find(way)
        begun = await chosen.provider.begin(chosen.way, chosen.callback)
        remembered = _Remembered(
            id=uuid.uuid4().hex,
            until=int(time.time()) + PATIENCE,
            way=way,
            told=dict(begun.remembered),
            return_to=return_to,
            remember=remember,
            account=None if account_id is None else account_id.hex,
        )
        sealed = self._secrets.seal(json.dumps(asdict(remembered)).encode())
        return Away(begun.address, sealed.decode("ascii"))

    async def complete(
        self, way: str, cookie: str, answer: Mapping[str, str], asker: Actor
    ) -> Back:
        """Ends the sign-in that a browser came back from.

        Args:
            cookie: what :meth:`begin` gave it.
            answer: the query with which it came.

        Raises:
            Unauthenticated: it was not begun in this browser, or too long ago, or has ended.
            Denied: who it is may not sign in, or nobody can say who it is.
            IdentityError: the issuer does not say who it is.
            TooManyRequests: this network tries too often.
        """
        remembered = self._opened(cookie)
        if remembered is None or remembered.way != way:
            raise _not_begun()
        if remembered.account is not None and remembered.account != _account_of(asker):
            raise Unauthenticated(
                "You are not signed in any more as who wanted to link this.",
                hint="Sign in, and begin again.",
            )
        await self._use_up(remembered, asker)
        chosen = await self._ways.find(way)
        who = await chosen.provider.complete(chosen.way, Begun("", remembered.told), answer)
        if remembered.account is not None:
            await self._link(uuid.UUID(remembered.account), chosen, who, asker)
            return Back(None, remembered.return_to)
        # Who is known needs no address, and no domain that is still the tenant's.
        known = Known(
            who, "" if await is_linked(self._store, who) else await self._email(chosen, who)
        )

        async def fn(write: Write) -> tuple[Account, Started] | Pending:
            account = await account_of(write, known, sign_up=self._sign_up)
            await _FROM_NETWORK.give_back(write, neighbourhood(asker.address))
            return await self._sign_in.vouched(
                write,
                account,
                trusted=chosen.second_factor,
                remembered=remembered.remember,
                asker=asker,
            )

        kept = asker.session is not None
        outcome = await self._store.write(fn, actor=asker, action="sign_in.complete", kept=kept)
        return Back(outcome, remembered.return_to)

    async def _use_up(self, remembered: _Remembered, asker: Actor) -> None:
        """Before the issuer is asked: of any number of tries at one time, one goes on."""
        network = neighbourhood(asker.address)
        async with self._store.session() as session:  # a flood is refused without a write
            if wait := await _FROM_NETWORK.wait(session, network, datetime.now(UTC)):
                raise too_many(wait, _INSTEAD)

        async def fn(write: Write) -> None:
            if wait := await _FROM_NETWORK.take(write, network):
                raise too_many(wait, _INSTEAD)
            until = datetime.fromtimestamp(remembered.until, UTC)
            if not await once(write, f"{_KIND} {remembered.id}", until):
                raise _not_begun()

        await self._store.write(fn, actor="system", action="attempts.count", kept=False)

    async def _link(
        self, account_id: uuid.UUID, chosen: Chosen, who: Vouched, asker: Actor
    ) -> None:
        known = Known(who, await self._email(chosen, who))

        async def fn(write: Write) -> None:
            account, _ = await own(write.session, account_id)
            # An issuer that somebody else set up gets no say over an account but by its address.
            if chosen.tenant_id is not None and (
                not known.email or email_key(known.email) != account.email_key
            ):
                raise Denied(
                    "This issuer vouches for other addresses than your account's.",
                    hint="Change the address of your account first.",
                )
            await link(write, account, known)
            await _FROM_NETWORK.give_back(write, neighbourhood(asker.address))

        await self._store.write(fn, actor=asker, action="identities.add", kept=False)

    async def _email(self, chosen: Chosen, who: Vouched) -> str:
        """An address as far as it counts as the person's; of a tenant's issuer, only below domains
        that the tenant has proven. Empty if it does not count."""
        if not who.email or not who.email_verified:
            return ""
        try:
            address = check_address(who.email)
        except InvalidMail:
            return ""
        host = address.rpartition("@")[2]
        return address if await self._ways.vouches(chosen, host) else ""

    def _opened(self, cookie: str) -> _Remembered | None:
        try:
            found = json.loads(self._secrets.unseal(cookie.encode("ascii", "replace")))
            remembered = _Remembered(**found)
        except (ConfigurationError, ValueError, TypeError):
            return None  # it is nobody's, or of before the secret was changed
        if remembered.kind != _KIND or remembered.until <= time.time():
            return None
        return remembered


def own_path(text: str) -> str | None:
    """A path of the platform's own host, to which a browser may be sent; None for anything else."""
    return text if len(text) <= 500 and _PATH.fullmatch(text) else None


def _account_of(asker: Actor) -> str | None:
    """The account that is signed in in this browser, as the cookie has it."""
    if asker.kind != "account" or asker.session is None:
        return None
    return uuid.UUID(asker.name).hex


def _not_begun() -> Unauthenticated:
    return Unauthenticated(
        "This sign-in was not begun in this browser, has ended, or took too long.",
        hint="Begin again.",
    )
