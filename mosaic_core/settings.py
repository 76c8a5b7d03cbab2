"""``mosaic.toml`` and the environment, as frozen typed settings.

Every key can be set from the environment: ``MOSAIC_PLATFORM__DOMAIN=example.com`` overrides
``domain`` in ``[platform]``. An unknown key is an error that suggests the nearest one.
"""

from __future__ import annotations

import os
import re
import tomllib
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from mosaic_core.errors import ConfigurationError, InvalidHost, InvalidMail
from mosaic_core.mail import check_address
from mosaic_core.resolution import normalise_host
from mosaic_core.settings_problems import ENV_PREFIX, nearest, problems
from mosaic_core.tenants import Plan, Tier, default_tiers

CONFIG_NAME = "mosaic.toml"


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    return value


#: A whole number, also as text, which is all that the environment has.
Whole = Annotated[int, BeforeValidator(_no_truth)]


class PlatformSettings(BaseModel):
    """``[platform]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: What kind of deployment this is. Only one in development does without secrets of its own.
    environment: Literal["development", "staging", "production"] = "development"
    #: Shown on the platform's own pages.
    name: str = "MOSAIC"
    #: Every tenant has ``<slug>.<domain>``.
    domain: str = "localhost"
    #: Where data is kept, relative to the folder of mosaic.toml.
    data: Path = Path("data")
    #: The plugins in use, by name: an allow-list. What is not named is never imported.
    plugins: tuple[str, ...] = ("host_resolvers", "tenancy_sqlite", "storage_local")
    #: How the tenant of a request is found: resolvers in the order in which they are asked.
    resolvers: tuple[str, ...] = ("custom_domain", "subdomain")
    #: The tier of a new tenant.
    default_tier: str = "free"
    #: Addresses of proxies whose X-Forwarded-Host and X-Forwarded-Proto count.
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    #: Who is asked for what others say of their domains, as in "192.0.2.53" or "192.0.2.53:5353";
    #: by default whoever this machine asks.
    nameservers: tuple[str, ...] = ()
    #: Seconds after which a process looks again whether something changed.
    freshness: Annotated[float, Field(ge=0.0, le=60.0)] = 0.5
    #: Seconds after which others may go on with what a killed process did to a tenant as a whole:
    #: moving, migrating, importing, deleting it.
    lease: Annotated[float, Field(ge=0.2, le=600.0)] = 15.0
    #: Days for which the database and the files are kept that a tenant left when it moved.
    keep_moved: Annotated[float, Field(ge=0.0, le=3650.0)] = 7.0

    @field_validator("domain")
    @classmethod
    def _domain(cls, value: str) -> str:
        try:
            return normalise_host(value)
        except InvalidHost as error:
            raise ValueError(f"{value!r} is not a domain name") from error

    @field_validator("nameservers")
    @classmethod
    def _nameservers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if nameserver(text) is None:
                raise ValueError(f"{text!r} is no IP address, with a port or without")
        return value


class DatabaseSettings(BaseModel):
    """``[database]``: where the platform's own tables are."""

    # What is wrong is told without what was given: it may be the password.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: A database of PostgreSQL or SQL Server, which several machines can share; without one, they
    #: are in the data folder. It belongs into the environment, not into a file.
    url: SecretStr | None = None
    #: Of a schema there that is this deployment's alone.
    schema_name: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$")] = "mosaic_platform"
    #: Connections of each process.
    connections: Annotated[Whole, Field(ge=2, le=500)] = 8
    #: Seconds to wait for one.
    wait: Annotated[float, Field(gt=0, le=300)] = 20.0


class ServeSettings(BaseModel):
    """``[serve]``: the web server of ``mosaic serve``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65535)] = 8000
    #: Ports by which visitors reach it, beside its own and their scheme's: behind a proxy.
    public_ports: tuple[Annotated[Whole, Field(ge=1, le=65535)], ...] = ()
    workers: Annotated[Whole, Field(ge=1, le=256)] = 1
    #: Finished pages that each process keeps, in bytes or as in "64 MB".
    page_cache: ByteSize = ByteSize(96 * 1024 * 1024)
    #: Seconds for which a CDN may keep a page.
    cdn_seconds: Annotated[Whole, Field(ge=0)] = 60


class MailSettings(BaseModel):
    """``[mail]``: in whose name mail goes out, and through what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The provider that sends it; needed when the selected plugins have several.
    provider: str | None = None
    #: The sender's address; by default noreply@ and the platform's domain.
    address: str | None = None
    #: The sender's name; by default the platform's.
    name: str | None = None

    @field_validator("address")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        try:
            return None if value is None else check_address(value)
        except InvalidMail as error:
            raise ValueError(str(error).rstrip(".")) from error


class IdentitySettings(BaseModel):
    """``[identity]``: accounts, sessions, tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: What cookies and tokens are made with. It belongs into the environment, not into a file.
    secret: SecretStr = SecretStr("")
    #: Whether anybody may make an account; if not, only who is invited.
    sign_up: bool = True
    #: Tenants that an account may own before it founds no more by itself.
    own_tenants: Annotated[Whole, Field(ge=0, le=10_000)] = 3
    #: Hours that a session lasts after it was last used, and days when it is remembered.
    session_hours: Annotated[Whole, Field(ge=1, le=24 * 7)] = 8
    remembered_days: Annotated[Whole, Field(ge=1, le=365)] = 30
    #: What keeps sessions; several processes need a plugin that shares a cache for that.
    sessions: Literal["database", "cache"] = "database"
    #: Minutes that a bearer token lives, and days within which it is renewed.
    token_minutes: Annotated[Whole, Field(ge=1, le=60)] = 10
    refresh_days: Annotated[Whole, Field(ge=1, le=365)] = 30


class MigrateSettings(BaseModel):
    """``[migrate]``: how all tenants are brought to a new revision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Slugs of the tenants that come first; by default the one that was made last.
    canaries: tuple[str, ...] = ()
    #: Tenants at a time.
    concurrency: Annotated[Whole, Field(ge=1, le=256)] = 4
    #: So many tenants fail, and it pauses.
    failures: Annotated[Whole, Field(ge=1)] = 1


class RateSettings(BaseModel):
    """``[rates]``: what is let in at once, and for how long; what a tier includes is among its
    limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Requests a minute in the name of one tenant, by all of its people and programs together.
    tenant: Annotated[Whole, Field(ge=1)] = 3_000
    #: Requests a minute of one person, program or network.
    actor: Annotated[Whole, Field(ge=1)] = 600
    #: Seconds that one request may take, unless what it does is known to take longer.
    seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0


class Settings(BaseSettings):
    """The whole configuration of a deployment."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    platform: PlatformSettings = PlatformSettings()
    database: DatabaseSettings = DatabaseSettings()
    serve: ServeSettings = ServeSettings()
    mail: MailSettings = MailSettings()
    identity: IdentitySettings = IdentitySettings()
    rates: RateSettings = RateSettings()
    migrate: MigrateSettings = MigrateSettings()
    tiers: dict[str, Tier] = Field(default_factory=default_tiers)
    plans: dict[str, Plan] = Field(default_factory=dict)
    #: Each plugin's own settings, validated when it is opened.
    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)
    #: The folder of mosaic.toml, against which relative paths are read.
    root: Path = Path()

    @property
    def data_dir(self) -> Path:
        """The data folder, absolute."""
        return (self.root / self.platform.data).absolute()

    @field_validator("tiers", mode="before")
    @classmethod
    def _over_defaults(cls, value: Any) -> Any:
        """A tier that ships is completed from its defaults; so one key can be changed alone."""
        if not isinstance(value, dict):
            return value
        shipped = {name: tier.model_dump() for name, tier in default_tiers().items()}
        return shipped | {
            name: _merged(shipped.get(name, {}), given) for name, given in value.items()
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load_settings(path: Path) -> Settings:
    """Reads ``mosaic.toml`` (or the one in a folder) and the environment.

    Raises:
        ConfigurationError: naming the file and each key that is wrong, and what to do.
    """
    if path.is_dir():
        path = path / CONFIG_NAME
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no {path}.", hint="Make one with 'mosaic init', or name it with --config."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is not UTF-8 (byte {error.start} is 0x{error.object[error.start]:02x}).",
            hint="Save it as UTF-8.",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", hint="Mend it.") from error
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deeply.", hint="Mend it.") from None
    return make_settings(content, root=path.parent, source=str(path))


def make_settings(content: dict[str, Any], *, root: Path, source: str = "the settings") -> Settings:
    """Settings from the content of a ``mosaic.toml``, completed by the environment."""
    known = Settings.model_fields.keys() - {"root"}
    strange = [
        f"In {source}: {key}: there is no such key{nearest(key, known)}"
        for key in content
        if key not in known
    ] + [
        f"In the environment: {name}: there is no such key{nearest(_part(name), known)}"
        for name in os.environ
        if name.startswith(ENV_PREFIX) and "__" in name and _part(name) not in known
    ]
    if strange:
        raise ConfigurationError("\n".join(strange))
    try:
        settings = Settings(**content).model_copy(update={"root": root})
    except ValidationError as error:
        raise ConfigurationError(problems(error, source, Settings)) from error
    except SettingsError as error:
        raise ConfigurationError(
            f"In the environment: one of {', '.join(_variables(str(error)))} is no JSON.",
            hint="""Write lists and tables as JSON, such as ["subdomain"].""",
        ) from error
    tiers = {"platform.default_tier": settings.platform.default_tier}
    tiers |= {f"plans.{name}.tier": plan.tier for name, plan in settings.plans.items()}
    for where, tier in tiers.items():
        if tier not in settings.tiers:
            raise ConfigurationError(
                f"In {source}: {where}: there is no tier {tier!r}{nearest(tier, settings.tiers)}"
            )
    return settings


def nameserver(text: str) -> tuple[str, int] | None:
    """The address and the port that a text names; None when it names none."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)|([0-9a-fA-F:]+))(?::(\d{1,5}))?", text)
    address = next(filter(None, match.groups()[:3]), "") if match else ""
    try:
        port = int((match and match[4]) or 53)
        return (str(ip_address(address)), port) if 0 < port < 65_536 else None
    except ValueError:
        return None


def _part(variable: str) -> str:
    """The table that an environment variable means: ``platform`` for ``MOSAIC_PLATFORM__NAME``."""
    return variable.removeprefix(ENV_PREFIX).partition("__")[0].lower()


def _variables(error: str) -> list[str]:
    """The environment variables that can be meant by an error that names a table."""
    names = (name for name in os.environ if name.startswith(ENV_PREFIX))
    return sorted(name for name in names if f'"{_part(name)}"' in error)


def _merged(base: Any, given: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(given, dict)):
        return given
    return base | {key: _merged(base.get(key), value) for key, value in given.items()}
