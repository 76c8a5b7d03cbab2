"""Mail written into a folder, a file for each: for a machine that no mail is to leave.

Itself a plugin, selected like any other. A mail reader opens the files.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mosaic_core.errors import MailUnavailable
from mosaic_core.hooks import hookimpl
from mosaic_core.mail import Mail, Mailer
from mosaic_core.provider import PlatformServices, Provider

HOOK_API = ">=1,<2"


class FolderSettings(BaseModel):
    """``[plugins.mail_folder]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Where mails are written, relative to the data folder.
    folder: Path = Path("mail")


class MailFolder:
    """Implements :class:`mosaic_core.mail.Mailer`. A file's name begins with the mail's time and is
    made of its message id, so a mail that is sent again replaces itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, mail: Mail) -> None:
        await asyncio.to_thread(self._write, mail)

    def _write(self, mail: Mail) -> None:
        local = mail.message_id.partition("@")[0]
        path = self._folder / f"{mail.at.astimezone(UTC):%Y%m%dT%H%M%S}-{local}.eml"
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(mail.as_bytes())
            os.replace(draft, path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise MailUnavailable(
                f"The folder of mails, {self._folder}, cannot be written: {error.strerror}.",
                hint="Make room, or give this user the right to write it.",
            ) from error


@asynccontextmanager
async def open_folder(
    settings: FolderSettings, services: PlatformServices
) -> AsyncIterator[Mailer]:
    yield MailFolder(services.data_dir / settings.folder)


@hookimpl
def mosaic_mail() -> Provider[Mailer]:
    return Provider(name="mail_folder", settings=FolderSettings, open=open_folder)
