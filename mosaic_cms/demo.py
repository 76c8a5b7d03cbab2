"""The demo: a deployment in ``sites/demo`` and a folder of content for each of its tenants."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from mosaic_core.errors import ConfigurationError, NotFound
from mosaic_core.settings import Settings, load_settings

Progress = Callable[[str, int, int], None]
_STAMP = "demo.json"


def sites_folder() -> Path:
    """The ``sites`` folder, of a checkout or of the installed distribution.

    Raises:
        ConfigurationError: there is none.
    """
    package = Path(__file__).parent
    for folder in (package.parent / "sites", package / "sites"):
        if (folder / "demo" / "mosaic.toml").is_file():
            return folder
    raise ConfigurationError("The demo's sites are not installed.", hint="Reinstall mosaic-cms.")


def deployment() -> tuple[Settings, Callable[[Progress], None]]:
    """The demo's settings, and what prepares its data.

    When nothing changed since the last time, preparing costs one look at the files.
    """
    settings = load_settings(sites_folder() / "demo")

    def prepare(progress: Progress) -> None:
        stamp = settings.data_dir / _STAMP
        state = _state(settings.root)
        if stamp.is_file() and json.loads(stamp.read_text("utf-8")) == state:
            return
        asyncio.run(_prepare(settings, progress))
        stamp.write_text(json.dumps(state), "utf-8")

    return settings, prepare


def tenants_of(settings: Settings) -> list[str]:
    """The slugs of a deployment's tenants: the folders that have a ``site.toml``."""
    return sorted(file.parent.name for file in (settings.root / "tenants").glob("*/site.toml"))


def _state(root: Path) -> dict[str, str]:
    """What the prepared data depends on: the content, the themes and the code's revision."""
    digest = hashlib.sha256()
    themes = Path(__file__).parent / "themes"
    for folder in (root, themes, Path(__file__).parent / "migrations"):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                facts = file.stat()
                digest.update(f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return {"digest": digest.hexdigest()}


async def _prepare(settings: Settings, progress: Progress) -> None:
    from mosaic_cms.migrating import migrate_platform, migrate_tenants
    from mosaic_cms.product import open_product
    from mosaic_cms.scope import SYSTEM

    await migrate_platform(settings)
    await migrate_tenants(settings, progress, SYSTEM)
    async with open_product(settings) as product:
        slugs = tenants_of(settings)
        for number, slug in enumerate(slugs, 1):
            await fill_tenant(product, slug, settings.root / "tenants" / slug)
            progress("sites", number, len(slugs))


async def fill_tenant(product: object, slug: str, folder: Path) -> None:
    """Makes a tenant, if need be, and brings its site to what a folder says.

    Raises:
        ConfigurationError: the folder's content has problems; all are named.
    """
    from mosaic_cms.importing.description import describe_site, surround_site
    from mosaic_cms.importing.report import Report, ReportLine
    from mosaic_cms.importing.site_file import read_site_file
    from mosaic_cms.importing.writing import Writer
    from mosaic_cms.operations.imports import ImportLine, ImportReport
    from mosaic_cms.product import Product
    from mosaic_cms.scope import SYSTEM

    assert isinstance(product, Product)
    described = read_site_file(folder / "site.toml")
    platform_scope = product.platform_scope(SYSTEM)
    try:
        tenant = product.platform.directory.named(slug)
    except NotFound:
        await product.actions.perform(
            "tenants.create",
            platform_scope,
            {"slug": slug, "name": described.title, "language": described.language, "home": False},
        )
        tenant = product.platform.directory.named(slug)
    scope = product.scope(tenant, SYSTEM)
    report: ImportReport = await product.actions.perform(
        "content.import_markdown", scope, {"folder": folder / "content"}
    )
    writer = Writer(scope, None, Report(), publish=True)
    await describe_site(writer, described)
    await surround_site(writer, described)
    faults: list[ImportLine | ReportLine] = [x for x in report.lines if x.level == "problem"]
    faults += writer.report.problems
    if faults:
        told = "\n".join(f"{line.source}:{line.line or 1}: {line.message}" for line in faults)
        raise ConfigurationError(f"The content of {slug!r} has problems:\n{told}")
