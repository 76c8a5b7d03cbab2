"""Everything about who somebody is, on an open platform."""

from __future__ import annotations

from functools import cached_property

from mosaic_cms.identity.account_admin import AccountAdmin
from mosaic_cms.identity.accounts import Accounts
from mosaic_cms.identity.lockout import Lockout
from mosaic_cms.identity.passkeys import Passkeys
from mosaic_cms.identity.passwords import Passwords
from mosaic_cms.identity.second_factor import SecondFactor
from mosaic_cms.identity.secrets import Secrets, open_secrets
from mosaic_cms.identity.sessions import Sessions
from mosaic_cms.identity.sign_in import SignIn
from mosaic_cms.identity.store import IdentityStore
from mosaic_core.platform import Platform


class Identity:
    """Accounts, sessions, memberships, keys and tokens. Each part is made when it is needed."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._settings = platform.settings
        self.store = IdentityStore(platform.directory)

    @cached_property
    def secrets(self) -> Secrets:
        """What the platform's secret is for.

        Raises:
            ConfigurationError: there is no secret, or it can be guessed.
        """
        return open_secrets(self._settings)

    @cached_property
    def passwords(self) -> Passwords:
        return Passwords()

    @cached_property
    def lockout(self) -> Lockout:
        return Lockout(self.store)

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(self.store, self.secrets, self._settings.identity)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(self.store, self.secrets, self.passwords, self.lockout, self.sessions)

    @cached_property
    def account_admin(self) -> AccountAdmin:
        return AccountAdmin(self.store, self.secrets, self.sessions)

    @cached_property
    def second_factor(self) -> SecondFactor:
        return SecondFactor(self.store, self.secrets, self._settings.platform.name)

    @cached_property
    def sign_in(self) -> SignIn:
        return SignIn(
            self.store,
            self.secrets,
            self.passwords,
            self.lockout,
            self.sessions,
            self.second_factor,
        )

    @cached_property
    def passkeys(self) -> Passkeys:
        domain = self._settings.platform.domain
        return Passkeys(
            self.store,
            self.secrets,
            self.sessions,
            domain=domain,
            origin=self._platform.origin(domain),
            name=self._settings.platform.name,
        )
