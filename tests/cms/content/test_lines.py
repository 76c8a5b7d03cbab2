"""What people call things by is a line in which something is to be seen, in any language."""

from __future__ import annotations

import pytest

from mosaic_cms.content.lines import is_line
from mosaic_core.errors import InvalidInput
from tests.cms.deployment import Deployment, Deployments

#: "I want": a word that is written with a joiner.
PERSIAN = "می\u200cخواهم"


@pytest.mark.parametrize(
    "line", ["a", "Ünï – 1", PERSIAN, "👩\u200d🎨", "🫨", "שלום\u200f!", "e\u0301", "日本"]
)
def test_words_of_any_language_are_a_line(line: str) -> None:
    assert is_line(line)


@pytest.mark.parametrize(
    "line", ["", " ", "\u200b\u200d", "a\nb", "a\x07", "a\u2028b", "\u202eabc", "a\ud800", "\uffff"]
)
def test_what_is_not_seen_or_breaks_a_line_is_none(line: str) -> None:
    assert not is_line(line)


def test_menus_tags_versions_and_shared_blocks_have_names_in_any_language(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("menus.add", place="header", title=PERSIAN, target="/visit/")
        assert PERSIAN in (await deployment.get("/")).text
        tags = {"tags": [PERSIAN]}
        await deployment.do("pages.edit", path="/visit/", details=tags)
        await deployment.do("pages.publish", path="/visit/")
        named = await deployment.do("pages.name_version", path="/visit/", name=PERSIAN)
        assert named.name == PERSIAN
        assert (await deployment.do("shared.create", name=PERSIAN)).name == PERSIAN
        assert [term.title for term in await deployment.do("terms.list")] == [PERSIAN]

    deployments(scenario)


def test_a_site_and_a_release_have_titles_that_are_seen(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for title in (" ", "\u200b", "a\x07b"):
            with pytest.raises(InvalidInput, match="no line of words"):
                await deployment.do("sites.configure", title=title)
            with pytest.raises(InvalidInput, match="no line of words"):
                await deployment.do("sites.create", key="shop", title=title)
            with pytest.raises(InvalidInput, match="no line of words"):
                await deployment.do("releases.create", title=title)
        view = await deployment.do("sites.configure", title="  The\n museum ")
        assert view.title == "The museum"

    deployments(scenario)
