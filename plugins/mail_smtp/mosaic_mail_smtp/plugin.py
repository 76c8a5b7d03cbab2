"""What the plugin declares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mosaic_core.hooks import hookimpl
from mosaic_core.mail import Mailer
from mosaic_core.provider import PlatformServices, Provider, Secret, Word

HOOK_API = ">=1,<2"


class SMTPSettings(BaseModel):
    """``[plugins.mail_smtp]``."""

    # What is wrong is told without what was given: it may be the password.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Annotated[str, Field(min_length=1, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
    #: By default that of the kind of security: 587, 465 or 25.
    port: Annotated[int | None, Field(ge=1, le=65535)] = None
    #: TLS after a greeting in the clear (STARTTLS), from the first byte on, or none.
    security: Literal["starttls", "tls", "none"] = "starttls"
    #: Certificates to trust instead of the system's; PEM, relative to the data folder.
    ca_file: Path | None = None
    username: Word | None = None
    password: Secret | None = None
    #: Seconds that sending one mail may take.
    timeout: Annotated[float, Field(gt=0, le=100)] = 30.0
    #: Connections at one time.
    connections: Annotated[int, Field(ge=1, le=20)] = 2
    #: Seconds for which a connection is kept for the next mail.
    keep: Annotated[float, Field(ge=0, le=300)] = 10.0

    @model_validator(mode="after")
    def _safe_to_sign_in(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: give both or neither")
        if self.password is not None and self.security == "none" and not _is_here(self.host):
            raise ValueError("a password is not sent in the clear: set security to starttls or tls")
        return self


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@asynccontextmanager
async def open_smtp(settings: SMTPSettings, services: PlatformServices) -> AsyncIterator[Mailer]:
    from mosaic_mail_smtp.server import MailServer

    server = await MailServer.prepared(settings, services)
    try:
        yield server
    finally:
        await server.close()


@hookimpl
def mosaic_mail() -> Provider[Mailer]:
    return Provider(name="mail_smtp", settings=SMTPSettings, open=open_smtp)
