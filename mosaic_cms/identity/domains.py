"""Domains that tenants say are theirs, and the proof: a record that only their owner can make.

A proof is a text at ``_mosaic-challenge.<domain>``. It is looked for when somebody asks for that;
what leads to a site goes on doing so until it is taken back. Where a proof lets an issuer vouch for
addresses, it is looked for again when it was not seen for a day: a domain that was sold, or given
up, lets nobody in.
"""

from __future__ import annotations

import re
import secrets as random
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.dns import Records
from mosaic_cms.identity.federation_tables import DomainProof
from mosaic_cms.identity.recorded import record
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.scope import Actor
from mosaic_core.directory import (
    DomainRow,
    give_domain,
    require_foreign,
    require_free,
    take_domain,
)
from mosaic_core.errors import Conflict, InvalidHost, InvalidInput, NotFound
from mosaic_core.head import Write
from mosaic_core.resolution import normalise_host

#: Where the record is, below the domain.
LABEL = "_mosaic-challenge"
#: Domains of one tenant.
_MOST = 100
#: For how long a proof is believed that lets an issuer vouch.
_SEEN = timedelta(days=1)
#: Letters, digits and hyphens (RFC 1123, 2.1); the last label is no number.
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?!\d+$)[a-z0-9-]+")


def check_domain(text: str) -> str:
    """A domain in its one form (see ``normalise_host``).

    Raises:
        InvalidInput: it is none of those that somebody can own.
    """
    try:
        name = "" if ":" in text or "[" in text else normalise_host(text)
    except InvalidHost:
        name = ""
    if not _NAME.fullmatch(name) or len(f"{LABEL}.{name}") > 253:
        raise InvalidInput(
            f"{text[:80]!r} is no domain.",
            hint="Write it as in 'www.example.com'.",
            problems=(("domain", "It is no domain"),),
        )
    return name


class Domains:
    """Adds, proves and removes domains."""

    def __init__(self, store: IdentityStore, records: Records) -> None:
        self._store = store
        self._records = records
        self._platform_domain = store.directory.platform_domain

    async def add(
        self, tenant_id: str, domain: str, *, serves: bool, site: str | None, asker: Actor
    ) -> DomainProof:
        """Notes that a tenant says a domain is its own. One that is noted already keeps its token;
        what it is for is what is said now, from the next proof on.

        Args:
            serves: it is to lead to a site, which ``site`` names by its key.

        Raises:
            InvalidInput: it is no domain.
            Conflict: it is the platform's, leads to another tenant's site, or is one too many.
        """
        name = check_domain(domain)
        require_foreign(name, self._platform_domain)

        async def fn(write: Write) -> DomainProof:
            if serves:
                await require_free(write, tenant_id, name)
            row = await write.session.get(DomainProof, (tenant_id, name))
            if row is None:
                await _require_room(write.session, tenant_id)
                row = DomainProof(
                    tenant_id=tenant_id,
                    domain=name,
                    token=random.token_urlsafe(24),
                    created_at=write.at,
                    proven_at=None,
                    seen_at=None,
                )
                write.session.add(row)
            row.serves, row.site = serves, site
            await record(write, tenant_id, f"the domain {name} named", asker.address)
            return row

        return await self._store.write(fn, actor=asker, action="domains.add", kept=False)

    async def of(self, tenant_id: str) -> tuple[list[DomainProof], set[str]]:
        """A tenant's domains by name, and those that lead to its sites: also what was given to it
        without a proof, by those who run the installation."""
        async with self._store.session() as session:
            proofs = select(DomainProof).where(DomainProof.tenant_id == tenant_id)
            rows = list(await session.scalars(proofs.order_by(DomainProof.domain)))
            active = select(DomainRow.host).where(
                DomainRow.tenant_id == tenant_id, DomainRow.active
            )
            return rows, set(await session.scalars(active))

    async def find(self, tenant_id: str, domain: str) -> DomainProof:
        """A domain that a tenant says is its own.

        Raises:
            NotFound: it does not.
        """
        name = check_domain(domain)
        async with self._store.session() as session:
            return await _require(session, tenant_id, name)

    async def verify(self, tenant_id: str, domain: str, asker: Actor) -> DomainProof:
        """Looks for the record, and has the domain lead to its site when it is there; or to none,
        when it is named for its addresses alone.

        Raises:
            NotFound: the tenant has not said that it is its own.
            Conflict: the record is not there, or nobody can say; or the domain leads elsewhere.
        """
        known = await self.find(tenant_id, domain)
        name, token = known.domain, known.token
        found = await self._records.texts(f"{LABEL}.{name}")
        if token not in found:
            what = f"{len(found)} others" if found else "nothing"
            raise Conflict(
                f"The record of {name} is not there: {LABEL}.{name} says {what}.",
                hint=f"Set a TXT record there that says {token}; it may take a while to be seen.",
            )

        async def fn(write: Write) -> DomainProof:
            row = await _require(write.session, tenant_id, name)
            if row.token != token:
                raise Conflict(f"{name} was named anew meanwhile.", hint="Look for it again.")
            if row.serves:
                await give_domain(write, tenant_id, name, row.site)
            else:
                await take_domain(write, tenant_id, name)
            row.proven_at, row.seen_at = row.proven_at or write.at, write.at
            await record(write, tenant_id, f"the domain {name} proven", asker.address)
            return row

        return await self._store.write(fn, actor=asker, action="domains.verify", kept=False)

    async def remove(self, tenant_id: str, domain: str, asker: Actor) -> str:
        """Has a domain be the tenant's no more; its name.

        Raises:
            NotFound: it is not the tenant's.
        """
        name = check_domain(domain)

        async def fn(write: Write) -> None:
            row = await write.session.get(DomainProof, (tenant_id, name))
            if row is not None:
                await write.session.delete(row)
            if not await take_domain(write, tenant_id, name) and row is None:
                raise _unknown(name)
            await record(write, tenant_id, f"the domain {name} removed", asker.address)

        await self._store.write(fn, actor=asker, action="domains.remove", kept=False)
        return name

    async def proven(self, tenant_id: str) -> set[str]:
        """The domains that a tenant has proven, as far as was seen."""
        rows, _ = await self.of(tenant_id)
        return {row.domain for row in rows if row.proven_at is not None}

    async def covers(self, tenant_id: str, host: str, domains: Collection[str]) -> bool:
        """Whether a host is one of some domains, or below one, that is proven now.

        Raises:
            Conflict: a proof has to be looked for again, and nobody can say.
        """
        above = [domain for domain in domains if f".{host}".endswith(f".{domain}")]
        for row in await self._rows(tenant_id, above):
            if row.proven_at is None:
                continue
            recent = row.seen_at is not None and datetime.now(UTC) - row.seen_at < _SEEN
            if recent or await self._seen_again(row):
                return True
        return False

    async def _rows(self, tenant_id: str, domains: Sequence[str]) -> list[DomainProof]:
        async with self._store.session() as session:
            query = select(DomainProof).where(DomainProof.tenant_id == tenant_id)
            return list(await session.scalars(query.where(DomainProof.domain.in_(domains))))

    async def _seen_again(self, known: DomainProof) -> bool:
        there = known.token in await self._records.texts(f"{LABEL}.{known.domain}")

        async def fn(write: Write) -> None:
            row = await write.session.get(DomainProof, (known.tenant_id, known.domain))
            if row is None or row.token != known.token:
                return
            if there:
                row.seen_at = write.at
            else:
                row.proven_at = None
                await record(write, row.tenant_id, f"the domain {row.domain} not proven any more")

        await self._store.write(fn, actor="system", action="domains.check", kept=False)
        return there


def _unknown(domain: str) -> NotFound:
    return NotFound(f"{domain} is none of this tenant's domains.", hint="Add it first.")


async def _require(session: AsyncSession, tenant_id: str, domain: str) -> DomainProof:
    row = await session.get(DomainProof, (tenant_id, domain))
    if row is None:
        raise _unknown(domain)
    return row


async def _require_room(session: AsyncSession, tenant_id: str) -> None:
    query = select(func.count()).select_from(DomainProof)
    if (await session.scalar(query.where(DomainProof.tenant_id == tenant_id)) or 0) >= _MOST:
        raise Conflict(f"A tenant has {_MOST} domains at most.", hint="Remove one first.")
