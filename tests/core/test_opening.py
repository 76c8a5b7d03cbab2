"""What a selected plugin does when it is opened and closed is told with its name, and is its own
trouble alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from mosaic_core import opening
from mosaic_core.errors import ConfigurationError, MosaicError, PluginInvalid, StorageUnreachable
from mosaic_core.opening import open_platform
from mosaic_core.platform import platform_database, platform_history
from mosaic_core.provider import NoSettings, Provider
from mosaic_core.settings import make_settings
from mosaic_core.testing.tables import toy_schema
from tests.cms.plugs import plugins_with

WHOSE = "'attic' of the plugin 'loft' of dist-loft 1.0"


async def use(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    *providers: Provider[Any],
    own: dict[str, Any] | None = None,
    fails: Exception | None = None,
) -> None:
    """Opens and closes a platform whose one plugin beside the shipped ones has these providers."""
    settings = make_settings({"plugins": {"loft": own or {}}}, root=root)
    database = platform_database(settings, platform_history())
    await database.migrate()
    await database.close()
    plugins = plugins_with(
        monkeypatch,
        loft={"mosaic_storage": lambda: providers[0], "mosaic_mail": lambda: providers[-1]},
    )
    async with open_platform(settings, toy_schema(), plugins=plugins):
        if fails is not None:
            raise fails


def provider(begin: Callable[[], Any], end: Callable[[], Any] = lambda: None) -> Provider[Any]:
    @asynccontextmanager
    async def opened(settings: NoSettings, services: Any) -> AsyncIterator[object]:
        begin()
        try:
            yield object()
        finally:
            if asyncio.iscoroutine(ending := end()):
                await ending

    return Provider(name="attic", settings=NoSettings, open=opened)


def refuse() -> None:
    raise OSError("no room under the roof")


@pytest.mark.parametrize(
    ("open_", "why"),
    [
        (provider(refuse).open, "OSError: no room under the roof"),
        (lambda settings, services: refuse(), "OSError: no room under the roof"),
        (lambda settings: settings, "TypeError: "),
        (lambda settings, services: object(), "AttributeError: "),
    ],
    ids=["raises inside", "raises", "takes something else", "is no context"],
)
def test_what_cannot_be_opened_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_: Any, why: str
) -> None:
    broken = Provider(name="attic", settings=NoSettings, open=open_)
    with pytest.raises(PluginInvalid) as caught:
        asyncio.run(use(tmp_path, monkeypatch, broken))
    assert caught.value.message.startswith(f"{WHOSE} cannot be opened: {why}")
    assert "[plugins.loft]" in caught.value.hint


def test_an_error_of_ours_arrives_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise StorageUnreachable("The attic does not answer.", hint="Look for its stairs.")

    with pytest.raises(StorageUnreachable, match="stairs"):
        asyncio.run(use(tmp_path, monkeypatch, provider(away)))


def test_a_setting_that_does_not_fit_is_named_with_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Roof(BaseModel, extra="forbid"):
        tiles: int = 0

    given = Provider(name="attic", settings=Roof, open=provider(lambda: None).open)
    with pytest.raises(ConfigurationError, match=r"\[plugins\.loft\]: tilse.*'tiles'"):
        asyncio.run(use(tmp_path, monkeypatch, given, own={"tilse": 1}))


def test_what_was_opened_before_is_closed_when_another_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    good = provider(lambda: None, lambda: closed.append("attic"))
    with pytest.raises(PluginInvalid):
        asyncio.run(use(tmp_path, monkeypatch, good, provider(refuse)))
    assert closed == ["attic"]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda: asyncio.sleep(3600), "was not closed within 0.2 s"),
        (refuse, "cannot be closed"),
    ],
    ids=["hangs", "raises"],
)
@pytest.mark.parametrize("fails", [None, MosaicError("Something else.")], ids=["well", "failing"])
def test_who_does_not_close_keeps_no_other_open_and_no_process_up(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    end: Callable[[], Any],
    told: str,
    fails: MosaicError | None,
) -> None:
    """And what the process failed of is what it ends with."""
    monkeypatch.setattr(opening, "CLOSING", 0.2)
    closed: list[str] = []
    first = provider(lambda: None, lambda: closed.append("first"))

    async def main() -> None:
        async with asyncio.timeout(30):
            await use(tmp_path, monkeypatch, first, provider(lambda: None, end), fails=fails)

    if fails is None:
        asyncio.run(main())
    else:
        with pytest.raises(MosaicError) as caught:
            asyncio.run(main())
        assert caught.value is fails
    assert closed == ["first"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{WHOSE} {told}")
