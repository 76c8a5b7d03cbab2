"""Keys, and what is done with several of them."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import pytest

from mosaic_core.errors import (
    Conflict,
    InvalidKey,
)
from mosaic_core.storage import Storage
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.hostile import HOSTILE_FILES, HOSTILE_KEYS
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.storage.tools import (
    assert_nothing,
    chunked,
    content_of,
    digest_of,
    keys_of,
    leased,
)


class KeysContract(Contract[Storage]):
    """What a key is; listing, copying, removing."""

    @pytest.mark.parametrize(("key", "why"), [pytest.param(k, w, id=t) for t, k, w in HOSTILE_KEYS])
    @contract_test
    async def test_a_hostile_key_is_refused_everywhere_and_it_is_said_why(
        self, storage: Storage, key: str, why: str
    ) -> None:
        tenant = make_tenant()
        await storage.write(tenant, "good.txt", chunked(b"good"))
        calls: list[Callable[[], Awaitable[object]]] = [
            partial(storage.write, tenant, key, chunked(b"bad")),
            partial(content_of, storage, tenant, key),
            partial(storage.stat, tenant, key),
            partial(storage.delete, tenant, key),
            partial(storage.copy, tenant, "good.txt", key),
            partial(storage.copy, tenant, key, "copy.txt"),
            partial(leased, storage, tenant, key),
            partial(storage.begin_upload, tenant, key, size=3),
            partial(storage.signed_url, tenant, key, expires_in=timedelta(minutes=1)),
        ]
        for call in calls:
            with pytest.raises(InvalidKey, match=why):
                await call()
        assert await keys_of(storage, tenant) == ["good.txt"]
        assert await storage.usage(tenant) == len(b"good")

    @contract_test
    async def test_hostile_files_are_no_more_than_bytes(self, storage: Storage) -> None:
        """What is in a file is looked at before it is stored, and means nothing to a storage."""
        tenant, contents = make_tenant(), dict[str, str]()
        for file in HOSTILE_FILES:
            content = file.make()
            try:
                info = await storage.write(tenant, f"media/{file.name}", chunked(content, 100_000))
            except InvalidKey:
                info = await storage.write(tenant, "media/a.bin", chunked(content, 100_000))
            assert info.key.startswith("media/"), file.title
            contents[info.key] = digest_of(content)
            assert info.digest == digest_of(content), file.title
            assert digest_of(await content_of(storage, tenant, info.key)) == info.digest
        assert {info.key: info.digest async for info in storage.list(tenant)} == contents

    @contract_test
    async def test_unusual_keys_work(self, storage: Storage) -> None:
        tenant = make_tenant()
        keys = [
            "a",
            ".hidden",
            "...dots",
            "two words.txt",
            "100%.txt",
            "a%2Fb.txt",
            "q?x=1&y=2#z.txt",
            "čeština/Öl/日本語/عربى.txt",
            "x" * 180,
            "/".join(["0123456789"] * 46),
            "console.txt",
            "content/facts/drafts.json",
        ]
        for key in keys:
            await storage.write(tenant, key, chunked(key.encode()))
        for key in keys:
            assert await content_of(storage, tenant, key) == key.encode()
        assert await keys_of(storage, tenant) == sorted(keys)

    @contract_test
    async def test_two_spellings_of_one_text_are_one_key(self, storage: Storage) -> None:
        tenant = make_tenant()
        composed = "caf\u00e9/\u00fcber.txt"
        decomposed = unicodedata.normalize("NFD", composed)
        assert composed != decomposed
        await storage.write(tenant, decomposed, chunked(b"first"))
        info = await storage.write(tenant, composed, chunked(b"second"))
        assert info.key == composed
        assert await content_of(storage, tenant, decomposed) == b"second"
        assert await keys_of(storage, tenant) == [composed]
        assert await keys_of(storage, tenant, decomposed[:6]) == [composed]
        await storage.delete(tenant, decomposed)
        assert await keys_of(storage, tenant) == []

    @contract_test
    async def test_a_key_below_a_file_is_stored_or_refused_and_harms_nothing(
        self, storage: Storage
    ) -> None:
        for first, second in (("a", "a/b"), ("a/b", "a")):
            tenant = make_tenant()
            await storage.write(tenant, first, chunked(b"first"))
            try:
                await storage.write(tenant, second, chunked(b"second"))
            except Conflict:
                assert await keys_of(storage, tenant) == [first]
                assert await storage.usage(tenant) == len(b"first")
            else:
                assert await content_of(storage, tenant, second) == b"second"
            assert await content_of(storage, tenant, first) == b"first"
            await storage.delete(tenant, first)
            await storage.write(tenant, second, chunked(b"third"))
            assert await content_of(storage, tenant, second) == b"third"
            assert await keys_of(storage, tenant) == [second]

    @contract_test
    async def test_a_list_is_in_the_order_of_keys_and_below_its_prefix(
        self, storage: Storage
    ) -> None:
        tenant = make_tenant()
        keys = [
            "b",
            "a/2",
            "a/10",
            "a-b",
            "a.b",
            "a/1/x",
            "B",
            "ä",
            "a0",
            "ab/1",
            "\U0001f40d",
            "ﬀ",
        ]
        for key in keys:
            await storage.write(tenant, key, chunked(b"."))
        hostile = ("..", "/", "../", "a/../", "a//", "./", "/a", "../tenant-", "con/")
        for prefix in ("", "a", "a/", "a/1", "ab", "ä", "z", "A", "a/1/x", "a/1/xy", *hostile):
            expected = sorted(key for key in keys if key.startswith(prefix))
            assert await keys_of(storage, tenant, prefix) == expected
        async for info in storage.list(tenant):
            assert info == await storage.stat(tenant, info.key)

    @contract_test
    async def test_a_copy_is_a_file_of_its_own(self, storage: Storage) -> None:
        tenant, content = make_tenant(), secrets.token_bytes(300_000)
        source = await storage.write(tenant, "a.bin", chunked(content))
        copied = await storage.copy(tenant, "a.bin", "deep/er/b.bin")
        assert (copied.key, copied.size) == ("deep/er/b.bin", source.size)
        assert copied.digest == source.digest
        await storage.delete(tenant, "a.bin")
        assert await content_of(storage, tenant, "deep/er/b.bin") == content
        await storage.write(tenant, "c.bin", chunked(b"other"))
        await storage.copy(tenant, "deep/er/b.bin", "c.bin")
        assert await content_of(storage, tenant, "c.bin") == content
        await storage.copy(tenant, "c.bin", "c.bin")
        assert await content_of(storage, tenant, "c.bin") == content

    @contract_test
    async def test_deleting_what_is_gone_is_no_error(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.delete(tenant, "folder/a.txt")
        await storage.write(tenant, "folder/a.txt", chunked(b"a"))
        for key in ("absent.txt", "folder", "folder/a.txt/b.txt"):
            await storage.delete(tenant, key)
        assert await keys_of(storage, tenant) == ["folder/a.txt"]
        await storage.delete(tenant, "folder/a.txt")
        await storage.delete(tenant, "folder/a.txt")
        await assert_nothing(storage, tenant, "folder/a.txt")

    @contract_test
    async def test_a_name_that_was_a_folder_can_be_a_file(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.write(tenant, "a/b/c", chunked(b"1"))
        await storage.delete(tenant, "a/b/c")
        await storage.write(tenant, "a", chunked(b"2"))
        await storage.delete(tenant, "a")
        await storage.write(tenant, "a/b", chunked(b"3"))
        assert await keys_of(storage, tenant) == ["a/b"]

    @contract_test
    async def test_usage_is_the_sum_of_the_files(self, storage: Storage) -> None:
        tenant = make_tenant()
        assert await storage.usage(tenant) == 0
        await storage.write(tenant, "a", chunked(b"x" * 1_000))
        await storage.write(tenant, "b/c", chunked(b"x" * 234))
        assert await storage.usage(tenant) == 1_234
        await storage.write(tenant, "a", chunked(b"x" * 10))
        await storage.copy(tenant, "a", "d")
        assert await storage.usage(tenant) == 254
        await storage.delete(tenant, "b/c")
        assert await storage.usage(tenant) == 20

    @contract_test
    async def test_dropping_leaves_nothing_and_a_new_beginning(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.drop(tenant)
        for key in ("a", "b/c", "b/d/e"):
            await storage.write(tenant, key, chunked(b"x"))
        await storage.drop(tenant)
        await storage.drop(tenant)
        assert await keys_of(storage, tenant) == []
        await assert_nothing(storage, tenant, "b/c")
        await storage.write(tenant, "b/c", chunked(b"new"))
        assert await keys_of(storage, tenant) == ["b/c"]
