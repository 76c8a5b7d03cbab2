"""Actions: all that the system can do goes through one door, which validates, decides, logs."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

import mosaic_cms.sdk as sdk
from mosaic_cms.actions import Actions
from mosaic_cms.operations.pages import PageAt, PageView, publish_page
from mosaic_cms.scope import SYSTEM, Actor
from mosaic_cms.sdk import Model, Permission, PlatformScope, TenantScope, Write, action
from mosaic_core.errors import Denied, InvalidInput, NotFound, PluginConflict, PluginInvalid
from mosaic_core.head import TENANT
from tests.cms.deployment import Deployment, Deployments
from tests.cms.plugs import plugins_with

#: These name a folder of the machine that runs them, so no other machine can ask for them.
WITHOUT_HTTP = {
    "content.import_markdown",
    "content.import_wordpress",
    "content.export_markdown",
    "content.export_json",
    "tenants.export",
    "tenants.import",
    "forms.submit",  # a form is posted to its page
    # A browser is sent there, and comes back, by addresses that answer with redirects.
    "sign_in.begin",
    "sign_in.complete",
}
READ = Permission("read", "content")


class Words(Model):
    """A path."""

    path: str


class Count(Model):
    """How many words."""

    words: int


@action("words.count", needs=READ, effect="read")
async def count_words(scope: TenantScope, command: Words) -> Count:
    """Counts the words of a draft."""
    page = await scope.product.actions.perform("pages.show", scope, {"path": command.path})
    texts = [block["data"]["text"] for block in page.regions.get("main", [])]
    return Count(words=len(" ".join(texts).split()))


async def log_of(deployment: Deployment, slug: str) -> list[tuple[str, str]]:
    async with deployment.scope(slug).read() as session:
        columns = TENANT.changes.c
        rows = await session.execute(
            select(columns.actor, columns.action).order_by(columns.version, columns.seq)
        )
        return [(actor, name) for actor, name in rows]


# What is declared


def test_every_action_says_what_it_does_what_it_takes_and_what_it_gives(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        actions = list(deployment.product.actions)
        assert len(actions) >= 10
        shapes = set()
        for each in actions:
            assert each.summary.endswith("."), each.name
            assert each.output not in (Any, None, dict), each.name
            assert issubclass(each.input, Model), each.name
            assert (each.http is None) == (each.name in WITHOUT_HTTP), each.name
            if each.http is not None:
                method, path = each.http.split(" ")
                assert path.startswith("/")
                assert (method == "GET") == (each.effect == "read"), each.name
                assert each.http not in shapes
                shapes.add(each.http)
        assert [each.name for each in actions] == sorted(each.name for each in actions)

    deployments(scenario)


def test_two_actions_cannot_have_one_name() -> None:
    @action("pages.publish", needs=READ)
    async def other(scope: TenantScope, command: PageAt) -> PageView:
        raise NotImplementedError

    with pytest.raises(PluginConflict, match=r"'pages.publish'.*test_actions.*operations.pages"):
        Actions([publish_page, other])


def untyped(scope, command):  # type: ignore[no-untyped-def]
    ...


async def no_return(scope: TenantScope, command: Words):  # type: ignore[no-untyped-def]
    ...


async def no_model(scope: TenantScope, command: str) -> Count:
    raise NotImplementedError


async def no_scope(scope: str, command: Words) -> Count:
    raise NotImplementedError


async def three(scope: TenantScope, command: Words, more: int) -> Count:
    raise NotImplementedError


def not_async(scope: TenantScope, command: Words) -> Count:
    raise NotImplementedError


async def unresolved(scope: TenantScope, command: Words) -> Nowhere:  # type: ignore[name-defined]  # noqa: F821
    raise NotImplementedError


@pytest.mark.parametrize(
    "function", [untyped, no_return, no_model, no_scope, three, not_async, unresolved]
)
def test_a_function_that_is_not_typed_as_an_action_is_refused(function: Any) -> None:
    marked = action("words.count", needs=READ)(function)
    with pytest.raises(PluginInvalid, match=rf"'words.count'.*{function.__name__}"):
        Actions([marked])


def test_a_function_that_is_not_declared_is_refused() -> None:
    async def plain(scope: TenantScope, command: Words) -> Count:
        raise NotImplementedError

    with pytest.raises(PluginInvalid, match=r"plain is not declared with @action"):
        Actions([plain])


def test_a_plugins_actions_stand_beside_the_products(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        assert "words.count" in [each.name for each in deployment.product.actions]
        found = await deployment.do("words.count", path="/visit/")
        assert found == Count(words=8)

    plugins = plugins_with(monkeypatch, words={"mosaic_actions": lambda: [count_words]})
    deployments(scenario, plugins=plugins)


def test_a_plugin_cannot_take_the_place_of_an_action(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        raise AssertionError("it opened")

    plugins = plugins_with(monkeypatch, words={"mosaic_actions": lambda: [publish_page]})
    with pytest.raises(PluginConflict, match=r"pages\.publish"):
        deployments(scenario, plugins=plugins)


# What perform does


def test_every_problem_of_the_input_is_named(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(InvalidInput, match=r"^pages\.create: ") as caught:
            await deployment.do("pages.create", slug=3, body=["x"], colour="red")
        named = dict(caught.value.problems)
        assert set(named) == {"slug", "title", "body", "colour"}
        assert all(where in str(caught.value) for where in named)
        with pytest.raises(InvalidInput) as caught:
            await deployment.do(
                "sites.configure",
                redirects=[{"source": "/a", "target": "/b"}, {"source": 1, "path": "b"}],
            )
        places = {"redirects.1.source", "redirects.1.target", "redirects.1.path"}
        assert set(dict(caught.value.problems)) == places
        with pytest.raises(InvalidInput, match=r"tenants\.create: language"):
            await deployment.rule("tenants.create", slug="x", name="X", language="no language")

    deployments(scenario)


@pytest.mark.parametrize("kind", ["visitor", "account", "key", ""])
def test_an_actor_who_is_not_trusted_is_denied_with_a_reason(
    deployments: Deployments, kind: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        scope = deployment.scope(actor=Actor(kind, "zoe"))
        for name, given, needs in (
            ("pages.publish", {"path": "/"}, "publish on content"),
            ("pages.list", {}, "read on content"),
        ):
            with pytest.raises(Denied, match=rf"{name} was refused: {kind}:zoe lacks {needs}"):
                await deployment.product.actions.perform(name, scope, given)
        platform = deployment.product.platform_scope(Actor(kind, "zoe"))
        with pytest.raises(Denied, match="update on tenants"):
            await deployment.product.actions.perform(
                "tenants.suspend", platform, {"slug": "aurora"}
            )
        assert (await deployment.get("/")).status_code == 200

    deployments(scenario)


def test_the_log_tells_who_performed_what(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        before = len(await log_of(deployment, "aurora"))
        await deployment.do("pages.edit", path="/visit/", title="New")
        perform = deployment.product.actions.perform
        await perform("pages.publish", deployment.scope(actor=SYSTEM), {"path": "/visit/"})
        told = list(dict.fromkeys((await log_of(deployment, "aurora"))[before:]))
        assert told == [
            ("operator:test", "pages.edit"),
            ("system", "pages.publish"),
            ("system", "projection.render"),
            ("system", "outbox.acknowledge"),
        ]

    deployments(scenario)


def test_a_scope_of_the_wrong_kind_is_refused(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(InvalidInput, match=r"pages\.list needs a TenantScope"):
            await deployment.rule("pages.list")
        with pytest.raises(InvalidInput, match=r"tenants\.list needs a PlatformScope"):
            await deployment.do("tenants.list")

    deployments(scenario)


def test_an_action_that_is_not_there_is_named_with_the_nearest(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(NotFound, match=r"'pages\.publsh'; did you mean 'pages\.publish'"):
            await deployment.do("pages.publsh", path="/")

    deployments(scenario)


# Tenants


def test_a_refused_tenant_leaves_nothing_behind(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = deployments.root / "data" / "tenants"

        async def state() -> Any:
            return sorted(file.stem for file in folder.glob("*.db")), await deployment.rule(
                "tenants.list"
            )

        before = await state()
        for given, words in (
            ({"slug": "aurora"}, "taken"),
            ({"slug": "Not One"}, "cannot be a tenant's slug"),
            ({"slug": "www"}, "reserved"),
            ({"theme": "none"}, "no theme 'none'"),
            ({"tier": "none"}, "'none'"),
            ({"tier": "free", "domains": ("new.example",)}, "no custom domains"),
            ({"domains": ("new.example", "Museum.example.")}, "museum.example is in use"),
            ({"domains": ("new.mosaic.test",)}, "below the platform's own domain"),
            ({"domains": ("not a host",)}, "'not a host' is no domain"),
        ):
            named = {"slug": "new", "name": "New", "tier": "open"} | given
            with pytest.raises(sdk.MosaicError, match=words):
                await deployment.rule("tenants.create", **named)
            assert await state() == before, given
        assert (await deployment.get("/", "new.example")).status_code == 404

    deployments(scenario)


def test_tenants_are_listed_with_their_hosts(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        listed = await deployment.rule("tenants.list")
        assert [view.slug for view in listed] == ["aurora", "bread", "steel"]
        assert listed[0].host == "aurora.mosaic.test"
        assert listed[0].domains == ("museum.example", "xn--bcher-kva.example")
        shown = await deployment.rule("tenants.show", slug="aurora")
        assert (shown.stored, shown.served) == (0, 0)
        assert shown.model_copy(update={"stored": None, "served": None}) == listed[0]
        made = await deployment.rule(
            "tenants.create", slug="new", name="New", tier="open", domains=("NEW.example",)
        )
        assert made.domains == ("new.example",)
        with pytest.raises(NotFound, match="no tenant 'gone'"):
            await deployment.rule("tenants.suspend", slug="gone")

    deployments(scenario)


# What plugins import


def test_the_sdk_has_all_that_an_action_needs(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(hasattr(sdk, name) for name in sdk.__all__)
    assert sdk.__doc__
    example = sdk.__doc__.partition("::\n")[2]
    lines = [line.removeprefix("    ") for line in example.splitlines()]
    names: dict[str, Any] = {"__name__": "example"}
    exec("\n".join(lines), names)

    async def scenario(deployment: Deployment) -> None:
        greeting = await deployment.do("greetings.greet", name="Zoe")
        assert greeting.text == "Aurora greets Zoe."

    plugins = plugins_with(monkeypatch, greet={"mosaic_actions": names["mosaic_actions"]})
    deployments(scenario, plugins=plugins)


def test_an_action_of_a_plugin_writes_like_any_other(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    @action("visits.shout", needs=Permission("update", "content"))
    async def shout(scope: TenantScope, command: Words) -> Count:
        """Writes a title in capitals."""
        from mosaic_cms.content.tree import find_page, find_site

        async def fn(write: Write) -> Count:
            page = await find_page(write.session, await find_site(write.session), command.path)
            page.title = page.title.upper()
            return Count(words=1)

        return await scope.write(fn)

    async def scenario(deployment: Deployment) -> None:
        await deployment.do("visits.shout", path="/visit/")
        assert (await deployment.do("pages.show", path="/visit/")).title == "VISIT"
        assert (await log_of(deployment, "aurora"))[-1] == ("operator:test", "visits.shout")

    plugins = plugins_with(monkeypatch, visits={"mosaic_actions": lambda: [shout]})
    deployments(scenario, plugins=plugins)


def test_scopes_are_what_they_say() -> None:
    assert sdk.PlatformScope is PlatformScope
    assert str(Actor("operator")) == "operator"
    assert [Actor(kind).trusted for kind in ("operator", "system", "account")] == [
        True,
        True,
        False,
    ]
