"""The tenants that the isolation harness makes: everything in one has a word in it."""

from __future__ import annotations

import uuid
from typing import Any, Self

from mosaic_cms.api.callers import CSRF_HEADER, Callers
from mosaic_cms.api.cookies import SESSION
from mosaic_cms.content.models import Comment
from mosaic_cms.identity.account_rows import add_account
from mosaic_cms.identity.principal import Principal
from mosaic_cms.identity.sessions import Started
from mosaic_cms.incoming import Incoming
from mosaic_cms.product import Product
from mosaic_cms.scope import Actor, TenantScope
from mosaic_core.head import Write

#: What a caller shows.
Headers = tuple[tuple[str, str], ...]


class Filling:
    """A tenant all of whose content has a word in it.

    Args:
        opened: whether everybody reads its site over the API.
    """

    def __init__(self, product: Product, slug: str, word: str, *, opened: bool) -> None:
        self._product, self._slug, self._word, self._opened = product, slug, word, opened
        self._callers = Callers(product)
        self._operator = Actor("operator", "isolation")
        #: An API key of its Owner.
        self.key = ""

    async def fill(self, handle: str) -> Self:
        """Makes it, with a handle in all of its addresses, and a key of it."""
        slug, word, do = self._slug, self._word, self._do
        platform = self._product.platform_scope(self._operator)
        given: dict[str, Any] = {"slug": slug, "name": f"{word} name", "tier": "open"}
        await self._product.actions.perform("tenants.create", platform, given)
        site = await do("sites.show")
        opened = {"api_public": self._opened, "based_on": site.revision}
        await do("sites.configure", tagline=f"{word} tagline", **opened)
        details = {"tags": [f"{word} tag"], "author": f"{word} author", "date": "2026-01-02"}
        page = {"parent": "/", "layout": "post", "details": details}
        for name in ("public", "draft", "deleted", "released"):
            text = f"{word} {name} body"
            await do(
                "pages.create", slug=f"{name}-{handle}", title=f"{word} {name}", body=text, **page
            )
        path = f"/public-{handle}/"
        shared = await do("shared.create", name=f"{word} shared", blocks=[_text(f"{word} shared")])
        await do("shared.publish", id=shared.id)
        blocks = [
            _text(f"{word} in the page"),
            {"id": "shown", "type": "shared", "data": {"reference": f"shared:{shared.id}"}},
            _form(word),
        ]
        seen = await do("pages.show", path=path)
        await do("pages.edit", path=path, regions={"main": blocks}, based_on=seen.revision)
        await do("pages.name_version", path=path, name=f"{word} version")
        await do("pages.publish", path=path)
        await do("pages.delete", path=f"/deleted-{handle}/")
        release = await do("releases.create", title=f"{word} release")
        await do("releases.add", id=release.id, paths=[f"/released-{handle}/"])
        await do("menus.add", place="header", title=f"{word} entry", target=path)
        await do("redirects.set", source=f"/old-{handle}/", target=path)
        shown = await do("pages.show", path=path)
        form = next(b["id"] for b in shown.regions["main"] if b["type"] == "form")
        values = {"name": f"{word} answer"}
        file = Incoming.of(f"{word} words in a file".encode())
        said = {"folder": f"{word} folder", "alt": f"{word} alt", "tags": [f"{word} tag"]}
        sent = await do("media.upload", content=file, name=f"{word}.txt", **said)
        again = Incoming.of(f"{word} other words".encode())
        await do("media.replace", media=sent.media.reference, content=again)
        await do("media.begin_upload", name=f"{word} part.txt", size=9)
        await do("forms.submit", page_id=shown.id, form_id=form, values=values)
        await self._comment(shown.id)
        made = await do("keys.create", name=f"{word} key", role="owner")
        self.key = made.key
        return self

    async def sign_in(self, number: int) -> Headers:
        """What the browser of another owner sends, who is signed in."""
        slug, word = self._slug, self._word
        identity, email = self._product.identity, f"{slug}-{number}@example.org"

        async def begin(write: Write) -> tuple[uuid.UUID, Started]:
            account = add_account(write, email, f"{word} person")
            account.verified_at = write.at
            await write.session.flush()
            agent = f"{word} browser"
            return account.id, await identity.sessions.start(write, account.id, agent=agent)

        account_id, started = await identity.store.write(begin, actor="isolation", action="begin")
        await self._do("members.add", email=email, role="owner")
        tenant = self._product.platform.directory.named(slug)
        own = (account_id, started.id)
        await identity.sessions.choose(*own, tenant.tenant_id, actor="isolation")
        shown = Principal("account", "session", account_id, session_id=started.id)
        csrf = self._callers.csrf_token(shown)
        return ("cookie", f"{SESSION}={started.cookie}"), (CSRF_HEADER, csrf)

    async def _comment(self, page_id: uuid.UUID) -> None:
        """Keeps a comment on a page, as an import does."""

        async def fn(write: Write) -> None:
            said = {"author": f"{self._word} author", "text": f"{self._word} comment"}
            told = {"email": f"{self._word}@example.org", "address": "", "approved": True}
            write.session.add(Comment(page_id=page_id, **said, **told))

        await self._scope().write(fn)

    async def _do(self, name: str, /, **given: Any) -> Any:
        return await self._product.actions.perform(name, self._scope(), given)

    def _scope(self) -> TenantScope:
        tenant = self._product.platform.directory.named(self._slug)
        return self._product.scope(tenant, self._operator)


def _text(text: str) -> dict[str, Any]:
    return {"id": "text", "type": "markdown", "data": {"text": text}}


def _form(word: str) -> dict[str, Any]:
    fields = [{"key": "name", "label": f"{word} label", "kind": "text"}]
    data = {"heading": f"{word} form", "success": f"{word} thanks", "fields": fields}
    return {"id": "form", "type": "form", "data": data}
