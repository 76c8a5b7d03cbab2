"""The hook specifications: what a plugin can declare.

pluggy runs at start-up only. A hook takes no arguments and returns a declaration; the core opens
what configuration selected, and from then on code talks to a contract. A plugin's module says
which hook API it was written for and marks its functions::

    from mosaic_core.hooks import hookimpl

    HOOK_API = ">=1,<2"


    @hookimpl
    def mosaic_storage():
        return Provider(name="attic", settings=AtticSettings, open=open_attic)

A hook whose return type is a list takes several declarations from one plugin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy

from mosaic_core.cache import Cache
from mosaic_core.database import TenantTables
from mosaic_core.identity import IdentityProvider
from mosaic_core.mail import Mailer
from mosaic_core.persistence import Persistence
from mosaic_core.provider import Provider
from mosaic_core.resolution import TenantResolver
from mosaic_core.storage import Storage

#: The version of the specifications below. A plugin's ``HOOK_API`` names the range it supports.
HOOK_API = "1"
PROJECT = "mosaic"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class ThemeFolder:
    """A theme: a folder with ``theme.toml``, ``templates/`` and ``assets/``."""

    name: str
    path: Path


class TenancyHooks:
    """Finding tenants and keeping their rows."""

    @hookspec
    def mosaic_tenant_resolvers(self) -> list[Provider[TenantResolver]]:
        """Ways to find the tenant of a request. Configuration lists those in use, in order.

        Example::

            @hookimpl
            def mosaic_tenant_resolvers():
                return [Provider(name="by_port", settings=NoSettings, open=open_by_port)]
        """
        raise NotImplementedError

    @hookspec
    def mosaic_persistence(self) -> Provider[Persistence]:
        """A strategy for keeping tenants' rows. A tier names the one it uses.

        Example::

            @hookimpl
            def mosaic_persistence():
                return Provider(name="tenancy_sqlite", settings=SQLiteSettings, open=open_sqlite)
        """
        raise NotImplementedError

    @hookspec
    def mosaic_tables(self) -> TenantTables:
        """Tables of the plugin's own in the database of every tenant, with their migrations.

        Example::

            @hookimpl
            def mosaic_tables():
                return TenantTables(base=Base, migrations=Path(__file__).parent / "migrations")
        """
        raise NotImplementedError


class StorageHooks:
    """Files."""

    @hookspec
    def mosaic_storage(self) -> Provider[Storage]:
        """A place for tenants' files. A tier names the one it uses.

        Example::

            @hookimpl
            def mosaic_storage():
                return Provider(name="storage_local", settings=LocalSettings, open=open_local)
        """
        raise NotImplementedError


class MailHooks:
    """Mail."""

    @hookspec
    def mosaic_mail(self) -> Provider[Mailer]:
        """A way to send mail. The one that is selected is used; ``[mail]`` names one of several.

        Example::

            @hookimpl
            def mosaic_mail():
                return Provider(name="mail_smtp", settings=SMTPSettings, open=open_smtp)
        """
        raise NotImplementedError


class IdentityHooks:
    """Signing in by somebody else's word."""

    @hookspec
    def mosaic_identity(self) -> Provider[IdentityProvider]:
        """Ways to sign in that another party vouches for. All that are selected are offered.

        Example::

            @hookimpl
            def mosaic_identity():
                return Provider(name="identity_oidc", settings=OIDCSettings, open=open_oidc)
        """
        raise NotImplementedError


class CacheHooks:
    """What several instances share."""

    @hookspec
    def mosaic_cache(self) -> Provider[Cache]:
        """A cache that instances share: news of changed heads at once, limits, sessions.
        One of the selected plugins may provide it.

        Example::

            @hookimpl
            def mosaic_cache():
                return Provider(name="cache_redis", settings=RedisSettings, open=open_redis)
        """
        raise NotImplementedError


class IntegrationHooks:
    """Other systems. All provisional: each contract arrives with its first plugin."""

    @hookspec
    def mosaic_billing(self) -> Provider[Any]:
        """Provisional. A payment provider: checkout, subscriptions, webhooks.

        Example::

            @hookimpl
            def mosaic_billing():
                return Provider(name="billing_stripe", settings=StripeSettings, open=open_stripe)
        """
        raise NotImplementedError

    @hookspec
    def mosaic_agents(self) -> Provider[Any]:
        """Provisional. A model, or an offline stand-in, behind the two agents.

        Example::

            @hookimpl
            def mosaic_agents():
                return Provider(name="agents_openai", settings=OpenAISettings, open=open_openai)
        """
        raise NotImplementedError

    @hookspec
    def mosaic_telemetry(self) -> Provider[Any]:
        """Provisional. Where traces and metrics go.

        Example::

            @hookimpl
            def mosaic_telemetry():
                return Provider(name="telemetry_azuremonitor", settings=Azure, open=open_azure)
        """
        raise NotImplementedError


class ProductHooks:
    """What a plugin adds to the product itself."""

    @hookspec
    def mosaic_themes(self) -> list[ThemeFolder]:
        """Themes that sites can choose by name.

        Example::

            @hookimpl
            def mosaic_themes():
                return [ThemeFolder(name="plain", path=Path(__file__).parent / "plain")]
        """
        raise NotImplementedError

    @hookspec
    def mosaic_actions(self) -> list[Callable[..., Any]]:
        """Actions, declared with ``@action``, that appear on every face.

        Example::

            @hookimpl
            def mosaic_actions():
                return [count_words]
        """
        raise NotImplementedError

    @hookspec
    def mosaic_blocks(self) -> list[type[Any]]:
        """Block types: pydantic models, derived from ``mosaic_cms.sdk.Block``, with a template.

        Example::

            @hookimpl
            def mosaic_blocks():
                return [Timeline]
        """
        raise NotImplementedError

    @hookspec
    def mosaic_routes(self) -> list[Any]:
        """Routes below ``/api/``, on every host: what is no action, such as another protocol.

        Each is a Starlette ``Route`` in a folder of the plugin's own. Its endpoint performs actions
        for whoever asks (``mosaic_cms.sdk.call_of``).

        Example::

            @hookimpl
            def mosaic_routes():
                return [Route("/api/calendar/week.ics", this_week)]
        """
        raise NotImplementedError

    @hookspec
    def mosaic_commands(self) -> list[Any]:
        """Command groups for ``mosaic`` on the command line: (name, typer.Typer) pairs.

        Example::

            @hookimpl
            def mosaic_commands():
                return [("attic", attic_commands)]
        """
        raise NotImplementedError


#: Every class of specifications, in the order of the documentation.
SPECIFICATIONS: tuple[type, ...] = (
    TenancyHooks,
    StorageHooks,
    MailHooks,
    IdentityHooks,
    CacheHooks,
    IntegrationHooks,
    ProductHooks,
)
