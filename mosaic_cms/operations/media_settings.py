"""What a tenant lets into its libraries, how much is in them, and how much of it is served."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Select, func, select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.conflicts import Revision, revision_of, settled
from mosaic_cms.content.models import Media, MediaUpload, MediaVersion
from mosaic_cms.media.checks import Rules
from mosaic_cms.media.kinds import KINDS
from mosaic_cms.media.settings import read_out, read_rules, write_rules, written_out
from mosaic_cms.media.sweep import sweep
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_cms.traffic import BANDWIDTH
from mosaic_core.head import Write

_ADVICE = (
    "What the {} tier serves in a month is used up, and pages and files go out slowly until the "
    "next one begins. Move to a higher tier to have them go out as before."
)


class MediaSettings(Model):
    """What a tenant lets in.

    Attributes:
        kinds: of files, such as jpeg or pdf; None is all there are.
        keep_metadata: what cameras noted stays in pictures: where they were taken, and with what.
    """

    kinds: tuple[str, ...] | None = None
    keep_metadata: bool = False


class SetMediaSettings(MediaSettings):
    """The same, in place of what it is. ``based_on`` is the revision that was changed; it has to be
    said, here or with If-Match."""

    based_on: Revision | None = None


class MediaSettingsView(MediaSettings):
    """The same, with all the kinds there are, and what a change says it is based on."""

    known: tuple[str, ...]
    revision: str


class OfTenant(Model):
    """No input."""


class SweptMedia(Model):
    """What was cleared away: uploads that never ended, files whose time in the bin is over,
    objects that nothing knew of, and bytes of the latter."""

    uploads: int
    files: int
    objects: int
    bytes: int


class UsageView(Model):
    """What a tenant has stored and serves, in bytes; a limit of None is none.

    Attributes:
        stored: all objects, and what uploads have announced.
        files: how many there are in the libraries; ``binned`` in their bins.
        originals: bytes of these; ``versions`` of the contents that they had before and have no
            more, each once.
        uploads: how many are on their way.
        served: bytes of pages and files in this month, to the last few seconds.
        throttled: that is more than the tier includes, and they go out slowly until the month ends.
        advice: what to do about that; empty while there is nothing to do.
    """

    stored: int
    stored_limit: int | None
    file_limit: int | None
    files: int
    binned: int
    originals: int
    versions: int
    uploads: int
    month: str
    served: int
    served_limit: int | None
    throttled: bool
    advice: str


@action(
    "media.settings", needs=Permission("read", "media"), effect="read", http="GET /media/settings"
)
async def show_settings(scope: TenantScope, command: OfTenant) -> MediaSettingsView:
    """What the tenant lets into its libraries."""
    async with scope.read() as session:
        return _settings(await read_rules(session))


@action("media.configure", needs=Permission("update", "settings"), http="PUT /media/settings")
async def configure(scope: TenantScope, command: SetMediaSettings) -> MediaSettingsView:
    """Decides what the tenant lets into its libraries from now on."""
    kinds = None if command.kinds is None else frozenset(command.kinds)
    given = written_out(Rules(kinds, keep_metadata=command.keep_metadata))

    async def fn(write: Write) -> MediaSettingsView:
        what, now = "what is let in", written_out(await read_rules(write.session))
        based_on = scope.base(command.based_on, revision_of(now), what)
        rules = read_out(now | settled(what, now, given, based_on))
        await write_rules(write, rules)
        return _settings(rules)

    return await scope.write(fn)


@action("media.usage", needs=Permission("read", "media"), effect="read", http="GET /media/usage")
async def show_usage(scope: TenantScope, command: OfTenant) -> UsageView:
    """How much the tenant has stored, and how much it serves."""
    stored = await scope.product.platform.storage(scope.tenant).usage(scope.tenant)
    async with scope.read() as session:
        count = select(func.count(), func.coalesce(func.sum(Media.size), 0))
        files, originals = (await session.execute(count.where(Media.binned_at.is_(None)))).one()
        binned, in_bin = (await session.execute(count.where(Media.binned_at.is_not(None)))).one()
        versions = await session.scalar(_of_versions())
        uploads = await session.scalar(select(func.count()).select_from(MediaUpload))
    limits = scope.limits
    served = await scope.product.ledger.used(scope.tenant.tenant_id, BANDWIDTH)
    throttled = limits.is_throttled(served)
    return UsageView(
        stored=stored,
        stored_limit=limits.files,
        file_limit=limits.file,
        files=files,
        binned=binned,
        originals=originals + in_bin,
        versions=versions or 0,
        uploads=uploads or 0,
        month=f"{datetime.now(UTC):%Y-%m}",
        served=served,
        served_limit=limits.bandwidth_per_month,
        throttled=throttled,
        advice=_ADVICE.format(scope.tenant.tier) if throttled else "",
    )


@action(
    "media.sweep",
    needs=Permission("update", "settings"),
    http="POST /media/sweep",
    seconds=3600,
)
async def sweep_media(scope: TenantScope, command: OfTenant) -> SweptMedia:
    """Clears away what nobody waits for any more; it happens by itself when something is due."""
    found = await sweep(scope, datetime.now(UTC))
    return SweptMedia(
        uploads=found.uploads, files=found.binned, objects=found.objects, bytes=found.bytes
    )


def _of_versions() -> Select[tuple[int]]:
    """The bytes of objects that only versions have: a content that was brought back has one with
    the file, and one that came and went has one with another version."""
    shown = select(Media.key)
    query = select(MediaVersion.key, MediaVersion.size).where(MediaVersion.key.not_in(shown))
    each = query.distinct().subquery()
    return select(func.coalesce(func.sum(each.c.size), 0))


def _settings(rules: Rules) -> MediaSettingsView:
    told = written_out(rules)
    return MediaSettingsView(**told, known=tuple(sorted(KINDS)), revision=revision_of(told))
