"""The kinds of letters that there are."""

from __future__ import annotations

from collections.abc import Mapping

from mosaic_cms.mailing import accounts, form, invitation
from mosaic_cms.mailing.letters import Compose

KINDS: Mapping[str, Compose] = {
    form.KIND: form.compose,
    invitation.KIND: invitation.compose,
    **accounts.KINDS,
}
