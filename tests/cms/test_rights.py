"""Who may do what: each action with the least that one must be, and everybody tried on each."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from mosaic_cms.actions import Actions
from mosaic_cms.declared import declared_in
from mosaic_cms.product import _OPERATIONS
from mosaic_cms.rights import END_OWN, SELF, Permission, Role, Scopes, granted, lowest_with
from mosaic_cms.scope import SYSTEM, Actor, PlatformScope, TenantScope
from mosaic_core.errors import Denied, InvalidInput, TenantReadOnly
from tests.cms.deployment import OPERATOR as AT_THE_COMMAND_LINE
from tests.cms.deployment import Deployment, Deployments, perform

EVERYBODY, SIGNED_IN, VIEWER, EDITOR, ADMIN, OWNER, OPERATOR = range(7)

#: The least that somebody must be for each action. A new action needs a row.
TABLE = {
    "audit.list": ADMIN,
    "audit.platform": OPERATOR,
    "content.import_archive": ADMIN,
    "blocks.upgrade": ADMIN,
    "content.page": EVERYBODY,
    "content.pages": EVERYBODY,
    "content.search": EVERYBODY,
    "accounts.activate": OPERATOR,
    "accounts.change": SIGNED_IN,
    "accounts.change_address": SIGNED_IN,
    "accounts.change_password": SIGNED_IN,
    "accounts.create": OPERATOR,
    "accounts.deactivate": OPERATOR,
    "accounts.end_sessions": OPERATOR,
    "accounts.find": OPERATOR,
    "accounts.list": OPERATOR,
    "accounts.recovery_codes": SIGNED_IN,
    "accounts.request_reset": EVERYBODY,
    "accounts.reset": EVERYBODY,
    "accounts.reset_factor": OPERATOR,
    "accounts.show": SIGNED_IN,
    "accounts.sign_up": EVERYBODY,
    "accounts.totp_begin": SIGNED_IN,
    "accounts.totp_confirm": SIGNED_IN,
    "accounts.totp_remove": SIGNED_IN,
    "accounts.verify": EVERYBODY,
    "content.export_archive": ADMIN,
    "content.export_json": OPERATOR,
    "content.export_markdown": OPERATOR,
    "content.import_markdown": OPERATOR,
    "content.import_wordpress": OPERATOR,
    "comments.delete": EDITOR,
    "comments.list": EDITOR,
    "domains.add": ADMIN,
    "domains.list": ADMIN,
    "domains.remove": ADMIN,
    "domains.verify": ADMIN,
    "forms.delete_submission": EDITOR,
    "forms.export": EDITOR,
    "forms.submissions": EDITOR,
    "forms.submit": EVERYBODY,
    "identities.begin": SIGNED_IN,
    "identities.list": SIGNED_IN,
    "identities.remove": SIGNED_IN,
    "invitations.accept": SIGNED_IN,
    "invitations.create": ADMIN,
    "invitations.list": ADMIN,
    "invitations.revoke": ADMIN,
    "keys.create": ADMIN,
    "keys.list": ADMIN,
    "keys.revoke": ADMIN,
    "mails.drop": OPERATOR,
    "mails.list": OPERATOR,
    "mails.retry": OPERATOR,
    "mails.test": OPERATOR,
    "media.abort_upload": EDITOR,
    "media.address": VIEWER,
    "media.begin_upload": EDITOR,
    "media.bin": VIEWER,
    "media.configure": ADMIN,
    "media.delete": EDITOR,
    "media.duplicates": VIEWER,
    "media.edit": EDITOR,
    "media.empty_bin": EDITOR,
    "media.finish_upload": EDITOR,
    "media.focus": EDITOR,
    "media.folders": VIEWER,
    "media.forget_versions": EDITOR,
    "media.list": VIEWER,
    "media.move_folder": EDITOR,
    "media.part_address": EDITOR,
    "media.purge": EDITOR,
    "media.replace": EDITOR,
    "media.restore": EDITOR,
    "media.restore_from_bin": EDITOR,
    "media.send_part": EDITOR,
    "media.settings": VIEWER,
    "media.show": VIEWER,
    "media.show_upload": VIEWER,
    "media.sweep": ADMIN,
    "media.upload": EDITOR,
    "media.uploads": VIEWER,
    "media.usage": VIEWER,
    "media.versions": VIEWER,
    "members.add": OPERATOR,
    "members.change": ADMIN,
    "members.leave": SIGNED_IN,
    "members.list": ADMIN,
    "members.remove": ADMIN,
    "members.show": ADMIN,
    "members.transfer": OWNER,
    "menus.add": EDITOR,
    "menus.remove": EDITOR,
    "menus.set": EDITOR,
    "menus.one": VIEWER,
    "menus.show": VIEWER,
    "networks.set": OWNER,
    "networks.show": ADMIN,
    "pages.bin": VIEWER,
    "pages.compare": VIEWER,
    "pages.copy": EDITOR,
    "pages.create": EDITOR,
    "pages.delete": EDITOR,
    "pages.edit": EDITOR,
    "pages.empty_bin": EDITOR,
    "pages.link_translation": EDITOR,
    "pages.list": VIEWER,
    "pages.move": EDITOR,
    "pages.name_version": EDITOR,
    "pages.publish": EDITOR,
    "pages.purge": EDITOR,
    "pages.reorder": EDITOR,
    "pages.restore": EDITOR,
    "pages.restore_from_bin": EDITOR,
    "pages.schedule": EDITOR,
    "pages.schedules": VIEWER,
    "pages.show": VIEWER,
    "pages.show_version": VIEWER,
    "pages.translate": EDITOR,
    "pages.translations": VIEWER,
    "pages.unlink_translation": EDITOR,
    "pages.unpublish": EDITOR,
    "pages.unschedule": EDITOR,
    "pages.versions": VIEWER,
    "passkeys.add": SIGNED_IN,
    "passkeys.begin": SIGNED_IN,
    "passkeys.begin_sign_in": EVERYBODY,
    "passkeys.list": SIGNED_IN,
    "passkeys.remove": SIGNED_IN,
    "passkeys.sign_in": EVERYBODY,
    "redirects.import": EDITOR,
    "redirects.list": EDITOR,
    "redirects.remove": EDITOR,
    "redirects.set": EDITOR,
    "references.of": VIEWER,
    "releases.add": EDITOR,
    "releases.create": EDITOR,
    "releases.delete": EDITOR,
    "releases.list": VIEWER,
    "releases.publish": EDITOR,
    "releases.remove": EDITOR,
    "releases.schedule": EDITOR,
    "releases.show": VIEWER,
    "sessions.choose": SIGNED_IN,
    "sessions.create": EVERYBODY,
    "sessions.end": SIGNED_IN,
    "sessions.end_others": SIGNED_IN,
    "sessions.list": SIGNED_IN,
    "sessions.second_step": EVERYBODY,
    "shared.create": EDITOR,
    "shared.delete": EDITOR,
    "shared.edit": EDITOR,
    "shared.list": VIEWER,
    "shared.publish": EDITOR,
    "shared.show": VIEWER,
    "sign_in.begin": EVERYBODY,
    "sign_in.complete": EVERYBODY,
    "sign_in.ways": EVERYBODY,
    "sites.configure": ADMIN,
    "sites.create": ADMIN,
    "sites.delete": ADMIN,
    "sites.list": VIEWER,
    "sites.render": ADMIN,
    "sites.show": VIEWER,
    "sso.remove": OWNER,
    "sso.set": OWNER,
    "sso.show": ADMIN,
    "tenants.cancel_move": OPERATOR,
    "tenants.certificate": OPERATOR,
    "tenants.compact": OPERATOR,
    "tenants.create": OPERATOR,
    "tenants.delete": OPERATOR,
    "tenants.deleted": OPERATOR,
    "tenants.export": OPERATOR,
    "tenants.found": SIGNED_IN,
    "tenants.import": OPERATOR,
    "tenants.list": OPERATOR,
    "tenants.mine": SIGNED_IN,
    "tenants.move": OPERATOR,
    "tenants.move_status": OPERATOR,
    "tenants.recover": OPERATOR,
    "tenants.remove": OPERATOR,
    "tenants.rename": OPERATOR,
    "tenants.resume": OPERATOR,
    "tenants.show": OPERATOR,
    "tenants.suspend": OPERATOR,
    "tenant.delete": OWNER,
    "tenant.rename": OWNER,
    "tenant.show": VIEWER,
    "terms.list": VIEWER,
    "terms.rename": EDITOR,
    "themes.list": VIEWER,
    "tokens.create": SIGNED_IN,
    "tokens.refresh": EVERYBODY,
    "tokens.revoke": SIGNED_IN,
}

#: Somebody of each kind, and what they are at most.
ACTORS = {
    Actor("visitor"): EVERYBODY,
    Actor("account", "of another tenant"): SIGNED_IN,
    Actor("key", "revoked"): EVERYBODY,
    Actor("account", "vera", Role.VIEWER): VIEWER,
    Actor("account", "edith", Role.EDITOR): EDITOR,
    Actor("account", "adam", Role.ADMIN): ADMIN,
    Actor("account", "olga", Role.OWNER): OWNER,
    AT_THE_COMMAND_LINE: OPERATOR,
    SYSTEM: OPERATOR,
}
HTML = {"id": "raw", "type": "html", "data": {"html": "<p>By <b>hand</b></p>"}}


def test_every_action_has_a_row() -> None:
    assert sorted(TABLE) == [action.name for action in Actions(declared_in(_OPERATIONS))]


@pytest.mark.parametrize("actor", ACTORS, ids=str)
def test_the_table_holds(deployments: Deployments, actor: Actor) -> None:
    """Whoever may is let in, as far as what they give fits; whoever may not is told who may."""

    async def scenario(deployment: Deployment) -> None:
        product = deployment.product
        for action in product.actions:
            decision = actor.may(action.needs)
            allowed = TABLE[action.name] <= ACTORS[actor]
            assert decision.allowed == allowed, f"{action.name}: {decision.reason}"
            assert decision.reason.endswith(".")
            scope: TenantScope | PlatformScope = deployment.scope(actor=actor)
            if action.scope is PlatformScope:
                scope = product.platform_scope(actor)
            if not allowed:
                given = action.input.model_construct()
                with pytest.raises(Denied, match="lacks"):
                    await product.actions.perform(action.name, scope, given)

    deployments(scenario)


def test_a_reason_names_the_least_role_that_has_the_right() -> None:
    vera = Actor("account", "vera", Role.VIEWER)
    reason = vera.may(Permission("publish", "content")).reason
    assert reason == "Viewer lacks publish on content; Editor has it."
    stranger = Actor("account", "zoe").may(Permission("update", "settings")).reason
    assert stranger == "account:zoe lacks update on settings, being no member; Admin has it."
    owner = Actor("account", "olga", Role.OWNER).may(Permission("create", "tenants")).reason
    assert "run this installation" in owner


def test_a_token_for_everything_is_not_for_its_owner_s_account(deployments: Deployments) -> None:
    everything = [Scopes(), Scopes(actions=("*",)), Scopes(actions=("?*", "[a-z]*.*"))]

    async def scenario(deployment: Deployment) -> None:
        perform, scope = deployment.product.actions.perform, deployment.product.platform_scope
        for action in deployment.product.actions:
            if action.needs.resource != SELF or action.needs == END_OWN:
                continue
            changes = action.needs.verb != "read"
            assert changes == (action.effect == "write")
            for scopes in everything:
                token = Actor("account", "tina", Role.OWNER, scopes=scopes)
                decision = token.may(action.needs, action.name)
                assert decision.allowed is not changes, decision.reason
                if changes and action.scope is PlatformScope:
                    with pytest.raises(Denied, match="with this token; a session has it"):
                        await perform(action.name, scope(token), action.input.model_construct())
            own = Scopes(actions=(f"{action.name.partition('.')[0]}.*",))
            assert Actor("account", "tina", scopes=own).may(action.needs, action.name).allowed
            assert Actor("account", "tina").may(action.needs, action.name).allowed, "in a session"

    deployments(scenario)


def test_what_is_named_by_its_id_takes_the_least_of_ones_roles() -> None:
    sue = Actor("account", "sue", Role.EDITOR, (("shop", Role.VIEWER),))
    edit, read = Permission("update", "content"), Permission("read", "content")
    assert sue.may(edit, site="main").allowed
    assert not sue.may(edit, site="shop").allowed
    assert not sue.may(edit).allowed, "it may be of the shop"
    assert sue.may(read).allowed
    guest = Actor("account", "gus", None, (("shop", Role.OWNER),))
    assert not guest.may(read).allowed
    admin = Actor("account", "ann", Role.ADMIN, (("shop", Role.VIEWER),))
    assert admin.may(Permission("create", "members")).allowed, "that is no site's"


def test_a_higher_role_may_all_that_a_lower_one_may() -> None:
    roles = list(Role)
    for higher, lower in pairwise(roles):
        assert granted(higher) > granted(lower)
    assert lowest_with(Permission("delete", "tenant")) is Role.OWNER


def test_a_suspended_tenant_takes_nothing_from_anybody(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("tenants.suspend", slug="aurora", reason="unpaid")
        for actor, rank in ACTORS.items():
            scope = deployment.scope(actor=actor)
            error = TenantReadOnly if rank >= EDITOR else Denied
            with pytest.raises(error):
                await deployment.product.actions.perform(
                    "pages.edit", scope, {"path": "/", "title": "New"}
                )

    deployments(scenario)


# HTML by hand


async def _edit(deployment: Deployment, role: Role, *blocks: Any, **more: Any) -> Any:
    scope = deployment.scope(actor=Actor("account", "somebody", role))
    given = {"path": "/visit/", "regions": {"main": list(blocks)}, **more}
    return await perform(deployment.product, "pages.edit", scope, given)


def _text(text: str) -> dict[str, Any]:
    return {"id": "text", "type": "markdown", "data": {"text": text}}


def test_only_an_admin_puts_html_on_a_page(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        inside = [{"id": "in", "type": "html", "data": {"html": "<p>In</p>"}}]
        columns = {"layout": "6-6", "columns": [inside, []]}
        for block in (HTML, {"id": "c", "type": "columns", "data": columns}):
            with pytest.raises(Denied, match="Editor lacks create on raw_html; Admin has it"):
                await _edit(deployment, Role.EDITOR, block)
            scope = deployment.scope(actor=Actor("account", "edith", Role.EDITOR))
            perform = deployment.product.actions.perform
            with pytest.raises(Denied, match="raw_html"):
                await perform("shared.create", scope, {"name": "Foot", "blocks": [block]})
            given = {"slug": "own", "title": "Own", "regions": {"main": [block]}}
            with pytest.raises(Denied, match="raw_html"):
                await perform("pages.create", scope, given)
        await _edit(deployment, Role.ADMIN, HTML)

    deployments(scenario)


def test_an_editor_works_around_an_admin_s_html(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        saved = await _edit(deployment, Role.ADMIN, _text("One"), HTML)
        moved = await _edit(deployment, Role.EDITOR, HTML, _text("Two"))
        assert [block["id"] for block in moved.regions["main"]] == ["raw", "text"]
        # Also when the change is merged with what others saved meanwhile.
        changed = {**HTML, "data": {"html": "<p>Other</p>"}}
        with pytest.raises(Denied, match="update on raw_html"):
            await _edit(deployment, Role.EDITOR, changed, _text("Two"))
        with pytest.raises((Denied, InvalidInput)):
            await _edit(deployment, Role.EDITOR, _text("One"), changed, based_on=saved.revision)
        merged = await _edit(
            deployment, Role.EDITOR, _text("One"), HTML, _more(), based_on=saved.revision
        )
        assert {block["id"] for block in merged.regions["main"]} == {"raw", "text", "more"}
        await _edit(deployment, Role.EDITOR, _text("Three"))
        with pytest.raises(Denied, match="create on raw_html"):
            await _edit(deployment, Role.EDITOR, _text("Three"), HTML)

    deployments(scenario)


def _more() -> dict[str, Any]:
    return {"id": "more", "type": "markdown", "data": {"text": "More"}}
