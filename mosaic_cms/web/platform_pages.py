"""The platform's own pages, for when no tenant's site can answer. They name no tenant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import DictLoader

from mosaic_cms.strict_templates import strict
from mosaic_cms.web.responses import Finished, Headers, html

_TEMPLATES = Path(__file__).parent.parent / "themes" / "platform"


class PlatformPages:
    """Renders them; all are self-contained documents.

    Args:
        platform: what the platform calls itself.
    """

    def __init__(self, platform: str) -> None:
        # Read now, so that a page is there when no more files can be opened; compiled when it is
        # first shown, which most are never.
        sources = {file.name: file.read_text("utf-8") for file in _TEMPLATES.glob("*.html")}
        self._environment = strict(DictLoader(sources))
        self._environment.globals["platform"] = platform

    def unknown_host(self, host: str) -> Finished:
        return self._page("unknown_host", 404, host=host)

    def closed(self, reason: str) -> Finished:
        return self._page("closed", 503, [(b"retry-after", b"3600")], reason=reason)

    def unavailable(self, message: str) -> Finished:
        return self._page("unavailable", 503, [(b"retry-after", b"30")], message=message)

    def bad_request(self, message: str) -> Finished:
        return self._page("bad_request", 400, message=message)

    def not_signed_in(self, status: int, message: str, hint: str) -> Finished:
        return self._page("not_signed_in", status, message=message, hint=hint)

    def account(self, status: int, **shown: Any) -> Finished:
        """A page of one's own account (see :mod:`mosaic_cms.api.account_pages`)."""
        return self._page("account", status, **shown)

    def refused(self) -> Finished:
        return self._page("refused", 403)

    def error(self, reference: str) -> Finished:
        return self._page("error", 500, reference=reference)

    def _page(
        self, name: str, status: int, headers: Headers | None = None, **context: Any
    ) -> Finished:
        return html(
            status, self._environment.get_template(f"{name}.html").render(**context), headers
        )
