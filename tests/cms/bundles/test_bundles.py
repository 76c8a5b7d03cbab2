"""A tenant as one file: out of one place and into another, the same in every byte."""

from __future__ import annotations

import asyncio
import functools
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyrage
import pytest
from sqlalchemy import update

from mosaic_cms.unfinished import remove_left
from mosaic_core import bundle
from mosaic_core.bundle import exporting, loading
from mosaic_core.bundle.writing import BundleWriter
from mosaic_core.directory.tables import LeaseRow
from mosaic_core.errors import (
    BundleDamaged,
    BundleLocked,
    BundleNewer,
    ConfigurationError,
    Conflict,
    InvalidInput,
    LeaseLost,
    MosaicError,
    QuotaExceeded,
)
from mosaic_core.head import TENANT
from mosaic_core.head.log import Content, content_of, rebuild, verify
from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.moves.loading import grow
from tests.cms.test_web_files import store

PATHS = ("/", "/visit/", "/visit/hours/", "/deep/", "/deep/b/", "/deep/b/c/", "/deep/a/")


async def fill(deployment: Deployment) -> None:
    """Pages that stand above older ones, a draft, a schedule, a menu, a redirect and files."""
    for path in ("/deep/", "/deep/a/", "/deep/b/", "/deep/b/c/"):
        await deployment.add(path, body=f"# {path}\n\nTiles \U0001f40d and *more*.\n")
    await deployment.add("/top/", body="Younger than what will be below it.\n")
    await deployment.do("pages.move", path="/visit/", parent="/top/")
    await deployment.do("pages.move", path="/top/visit/", parent="/")
    await deployment.do("pages.edit", path="/deep/", title="Not shown yet")
    await deployment.do("pages.schedule", path="/deep/", at="2090-01-01 09:00")
    await deployment.do("redirects.set", source="/old/", target="/deep/")
    for name, size in (("kiln.txt", 80), ("ğlaze.txt", 3_000_000)):
        await store(deployment, "aurora", name, name.encode() * (size // 8))


async def state(deployment: Deployment, slug: str) -> tuple[Content, Content, int, bytes]:
    """What the tables hold, what the log says that they hold, and the head."""
    tenant = deployment.scope(slug).tenant
    persistence = deployment.product.platform.persistence(tenant)
    async with persistence.session(tenant) as session:
        await verify(session, TENANT)
        head = (await session.execute(TENANT.head.select())).mappings().one()
        rows = await content_of(session, deployment.product.platform.schema.metadata)
        return rows, await rebuild(session, TENANT), head["version"], head["digest"]


async def files(deployment: Deployment, slug: str) -> dict[str, str]:
    tenant = deployment.scope(slug).tenant
    storage = deployment.product.platform.storage(tenant)
    return {info.key: info.digest async for info in storage.list(tenant)}


class Made(NamedTuple):
    """A deployment, and a bundle of its tenant aurora."""

    deployment: Deployment
    file: Path
    runner: asyncio.Runner


@pytest.fixture
def made(deployments: Deployments, tmp_path: Path) -> Iterator[Made]:
    file = tmp_path / "aurora.mosaic"

    async def fill_and_export(deployment: Deployment) -> None:
        await fill(deployment)
        await deployment.do("tenants.export", file=file)

    with deployments.held() as (deployment, runner):
        runner.run(fill_and_export(deployment))
        yield Made(deployment, file, runner)


def in_its_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a test where what was made is open."""

    @functools.wraps(test)
    def run(made: Made, **given: Any) -> None:
        made.runner.run(test(made=made, **given))  # type: ignore[arg-type]

    return run


@in_its_loop
async def test_a_clone_is_the_tenant_again_with_its_history_and_its_files(made: Made) -> None:
    deployment, file, _ = made
    before = await state(deployment, "aurora")
    report = await deployment.rule("tenants.import", file=file, slug="clone")
    after = await state(deployment, "clone")
    assert after[0] == before[0]
    assert after[1] == before[1]
    assert report.bundle.version == before[2]
    assert report.bundle.digest == before[3].hex()
    assert await files(deployment, "clone") == await files(deployment, "aurora")
    for path in (*PATHS, "/old/"):
        shown = [
            await deployment.get(path, host=f"{slug}.mosaic.test") for slug in ("aurora", "clone")
        ]
        assert shown[0].status_code == shown[1].status_code, path
        theirs = shown[0].text.replace("museum.example", "clone.mosaic.test")
        assert theirs == shown[1].text, path
    await deployment.do("pages.edit", "clone", path="/deep/", title="Only in the clone")
    assert (await state(deployment, "aurora"))[0] == before[0]


@in_its_loop
async def test_a_bundle_is_an_archive_that_any_tool_can_read(made: Made) -> None:
    file = made.file
    with tarfile.open(file) as archive:
        names = archive.getnames()
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        pages = archive.extractfile("tables/pages/000001.jsonl.gz")
        assert pages is not None
        rows = [json.loads(line) for line in gzip.decompress(pages.read()).splitlines()]
    assert names[0] == "manifest.json"
    assert names[-1] == "seal.json"
    assert manifest["format"] == bundle.FORMAT
    assert manifest["tenant"]["slug"] == "aurora"
    ids = [row["id"] for row in rows]
    for row in rows:  # each after the one that it points to
        assert row["parent_id"] is None or row["parent_id"] in ids[: ids.index(row["id"])]


@in_its_loop
async def test_no_damage_goes_unseen_and_the_error_names_the_part(
    made: Made, tmp_path: Path
) -> None:
    deployment, file, _ = made
    content = file.read_bytes()
    spoiled = tmp_path / "spoiled.mosaic"
    with tarfile.open(file) as archive:
        members = archive.getmembers()
    for member in members:
        at = member.offset_data + member.size // 2
        spoiled.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(BundleDamaged, match=member.name):
            bundle.check(spoiled, progress=quiet)
    for member in members[1:]:  # cut off before it, in its header and in its content
        for at in (member.offset, member.offset + 700, member.offset_data + member.size // 2):
            spoiled.write_bytes(content[:at])
            with pytest.raises(BundleDamaged, match=r"cut off|damaged"):
                bundle.check(spoiled, progress=quiet)
    for left_out in members[1:-1]:
        end = left_out.offset_data + left_out.size + -left_out.size % 512
        spoiled.write_bytes(content[: left_out.offset] + content[end:])
        with pytest.raises(BundleDamaged):
            bundle.check(spoiled, progress=quiet)
    with pytest.raises(BundleDamaged):
        await deployment.rule("tenants.import", file=spoiled, slug="spoiled")
    assert deployment.product.platform.directory.tenant_of_slug("spoiled") is None
    assert await strays(deployment) == []


@in_its_loop
async def test_a_bundle_of_a_newer_format_or_schema_is_refused(made: Made, tmp_path: Path) -> None:
    deployment, file, _ = made
    newer = tmp_path / "newer.mosaic"
    rewrite(file, newer, format=bundle.FORMAT + 1)
    with pytest.raises(BundleNewer, match="format"):
        bundle.check(newer, progress=quiet)
    rewrite(file, newer, revision="c9999,k9999")
    with pytest.raises(BundleNewer, match="c9999"):
        await deployment.rule("tenants.import", file=newer, slug="newer")
    assert await strays(deployment) == []


@pytest.mark.parametrize("kind", ["link", "name", "bomb", "header", "nothing", "text", "folder"])
@in_its_loop
async def test_a_hostile_archive_is_refused(kind: str, made: Made, tmp_path: Path) -> None:
    deployment, file, _ = made
    hostile = tmp_path / "hostile.mosaic"
    if kind == "nothing":
        hostile.write_bytes(b"")
    elif kind == "text":
        hostile.write_text("This is no bundle. " * 100)
    elif kind == "folder":
        hostile.mkdir()
    else:
        forge(file, hostile, kind)
    with pytest.raises(MosaicError) as raised:
        await deployment.rule("tenants.import", file=hostile, slug="hostile")
    assert str(tmp_path) not in raised.value.message
    assert await strays(deployment) == []


@in_its_loop
async def test_an_encrypted_bundle_opens_with_its_key_alone(made: Made, tmp_path: Path) -> None:
    deployment = made.deployment
    ours, another = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    file = tmp_path / "locked.mosaic"
    await deployment.do("tenants.export", file=file, recipients=[str(ours.to_public())])
    assert b"aurora" not in file.read_bytes()
    for key in (None, str(another), "AGE-SECRET-KEY-1NONE"):
        with pytest.raises(BundleLocked):
            bundle.check(file, identity=key, progress=quiet)
    assert bundle.check(file, identity=str(ours), progress=quiet).manifest.tenant.slug == "aurora"
    given = {"file": file, "slug": "unlocked", "identity": str(ours)}
    await deployment.rule("tenants.import", **given)
    assert (await state(deployment, "unlocked"))[0] == (await state(deployment, "aurora"))[0]
    spoiled = file.read_bytes()
    file.write_bytes(spoiled[: len(spoiled) // 2])
    with pytest.raises(MosaicError):
        bundle.check(file, identity=str(ours), progress=quiet)
    with pytest.raises(InvalidInput, match="age1"):
        await deployment.do("tenants.export", file=file, recipients=["me"], force=True)


@in_its_loop
async def test_a_bundle_becomes_a_tenant_once_under_each_name(made: Made, tmp_path: Path) -> None:
    deployment, file, _ = made
    with pytest.raises(Conflict, match="--as"):
        await deployment.rule("tenants.import", file=file)
    await deployment.rule("tenants.import", file=file, slug="one")
    await deployment.rule("tenants.import", file=file, slug="two", name="Two", tier="white")
    assert deployment.scope("two").tenant.name == "Two"
    with pytest.raises(InvalidInput, match="no tier"):
        await deployment.rule("tenants.import", file=file, slug="three", tier="gold")
    with pytest.raises(ConfigurationError, match="not selected"):
        await deployment.rule("tenants.import", file=file, slug="three", tier="enterprise")
    assert await deployment.product.platform.directory.imports.going(datetime.now(UTC)) == []
    with pytest.raises(Conflict, match="there already"):
        await deployment.do("tenants.export", file=file)
    await deployment.do("tenants.export", file=file, force=True)


@in_its_loop
async def test_what_does_not_fit_a_tier_leaves_nothing(made: Made, tmp_path: Path) -> None:
    deployment = made.deployment
    await deployment.do("sites.create", key="second", title="Second")
    many = tmp_path / "many.mosaic"
    await deployment.do("tenants.export", file=many)
    with pytest.raises(QuotaExceeded, match="2 sites"):
        await deployment.rule("tenants.import", file=many, slug="small", tier="free")
    assert deployment.product.platform.directory.tenant_of_slug("small") is None
    assert await strays(deployment) == []


@in_its_loop
async def test_an_export_that_was_broken_off_goes_on(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = made.deployment
    file = tmp_path / "again.mosaic"
    read: list[str] = []
    original = exporting._file

    async def broken(source: Any, writer: Any, info: Any) -> None:
        read.append(info.key)
        if len(read) == 2:
            raise RuntimeError("the machine stops")
        await original(source, writer, info)

    monkeypatch.setattr(exporting, "_file", broken)
    with pytest.raises(RuntimeError):
        await deployment.do("tenants.export", file=file)
    assert not file.exists()
    first = bundle_id(tmp_path / "again.mosaic.part")
    await deployment.do("tenants.export", file=file)
    assert len(read) == 3  # the first file was there
    assert bundle.check(file, progress=quiet).manifest.bundle_id == first
    # After a write, the unfinished file is of another state, and begun anew.
    read.clear()
    with pytest.raises(RuntimeError):
        await deployment.do("tenants.export", file=file, force=True)
    await deployment.do("pages.edit", path="/deep/", title="Another state")
    await deployment.do("tenants.export", file=file, force=True)
    assert bundle.check(file, progress=quiet).manifest.bundle_id != first


@in_its_loop
async def test_an_import_that_was_broken_off_goes_on(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, file, _ = made
    put: list[str] = []
    original = loading._Loading._put
    stops_at = 3

    async def counted(self: Any, table: Any, values: Any) -> None:
        put.append("" if table is None else table.name)
        if len(put) == stops_at:
            raise asyncio.CancelledError
        await original(self, table, values)

    monkeypatch.setattr(loading._Loading, "_put", counted)
    with pytest.raises(asyncio.CancelledError):
        await deployment.rule("tenants.import", file=file, slug="slow")
    assert deployment.product.platform.directory.tenant_of_slug("slow") is None
    begun = put[: stops_at - 1]
    await deployment.rule("tenants.import", file=file, slug="slow")
    assert put[stops_at:][0] not in begun
    assert (await state(deployment, "slow"))[:2] == (await state(deployment, "aurora"))[:2]


@in_its_loop
async def test_an_export_that_goes_on_has_the_files_that_are_there_now(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, file = made.deployment, tmp_path / "again.mosaic"
    tenant = deployment.scope().tenant
    storage = deployment.product.platform.storage(tenant)
    seal = BundleWriter.seal

    def stopped(*given: Any) -> None:
        raise RuntimeError("the machine stops")

    for change in ("gone", "come"):
        monkeypatch.setattr(BundleWriter, "seal", stopped)
        with pytest.raises(RuntimeError):
            await deployment.do("tenants.export", file=file, force=True)
        keys = sorted(await files(deployment, "aurora"))
        if change == "gone":  # the first of them, which no write to the tenant says
            await storage.delete(tenant, keys[0])
        else:
            await storage.write(tenant, "aaa/first.txt", chunks(b"first"))
        monkeypatch.setattr(BundleWriter, "seal", seal)
        await deployment.do("tenants.export", file=file, force=True)
        there = await files(deployment, "aurora")
        assert bundle.check(file, progress=quiet).seal.files == len(there)
        with bundle.open_bundle(file) as opened:
            found = [m.key for m in opened.members() if m.table is None]
        assert found == sorted(there)


@in_its_loop
async def test_two_imports_of_one_bundle_do_not_meet(made: Made, tmp_path: Path) -> None:
    deployment, file, _ = made
    outcomes = await asyncio.gather(
        *(deployment.rule("tenants.import", file=file, slug="twice") for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(not isinstance(one, BaseException) for one in outcomes) == 1
    assert all(isinstance(one, Conflict) for one in outcomes if isinstance(one, BaseException))
    assert (await state(deployment, "twice"))[0] == (await state(deployment, "aurora"))[0]
    assert (await deployment.get("/visit/", host="twice.mosaic.test")).status_code == 200


def test_the_same_bundle_is_another_tenant_in_each_installation(
    deployments: Deployments, tmp_path: Path
) -> None:
    """So that two that share a server never have the same database."""
    file = tmp_path / "aurora.mosaic"

    async def scenario() -> None:
        async with opened(deployments.copy()) as one, opened(deployments.copy()) as other:
            await one.do("tenants.export", file=file)
            views = [
                await each.rule("tenants.import", file=file, slug="shop") for each in (one, other)
            ]
            assert views[0].tenant_id != views[1].tenant_id

    asyncio.run(scenario())


@in_its_loop
async def test_an_import_whose_lease_ran_out_goes_on_while_nobody_takes_it(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is on a machine that is too busy to renew it in time."""
    deployment, file, _ = made
    original = loading._Loading._put

    async def run_out(write: Any) -> None:
        await write.session.execute(update(LeaseRow).values(renewed=0))

    async def put(self: Any, *given: Any) -> None:
        await deployment.product.platform.directory.note(run_out, actor="t", action="t")
        await original(self, *given)

    monkeypatch.setattr(loading._Loading, "_put", put)
    await deployment.rule("tenants.import", file=file, slug="slow")
    assert (await state(deployment, "slow"))[0] == (await state(deployment, "aurora"))[0]


def test_others_have_their_turn_while_many_rows_are_put_in(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among them what renews the import's lease, in a file that takes rows without waiting."""
    file, original = tmp_path / "much.mosaic", loading._Loading._put
    turns, seen = 0, list[tuple[int, int]]()

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def put(self: Any, table: Any, values: Any) -> None:
        before = turns
        await original(self, table, values)
        seen.append((len(values), turns - before))

    async def scenario(deployment: Deployment) -> None:
        await fill(deployment)
        await grow(deployment, rows=3000, files=0)
        await deployment.do("tenants.export", file=file)
        monkeypatch.setattr(loading._Loading, "_put", put)
        counting = asyncio.create_task(count_turns())
        await deployment.rule("tenants.import", file=file, slug="much")
        counting.cancel()

    deployments(scenario)
    rows, had = max(seen)
    assert rows >= 1000
    assert had >= rows / 200


@pytest.mark.parametrize("then", ["goes on", "fails"])
def test_a_process_that_was_held_up_leaves_what_another_imported(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    root, file = deployments.copy(), tmp_path / "steel.mosaic"
    stands, goes = asyncio.Event(), asyncio.Event()
    original = loading._Loading._rows

    async def rows(self: Any, *given: Any) -> None:
        if self._there and not stands.is_set():  # after its first part
            stands.set()
            await goes.wait()
            if then == "fails":
                raise OSError("no")
        await original(self, *given)

    async def forget(write: Any) -> None:
        """Nobody renewed the lease of whoever is held up."""
        await write.session.execute(update(LeaseRow).values(renewed=0))

    async def scenario() -> None:
        async with opened(root) as late, opened(root) as other:
            await other.do("tenants.export", "steel", file=file)
            monkeypatch.setattr(loading._Loading, "_rows", rows)
            first = asyncio.create_task(late.rule("tenants.import", file=file, slug="two"))
            await stands.wait()
            await other.product.platform.directory.note(forget, actor="t", action="t")
            await other.rule("tenants.import", file=file, slug="two")
            await other.add("/mine/", "two", body="Acknowledged.")
            goes.set()
            with pytest.raises((LeaseLost, OSError)):
                await first
            assert "Acknowledged." in (await other.get("/mine/", "two.mosaic.test")).text
            tenant = other.scope("two").tenant
            assert await other.product.platform.persistence(tenant).check(tenant) == []
            assert await strays(other) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("first_is", ["at work", "held up"])
def test_of_two_bundles_under_one_slug_one_becomes_the_tenant(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first_is: str
) -> None:
    """While somebody works at the first, the second is refused before anything is made of it; when
    nobody seems to, whoever is late, at the end."""
    root, files = deployments.copy(), [tmp_path / f"{slug}.mosaic" for slug in ("aurora", "steel")]
    stands, goes = asyncio.Event(), asyncio.Event()
    original = loading._Loading._end
    loads = 0

    async def end(self: Any, *given: Any) -> None:
        nonlocal loads
        loads += 1
        if not stands.is_set():
            stands.set()
            await goes.wait()
        await original(self, *given)

    async def forget(write: Any) -> None:
        await write.session.execute(update(LeaseRow).values(renewed=0))

    async def import_(into: Deployment, file: Path) -> Any:
        return await into.rule("tenants.import", file=file, slug="shop", tier="open")

    async def scenario() -> None:
        async with opened(root) as one, opened(root) as other:
            for slug, file in zip(("aurora", "steel"), files, strict=True):
                await one.do("tenants.export", slug, file=file)
            monkeypatch.setattr(loading._Loading, "_end", end)
            first = asyncio.create_task(import_(one, files[0]))
            await stands.wait()
            directory = other.product.platform.directory
            if first_is == "held up":
                await directory.note(forget, actor="t", action="t")
                await import_(other, files[1])
                goes.set()
                with pytest.raises(Conflict, match="The slug 'shop' is taken"):
                    await first
            else:
                with pytest.raises(Conflict, match="The slug 'shop' is taken"):
                    await import_(other, files[1])
                assert loads == 1
                assert len(await directory.imports.going(datetime.now(UTC))) == 1
                goes.set()
                await first
            whose = {"at work": "aurora", "held up": "steel"}[first_is]
            assert f"at {whose}." in (await other.get("/visit/", "shop.mosaic.test")).text
            assert await directory.imports.going(datetime.now(UTC)) == []
            assert await strays(other) == []

    asyncio.run(scenario())


@in_its_loop
async def test_what_nobody_goes_on_with_is_removed_after_a_week(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, file, _ = made
    platform = deployment.product.platform

    async def stopped(*given: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(loading._Loading, "_end", stopped)
        with pytest.raises(asyncio.CancelledError):
            await deployment.rule("tenants.import", file=file, slug="half")
    now = datetime.now(UTC)
    assert await remove_left(platform, now + timedelta(days=6)) == 0
    assert len(await strays(deployment)) == 1
    assert await remove_left(platform, now + timedelta(days=8)) == 1
    assert await strays(deployment) == []
    assert await platform.directory.imports.going(now) == []


@in_its_loop
async def test_an_import_whose_end_a_backup_does_not_know_is_not_removed(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, file, _ = made
    platform = deployment.product.platform

    async def stopped(*given: Any, **named: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(type(platform.directory), "add", stopped)
        with pytest.raises(asyncio.CancelledError):
            await deployment.rule("tenants.import", file=file, slug="half")
    week = datetime.now(UTC) + timedelta(days=8)
    assert await remove_left(platform, week) == 0
    assert len(await strays(deployment)) == 1
    assert await platform.directory.imports.going(week) == []  # the doctor tells of it
    await deployment.rule("tenants.import", file=file, slug="half")
    assert (await state(deployment, "half"))[:2] == (await state(deployment, "aurora"))[:2]


def quiet(what: str, done: int, of: int) -> None:
    """Nobody looks."""


def bundle_id(file: Path) -> Any:
    with bundle.open_bundle(file) as opened:
        return opened.manifest.bundle_id


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def strays(deployment: Deployment) -> list[Any]:
    """Databases of tenants that nobody knows."""
    platform = deployment.product.platform
    known = [record.tenant.tenant_id for record in await platform.directory.records()]
    return [x for one in platform.strategies.values() for x in await one.strays(known)]


def rewrite(source: Path, target: Path, **facts: Any) -> None:
    """The same bundle, with other facts in its manifest, and sealed again."""
    with bundle.open_bundle(source) as opened, target.open("wb") as file:
        writer = BundleWriter(file)
        manifest = opened.manifest.model_dump(mode="json") | facts
        writer.add("manifest.json", json.dumps(manifest).encode())
        for member in opened.members():
            writer.add(member.name, member.content())
        seal = opened.seal
        assert seal is not None
        writer.seal(seal.rows, seal.changes, seal.files, seal.size)


def forge(source: Path, target: Path, kind: str) -> None:
    """A bundle with something in it that nobody should take."""
    with tarfile.open(source) as archive:
        manifest = (archive.extractfile("manifest.json") or io.BytesIO()).read()
    content = gzip.compress(b"[" + bytes(400_000_000)) if kind == "bomb" else b"x"
    name = {"link": "files/x", "name": "files/../../x", "bomb": "tables/sites/000001.jsonl.gz"}
    with target.open("wb") as file:
        for member, data in (("manifest.json", manifest), (name.get(kind, "files/x"), content)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            info.pax_headers = {"MOSAIC.sha256": hashlib.sha256(data).hexdigest()}
            if member != "manifest.json" and kind == "link":
                info.type, info.linkname, info.size, data = tarfile.SYMTYPE, "/etc/passwd", 0, b""
            if member != "manifest.json" and kind == "header":
                info.pax_headers["comment"] = "x" * 100_000
            file.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))
            file.write(data + bytes(-len(data) % 512))
        file.write(bytes(1024))
