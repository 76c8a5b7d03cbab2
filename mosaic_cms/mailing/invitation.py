"""The letter that invites somebody to a tenant."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mosaic_cms.identity.roles import Roles
from mosaic_cms.identity.tables import Invitation
from mosaic_cms.mailing.letters import Letter, Render
from mosaic_cms.scope import PlatformScope
from mosaic_core.mail import one_line

KIND = "invitation"
#: For what the token counts.
PURPOSE = "invitation"
#: Characters of a name that somebody chose.
_NAME = 100


def about(invitation: Invitation) -> dict[str, Any]:
    """What the message says; the token is not in it."""
    return {"to": invitation.email, "invitation": str(invitation.id)}


async def compose(scope: PlatformScope, about: Mapping[str, Any], render: Render) -> Letter | None:
    """Who invites to what, and the link by which it is accepted."""
    platform, identity = scope.product.platform, scope.product.identity
    async with identity.store.session() as session:
        row = await session.get(Invitation, uuid.UUID(about["invitation"]))
    if row is None or row.expires_at <= datetime.now(UTC):  # revoked, replaced or too late
        return None
    tenant = platform.directory.tenant(row.tenant_id)
    if tenant is None:
        return None
    token = identity.secrets.token(PURPOSE, str(row.id))
    origin = platform.origin(platform.settings.platform.domain)
    who, name = one_line(row.invited_by, _NAME), one_line(tenant.name, _NAME)
    words = {
        "who": who,
        "tenant": name,
        "roles": str(Roles.of(row.role, row.site_roles)),
        "platform": one_line(platform.settings.platform.name, _NAME),
        "link": f"{origin}/account/invitation?token={token}",
        "until": f"{row.expires_at:%Y-%m-%d %H:%M} UTC",
        "to": row.email,
    }
    text, html = render("invitation", words)
    return Letter(row.email, one_line(f"{who} invites you to {name}"), text, html)
