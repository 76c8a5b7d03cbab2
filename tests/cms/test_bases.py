"""Every change says what it is based on: nothing is put over what its author has not seen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_cms.api.shapes import shapes_of
from mosaic_cms.content.conflicts import EditConflict, revision_of, settled
from mosaic_core.errors import InvalidInput, PreconditionRequired
from tests.cms.deployment import SHOWN, Deployment, Deployments
from tests.cms.media.sending import send

#: What replaces no content that two people write, and why.
NO_CONTENT = {
    "accounts.change": "one's own",
    "media.focus": "one point",
    "media.replace": "the content before is kept as a version",
    "media.send_part": "one's own upload",
    "members.change": "one role",
    "networks.set": "of who comes in",
    "redirects.set": "one target",
    "sessions.choose": "one's own",
    "sso.set": "of who comes in",
    "tenant.rename": "one name",
}
ENTRY = {"title": "Visit", "target": "/visit/"}
OTHER = {"title": "News", "target": "/news/"}


async def things(deployment: Deployment) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """By the action that changes it: what names each thing, and a change of it."""
    text = {"type": "markdown", "data": {"text": "Nine."}}
    shared = await deployment.do("shared.create", name="Hours", blocks=[text])
    file = (await send(deployment, b"Words.", "words.txt")).media
    await deployment.do("menus.set", place="header", items=[ENTRY])
    return {
        "pages.edit": ({"path": "/visit/"}, {"title": "Mine"}),
        "shared.edit": ({"id": shared.id}, {"name": "Mine"}),
        "menus.set": ({"place": "header"}, {"items": [OTHER]}),
        "sites.configure": ({}, {"footer": "Mine"}),
        "media.edit": ({"media": file.reference}, {"caption": "Mine"}),
        "media.configure": ({}, {"kinds": ["pdf"]}),
    }


def test_a_change_that_says_nothing_of_it_is_refused_with_the_revision_there_is(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        perform, scope = deployment.product.actions.perform, deployment.scope()
        made = await things(deployment)
        assert made.keys() == SHOWN.keys()
        for name, (which, change) in made.items():
            before = await deployment.do(SHOWN[name][0], **which)
            with pytest.raises(PreconditionRequired, match="based on") as caught:
                await perform(name, scope, which | change)
            assert (caught.value.status, caught.value.revision) == (428, before.revision), name
            assert "If-Match" in caught.value.hint
            assert "--based-on" in caught.value.hint
            assert await deployment.do(SHOWN[name][0], **which) == before
            based_on = {"based_on": before.revision}
            saved = await perform(name, scope, which | change | based_on)
            assert saved.revision != before.revision
            assert (await deployment.do(SHOWN[name][0], **which)).revision == saved.revision

    deployments(scenario)


def test_whatever_replaces_something_is_based_on_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        replacing = {
            shape.action.name: shape.in_body
            for shape in shapes_of(deployment.product.actions)
            if shape.method in {"PUT", "PATCH"}
        }
        based = {name for name, fields in replacing.items() if "based_on" in fields}
        assert based == SHOWN.keys()
        assert replacing.keys() - based == NO_CONTENT.keys()

    deployments(scenario)


def test_what_two_changed_of_a_site_is_in_it_or_a_conflict_with_both(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await deployment.do("sites.show")
        based_on = {"based_on": seen.revision}
        await deployment.do("sites.configure", footer="Theirs.", languages=["de"], **based_on)
        merged = await deployment.do("sites.configure", tagline="Mine", **based_on)
        assert (merged.footer, merged.tagline, merged.languages) == ("Theirs.", "Mine", ("de",))
        with pytest.raises(EditConflict, match=r"The site 'main' was changed.*footer") as caught:
            await deployment.do("sites.configure", title="New", footer="Mine.", **based_on)
        (conflict,) = caught.value.conflicts
        shown = (conflict.where, conflict.mine, conflict.theirs)
        assert shown == ("footer", "Mine.", "Theirs.")
        assert await deployment.do("sites.show") == merged, "nothing of it was saved"
        whole = {"title": "New", "footer": seen.footer, "languages": seen.languages}
        saved = await deployment.do("sites.configure", **whole, **based_on)
        assert (saved.title, saved.footer, saved.languages) == ("New", "Theirs.", ("de",))
        settling = {"based_on": caught.value.revision}
        assert (await deployment.do("sites.configure", footer="Both.", **settling)).title == "New"

    deployments(scenario)


def test_what_two_said_of_a_file_is_kept_or_shown_to_the_second(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        file = (await send(deployment, b"Words.", "words.txt")).media
        which = {"media": file.reference, "based_on": file.revision}
        await deployment.do("media.edit", **which, tags=["kiln"], caption="Theirs")
        merged = await deployment.do("media.edit", **which, credit="Me")
        assert (merged.tags, merged.caption, merged.credit) == (("kiln",), "Theirs", "Me")
        with pytest.raises(EditConflict, match="caption") as caught:
            await deployment.do("media.edit", **which, name="other.txt", caption="Mine")
        assert [(c.mine, c.theirs) for c in caught.value.conflicts] == [("Mine", "Theirs")]
        now = await deployment.do("media.show", media=file.reference)
        assert (now.name, now.revision) == ("words.txt", caught.value.revision)

    deployments(scenario)


def test_a_menu_that_another_changed_is_not_set_again(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        perform, scope = deployment.product.actions.perform, deployment.scope()
        mine = {"place": "header", "items": [OTHER]}
        made = await perform("menus.set", scope, {"place": "header", "items": [ENTRY]})
        with pytest.raises(PreconditionRequired):
            await perform("menus.set", scope, mine)
        added = await deployment.do("menus.add", place="header", title="Ours", target="/")
        with pytest.raises(EditConflict, match=r"header menu \(en\)") as caught:
            await perform("menus.set", scope, mine | {"based_on": made.revision})
        (conflict,) = caught.value.conflicts
        assert [item["title"] for item in conflict.theirs] == ["Visit", "Ours"]
        assert [item["title"] for item in conflict.mine] == ["News"]
        assert await deployment.do("menus.one", place="header") == added
        emptied = await deployment.do("menus.set", place="header", items=[])
        with pytest.raises(EditConflict):
            await perform("menus.set", scope, mine | {"based_on": made.revision})
        based_on = {"based_on": emptied.revision}
        assert (await perform("menus.set", scope, mine | based_on)).items[0].title == "News"

    deployments(scenario)


@pytest.mark.parametrize("revision", ["", "x", "AAAA", "ü" * 100, "A" * 200])
def test_what_is_no_revision_is_said_to_be_none(deployments: Deployments, revision: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        perform, scope = deployment.product.actions.perform, deployment.scope()
        with pytest.raises(InvalidInput, match="is no revision of the site 'main'"):
            await perform("sites.configure", scope, {"title": "New", "based_on": revision})

    deployments(scenario)


VALUES = st.sampled_from(["", "a", "b", "c", None, ["a"], {"a": "b"}, True, 1])
FIELDS = st.fixed_dictionaries(dict.fromkeys(("one", "two", "three"), VALUES))


@given(FIELDS, FIELDS, FIELDS)
def test_of_two_changes_nothing_is_lost(
    base: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    def same(one: Any, two: Any) -> bool:
        return revision_of({"": one}) == revision_of({"": two})

    at_odds = {
        name
        for name in base
        if not (same(base[name], mine[name]) or same(base[name], theirs[name]))
        and not same(mine[name], theirs[name])
    }
    change = ("the thing", theirs, mine, revision_of(base))
    if at_odds:
        with pytest.raises(EditConflict) as caught:
            settled(*change)
        assert {each.where for each in caught.value.conflicts} == at_odds
        assert caught.value.revision == revision_of(theirs)
        return
    after = theirs | settled(*change)
    for name in base:
        expected = theirs[name] if same(base[name], mine[name]) else mine[name]
        assert same(after[name], expected)
