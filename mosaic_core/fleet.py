"""All tenants are brought to the code's revision: in waves, several at a time.

First the *canaries*, tenants that somebody named or the one that came last; then one of a hundred;
then all. At the first failures it pauses, so that a migration that does harm does it to few, and
goes on once somebody has looked. What is done is noted tenant by tenant, so a run that was killed
is gone on with by the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mosaic_core.directory import Work
from mosaic_core.directory.rollouts import Paused
from mosaic_core.errors import LeaseTaken, MosaicError, RolloutPaused
from mosaic_core.platform import Platform
from mosaic_core.tenants import TenantContext

CANARY, SOME, ALL = "canaries", "1 %", "all"
#: Stands for all tenants, whose migration is one operator's at a time. No tenant has such an id.
_FLEET = TenantContext("fleet", "the fleet", "All tenants", "")
#: Characters that are kept of why a tenant failed; a driver's error may quote whole rows.
_MOST = 1000
_log = logging.getLogger("mosaic.fleet")

#: Told what goes on, how many of it are done, and of how many.
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Rollout:
    """What became of the tenants that were behind; nothing of one that was deleted meanwhile.

    Attributes:
        migrated: those that are not behind any more.
        failed: why they could not be.
        busy: what else is done to them; they are behind still.
        waiting: that were not tried, since it paused before.
        wave: the last one that was begun.
    """

    migrated: list[TenantContext] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    busy: dict[str, str] = field(default_factory=dict)
    waiting: int = 0
    wave: str = ""

    @property
    def whole(self) -> bool:
        """Whether no tenant is behind."""
        return not (self.failed or self.busy or self.waiting)


async def migrate_fleet(
    platform: Platform,
    one: Callable[[TenantContext, str], Awaitable[None]],
    *,
    actor: str,
    progress: Progress,
    resume: bool = False,
) -> Rollout:
    """Migrates every tenant that is behind.

    Args:
        one: migrates one tenant, which was at a revision.
        resume: goes on although something went wrong before. Tenants that failed are tried again
            at the end, and stop nobody.

    Raises:
        LeaseTaken: somebody else is at it.
        RolloutPaused: something went wrong, and nobody has said to go on.
    """
    history, directory = platform.schema.history, platform.directory
    # With nobody behind, whoever failed before was mended or deleted: that note goes.
    if not (await directory.behind(history) or await directory.rollouts.paused(history.current)):
        return Rollout()
    leases = directory.leases
    async with leases.held(_FLEET, Work.MIGRATION, holder=actor, patient=True):
        paused = await directory.rollouts.paused(history.current)
        behind = await directory.behind(history)
        if paused is not None and behind and not resume:
            raise _paused(platform, paused)
        known = paused.failures if paused else {}
        done = await _Run(platform, one, progress, known).run(behind)
        if done.failed:
            await directory.rollouts.pause(history.current, done.wave, done.failed, actor=actor)
        elif paused is not None:
            await directory.rollouts.end()
    return done


class _Run:
    """One run through the waves."""

    def __init__(
        self,
        platform: Platform,
        one: Callable[[TenantContext, str], Awaitable[None]],
        progress: Progress,
        known: Mapping[str, str],
    ) -> None:
        self._directory = platform.directory
        self._settings = platform.settings.migrate
        self._one = one
        self._progress = progress
        #: Tenants that failed before.
        self._known = known
        self._done = Rollout()

    async def run(self, behind: Sequence[tuple[TenantContext, str]]) -> Rollout:
        fresh = [(t, at) for t, at in behind if t.tenant_id not in self._known]
        again = [(t, at) for t, at in behind if t.tenant_id in self._known]
        left = len(behind)
        for wave, tenants in self._waves(fresh):
            self._done.wave = wave
            left -= await self._take(wave, tenants, most=self._settings.failures)
            if len(self._done.failed) >= self._settings.failures:
                self._done.failed = {**self._known, **self._done.failed}
                self._done.waiting = left - len(again)
                return self._done
        await self._take("again", again, most=len(again) + 1)
        return self._done

    def _waves(
        self, behind: list[tuple[TenantContext, str]]
    ) -> Iterator[tuple[str, list[tuple[TenantContext, str]]]]:
        named = set(self._settings.canaries)
        canaries = [one for one in behind if one[0].slug in named] or behind[-1:]
        first = {tenant.tenant_id for tenant, _ in canaries}
        others = [one for one in behind if one[0].tenant_id not in first]
        some = others[::100]  # from all ages
        taken = {tenant.tenant_id for tenant, _ in some}
        rest = [one for one in others if one[0].tenant_id not in taken]
        for wave, tenants in ((CANARY, canaries), (SOME, some), (ALL, rest)):
            if tenants:
                yield wave, tenants

    async def _take(
        self, wave: str, tenants: Sequence[tuple[TenantContext, str]], *, most: int
    ) -> int:
        """Migrates some tenants, several at a time, until so many failed; returns how many were
        tried."""
        waiting, tried = iter(tenants), 0
        before = len(self._done.failed)

        async def work() -> None:
            nonlocal tried
            while len(self._done.failed) - before < most:
                following = next(waiting, None)
                if following is None:
                    return
                await self._migrate(*following)
                tried += 1
                self._progress(wave, tried, len(tenants))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.concurrency, len(tenants))):
                group.create_task(work())
        return tried

    async def _migrate(self, tenant: TenantContext, at: str) -> None:
        try:
            await self._one(tenant, at)
        except LeaseTaken as error:
            self._done.busy[tenant.tenant_id] = error.message
        except MosaicError as error:
            await self._fail(tenant, str(error))
        except Exception as error:  # noqa: BLE001 - it is one tenant's, and the others' may be well
            _log.exception("the migration of %s failed", tenant.slug)
            await self._fail(tenant, f"{type(error).__name__}: {error}")
        else:
            self._done.migrated.append(tenant)

    async def _fail(self, tenant: TenantContext, why: str) -> None:
        """Notes what went wrong, unless the tenant was deleted meanwhile."""
        await self._directory.refresh(now=True)
        if self._directory.tenant(tenant.tenant_id) is not None:
            self._done.failed[tenant.tenant_id] = why if len(why) <= _MOST else f"{why[:_MOST]}…"


async def correct_revisions(platform: Platform, progress: Progress, *, actor: str) -> list[str]:
    """Reads every tenant's own revision, and notes it where something else was noted.

    Returns:
        What was found, in words: what was noted wrong, and what could not be read.
    """
    directory, found = platform.directory, list[str]()
    noted = await directory.revisions()
    waiting, done = iter(noted), 0

    async def work() -> None:
        nonlocal done
        for tenant, revision in waiting:
            try:
                read = await platform.persistence(tenant).revision(tenant)
                own = platform.schema.history.own(read)
                if own != revision:
                    found.append(f"{tenant.slug} is at {own}; {revision} was noted.")
                    await directory.change(
                        tenant.tenant_id, actor=actor, action="schema.verify", revision=own
                    )
            except MosaicError as error:
                found.append(f"{tenant.slug}: {error}")
            done += 1
            progress("revisions", done, len(noted))

    async with asyncio.TaskGroup() as group:
        for _ in range(platform.settings.migrate.concurrency):
            group.create_task(work())
    return sorted(found)


def _paused(platform: Platform, paused: Paused) -> RolloutPaused:
    names = [
        f"{tenant.slug if tenant else tenant_id}: {why}"
        for tenant_id, why in paused.failures.items()
        for tenant in [platform.directory.tenant(tenant_id)]
    ]
    return RolloutPaused(
        f"The migration is paused since {paused.at:%Y-%m-%d %H:%M} UTC, in the wave "
        f"{paused.wave!r}: {len(names)} tenants failed.\n  " + "\n  ".join(names),
        hint="Mend what is named, then run 'mosaic migrate --resume': others come first, those "
        "that failed at the end.",
    )
