"""What a tenant lets into its libraries."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import TenantSetting
from mosaic_cms.media.checks import Rules
from mosaic_cms.media.kinds import KINDS
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write
from mosaic_core.settings_problems import nearest

_NAME = "media"


async def read_rules(session: AsyncSession) -> Rules:
    """The rules of the tenant that a session is of."""
    row = await session.get(TenantSetting, _NAME)
    return read_out({} if row is None else row.value)


def read_out(value: dict[str, Any]) -> Rules:
    """Rules from JSON values."""
    kinds = value.get("kinds")
    return Rules(
        None if kinds is None else frozenset(kinds), keep_metadata=bool(value.get("keep_metadata"))
    )


def written_out(rules: Rules) -> dict[str, Any]:
    """Rules as JSON values."""
    kinds = None if rules.kinds is None else sorted(rules.kinds)
    return {"kinds": kinds, "keep_metadata": rules.keep_metadata}


async def write_rules(write: Write, rules: Rules) -> None:
    """Puts rules in the place of those before.

    Raises:
        InvalidInput: there is no such kind.
    """
    for name in sorted(rules.kinds or ()):
        if name not in KINDS:
            raise InvalidInput(f"There is no kind of file {name!r}{nearest(name, KINDS)}")
    value = written_out(rules)
    row = await write.session.get(TenantSetting, _NAME)
    if row is None:
        write.session.add(TenantSetting(name=_NAME, value=value))
    else:
        row.value = value
