"""Slows down who guesses, without letting them lock anybody out.

Three things are counted for each try, and a right one is taken back:

- of an account from one network: after five in a row, each further one waits twice as long, up to
  a quarter of an hour. Who guesses gets a hundred tries a day.
- of all accounts from one network: who tries the same few passwords on many accounts waits.
- of an account from everywhere: many machines together get three hundred tries a day.

The last two are for strangers only. From a network where the owner of the account signed in
before, nothing but the first one counts: whatever somebody does elsewhere, the owner gets in from
where they usually are. From anywhere else they get in with a link by mail, which makes that network
one of theirs. A try that has to wait is not counted, so waiting ends, and a flood writes nothing.

Accounts are told apart by their address, whether or not there is an account: nobody learns from a
wait which addresses are known here.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tables import Attempts
from mosaic_cms.networks import neighbourhood
from mosaic_core.errors import TooManyRequests
from mosaic_core.head import Write

#: Tries in a row of one account from one network that need not wait, the seconds after the next
#: one, and those that it never takes longer than.
FREE, _FIRST_WAIT, _LONGEST_WAIT = 5, 30, 900
#: For how long tries in a row are remembered after the last one.
_ROW = timedelta(days=1)
#: For how long a network stays one where the owner signed in.
_KNOWN = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Window:
    """So many in such a time, counted from the first one."""

    name: str
    most: int
    lasts: timedelta


FROM_NETWORK = Window("network", 50, timedelta(minutes=15))
OF_ACCOUNT = Window("account", 300, timedelta(days=1))


class Lockout:
    """Counts tries in the table ``attempts``.

    Args:
        network, account: what strangers have, from one network and at one account.
    """

    def __init__(
        self, store: IdentityStore, network: Window = FROM_NETWORK, account: Window = OF_ACCOUNT
    ) -> None:
        self._store = store
        self._network = network
        self._account = account

    async def attempt(self, account: str, address: str) -> None:
        """Counts a try as one that failed, until :meth:`succeeded` says otherwise: so those that
        are made at one time are counted before any is looked at.

        Args:
            account: what is guessed at, such as an address in the form of ``email_key``.
            address: from where on the network.

        Raises:
            TooManyRequests: it has to wait.
        """
        network = neighbourhood(address)
        async with self._store.session() as session:  # a flood is refused without a write
            await self._require_patience(session, account, network, datetime.now(UTC))

        async def fn(write: Write) -> None:
            await self._require_patience(write.session, account, network, write.at)
            await forget_old(write)
            await _count(write, _key("row", account, network), write.at + _ROW, extend=True)
            if not await _is_known(write.session, account, network, write.at):
                for window, of in self._windows(account, network):
                    await _count(write, _key(window.name, of), write.at + window.lasts)

        await self._store.write(fn, actor="system", action="attempts.count", kept=False)

    async def succeeded(self, write: Write, account: str, address: str) -> None:
        """Takes back a try in the write that signs in; its network is one of the owner's."""
        network = neighbourhood(address)
        if not await _is_known(write.session, account, network, write.at):
            for window, of in self._windows(account, network):
                await Allowance(window).give_back(write, of)
        await self.admit(write, account, address)

    async def admit(self, write: Write, account: str, address: str) -> None:
        """Remembers that the owner of an account was in a network, and forgets who tried there."""
        network = neighbourhood(address)
        row = await write.session.get(Attempts, _key("row", account, network))
        if row is not None:
            await write.session.delete(row)
        key, until = _key("known", account, network), write.at + _KNOWN
        known = await write.session.get(Attempts, key)
        if known is None:
            write.session.add(Attempts(key=key, failures=0, until=until))
        elif until - known.until > timedelta(days=1):
            known.until = until

    async def _require_patience(
        self, session: AsyncSession, account: str, network: str, now: datetime
    ) -> None:
        row = await session.get(Attempts, _key("row", account, network))
        if row is not None and row.failures >= FREE and row.until > now:
            wait = min(_FIRST_WAIT * 2 ** min(row.failures - FREE, 10), _LONGEST_WAIT)
            left = (row.until - _ROW) + timedelta(seconds=wait) - now
            if left > timedelta(0):
                raise too_many(_seconds(left))
        if await _is_known(session, account, network, now):
            return
        for window, of in self._windows(account, network):
            row = await session.get(Attempts, _key(window.name, of))
            if row is not None and row.failures >= window.most and row.until > now:
                raise too_many(_seconds(row.until - now))

    def _windows(self, account: str, network: str) -> tuple[tuple[Window, str], ...]:
        return (self._network, network), (self._account, account)


class Allowance:
    """So many of something in a while, such as mails to one address; each counts."""

    def __init__(self, window: Window) -> None:
        self._window = window

    async def wait(self, session: AsyncSession, of: str, now: datetime) -> int:
        """The seconds until there is one, and 0 when there is."""
        row = await session.get(Attempts, _key(self._window.name, of))
        if row is not None and row.until > now and row.failures >= self._window.most:
            return _seconds(row.until - now)
        return 0

    async def take(self, write: Write, of: str) -> int:
        """Takes one, in a write; the seconds to wait when there is none, and else 0."""
        if wait := await self.wait(write.session, of, write.at):
            return wait
        await forget_old(write)
        await _count(write, _key(self._window.name, of), write.at + self._window.lasts)
        return 0

    async def give_back(self, write: Write, of: str) -> None:
        """Has one that was taken not count, in a write: it was no misuse."""
        row = await write.session.get(Attempts, _key(self._window.name, of))
        if row is not None and row.failures > 0:
            row.failures -= 1


async def once(write: Write, what: str, until: datetime) -> bool:
    """Whether something, such as a challenge, comes for the first time; it counts no more."""
    key = _key("once", what)
    if await write.session.get(Attempts, key) is not None:
        return False
    write.session.add(Attempts(key=key, failures=0, until=until))
    return True


def too_many(seconds: int, instead: str = ", or ask for a new password by mail") -> TooManyRequests:
    """The error for who has to wait.

    Args:
        instead: what else helps.
    """
    return TooManyRequests(
        "There were too many tries.",
        hint=f"Try again in {seconds} s{instead}.",
        retry_after=seconds,
    )


async def forget_old(write: Write) -> None:
    """Removes what is to be remembered no more."""
    await write.session.execute(delete(Attempts).where(Attempts.until <= write.at))


async def _is_known(session: AsyncSession, account: str, network: str, now: datetime) -> bool:
    row = await session.get(Attempts, _key("known", account, network))
    return row is not None and row.until > now


async def _count(write: Write, key: bytes, until: datetime, *, extend: bool = False) -> None:
    row = await write.session.get(Attempts, key)
    if row is None:
        write.session.add(Attempts(key=key, failures=1, until=until))
        return
    row.failures += 1
    if extend:
        row.until = until


def _key(*parts: str) -> bytes:
    """The table has no addresses, of mailboxes or of networks."""
    told = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(told).digest()


def _seconds(left: timedelta) -> int:
    return max(1, math.ceil(left.total_seconds()))
