"""Everything about who somebody is, on an open platform."""

from __future__ import annotations

from functools import cached_property

from mosaic_cms.identity.secrets import Secrets, open_secrets
from mosaic_cms.identity.store import IdentityStore
from mosaic_core.platform import Platform


class Identity:
    """Accounts, sessions, memberships, keys and tokens."""

    def __init__(self, platform: Platform) -> None:
        self._settings = platform.settings
        self.store = IdentityStore(platform.directory)

    @cached_property
    def secrets(self) -> Secrets:
        """What the platform's secret is for.

        Raises:
            ConfigurationError: there is no secret, or it can be guessed.
        """
        return open_secrets(self._settings)
