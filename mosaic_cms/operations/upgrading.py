"""Bringing the blocks of a tenant forward to the versions of their types."""

from __future__ import annotations

from sqlalchemy import func, select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.upgrading import KINDS, outdated, upgrade
from mosaic_cms.operations.page_views import Notice
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.head import Write

#: Pages or shared blocks that are looked at together, and changed in one write.
_BATCH = 50


class UpgradeBlocks(Model):
    """All of the tenant."""


class Upgraded(Model):
    """How many pages and shared blocks had older blocks, and what could not be brought forward."""

    changed: int
    left: list[Notice]


@action("blocks.upgrade", needs=Permission("update", "settings"), http="POST /blocks/upgrade")
async def upgrade_blocks(scope: TenantScope, command: UpgradeBlocks) -> Upgraded:
    """Brings stored blocks forward to what their types are now. Nothing looks different to
    visitors; versions of pages stay as they are."""
    types, changed, left = scope.product.blocks, 0, list[Notice]()
    for kind, _ in KINDS:
        after, seen = None, 0
        async with scope.read() as session:
            total = await session.scalar(select(func.count()).select_from(kind)) or 0
        while True:
            async with scope.read() as session:
                old, stuck, after = await outdated(session, types, kind, after, _BATCH)
            if after is None:
                break
            left += [
                Notice(where=name, what=f"its {block['type']!r} of version {block['version']}")
                for name, block in stuck
            ]

            async def fn(write: Write, kind: type = kind, old: list = old) -> int:  # type: ignore[type-arg]
                return await upgrade(write, types, kind, old)

            if old:
                changed += await scope.write(fn)
            seen = min(seen + _BATCH, total)
            scope.progress(kind.__tablename__.replace("_", " "), seen, total)
    return Upgraded(changed=changed, left=left)
