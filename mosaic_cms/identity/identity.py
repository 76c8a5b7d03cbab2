"""Everything about who somebody is, on an open platform."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property

from mosaic_cms.identity.account_admin import AccountAdmin
from mosaic_cms.identity.accounts import Accounts
from mosaic_cms.identity.asked import Asked
from mosaic_cms.identity.bearer import Bearer
from mosaic_cms.identity.dns import NameServers
from mosaic_cms.identity.domains import Domains
from mosaic_cms.identity.federation import Federation
from mosaic_cms.identity.invitations import Invitations
from mosaic_cms.identity.keys import Keys
from mosaic_cms.identity.linking import Links
from mosaic_cms.identity.lockout import Lockout
from mosaic_cms.identity.members import Members
from mosaic_cms.identity.passkeys import Passkeys
from mosaic_cms.identity.passwords import Passwords
from mosaic_cms.identity.principal import Principal
from mosaic_cms.identity.roles import Roles
from mosaic_cms.identity.second_factor import SecondFactor
from mosaic_cms.identity.secrets import Secrets, open_secrets
from mosaic_cms.identity.session_cache import CachedSessions
from mosaic_cms.identity.session_rows import SessionRows
from mosaic_cms.identity.session_store import SessionStore
from mosaic_cms.identity.sessions import Sessions
from mosaic_cms.identity.sign_in import SignIn
from mosaic_cms.identity.signing import SigningKeys
from mosaic_cms.identity.site_ends import forget_site
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.identity.tenant_issuers import TenantIssuers
from mosaic_cms.identity.ways import Ways
from mosaic_cms.scope import Actor
from mosaic_core.errors import ConfigurationError
from mosaic_core.platform import Platform


class Identity:
    """Accounts, sessions, memberships, keys and tokens. Each part is made when it is needed."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._settings = platform.settings
        self.store = IdentityStore(platform.directory)
        workers, shared = self._settings.serve.workers, platform.news is not None
        if self._settings.identity.sessions == "cache" and workers > 1 and not shared:
            raise ConfigurationError(
                f"Sessions are to be in a cache, and {workers} workers share none: who signs in at "
                "one is nobody at the others.",
                hint="Select a plugin such as cache_redis, or take sessions out of [identity].",
            )

    @cached_property
    def session_store(self) -> SessionStore:
        """What keeps sessions."""
        own = self._settings.identity
        longest = max(timedelta(hours=own.session_hours), timedelta(days=own.remembered_days))
        if own.sessions == "database":
            return SessionRows(self.store, longest)
        return CachedSessions(self.store, self._platform.shared, self.secrets, longest)

    @cached_property
    def secrets(self) -> Secrets:
        """What the platform's secret is for.

        Raises:
            ConfigurationError: there is no secret, or it can be guessed.
        """
        return open_secrets(self._settings)

    @cached_property
    def members(self) -> Members:
        return Members(self.store)

    @cached_property
    def invitations(self) -> Invitations:
        return Invitations(self.store, self.secrets, self._settings.platform.name)

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.store)

    @cached_property
    def bearer(self) -> Bearer:
        issuer = self._platform.origin(self._settings.platform.domain)
        signing = SigningKeys(self.store, self.secrets)
        return Bearer(self.store, signing, self._settings.identity, issuer)

    @cached_property
    def passwords(self) -> Passwords:
        return Passwords()

    @cached_property
    def lockout(self) -> Lockout:
        return Lockout(self.store)

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(self.store, self.secrets, self._settings.identity, self.session_store)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(self.store, self.passwords, self.lockout, self.sessions, self.asked)

    @cached_property
    def asked(self) -> Asked:
        return Asked(self.store, self.secrets)

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

    @cached_property
    def domains(self) -> Domains:
        return Domains(self.store, NameServers(self._settings.platform.nameservers))

    @cached_property
    def tenant_issuers(self) -> TenantIssuers:
        return TenantIssuers(self.store, self.secrets, self.domains, self._platform.identity)

    @cached_property
    def ways(self) -> Ways:
        return Ways(self._platform, self.tenant_issuers, self.domains)

    @cached_property
    def federation(self) -> Federation:
        sign_up = self._settings.identity.sign_up
        return Federation(self.store, self.secrets, self.sign_in, self.ways, sign_up=sign_up)

    @cached_property
    def links(self) -> Links:
        return Links(self.store)

    async def actor_for(
        self,
        principal: Principal,
        tenant_id: str | None,
        address: str = "",
        agent: str = "",
        client: str = "",
    ) -> Actor:
        """Who acts, when somebody does who has shown who they are.

        Args:
            tenant_id: where; None for what is about no tenant. What is for another tenant than this
                has no role here, and neither has an account that does not belong to it.
            address: from where on the network; agent: what the program calls itself; client: the
                very address, for lists of networks.
        """
        roles = Roles()
        if tenant_id is None or (principal.by != "session" and principal.tenant_id != tenant_id):
            pass
        elif principal.kind == "key":
            roles = Roles(principal.role)
        else:
            roles = await self.members.of(principal.id, tenant_id)
        if principal.kind == "key":
            self.keys.uses.note(principal.id, address)
        return Actor(
            principal.kind,
            str(principal.id),
            roles.role,
            roles.sites,
            principal.scopes,
            address,
            agent,
            principal.session_id,
            client,
        )

    async def forget_site(self, tenant_id: str, site: str, *, actor: str) -> None:
        """Takes a site out of everything that somebody was given at it."""
        await forget_site(self.store, tenant_id, site, actor=actor)
