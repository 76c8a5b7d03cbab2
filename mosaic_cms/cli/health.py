"""``mosaic doctor``: what is wrong, and how to mend it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from mosaic_cms.cli.running import (
    AsJson,
    config_path,
    operator,
    print_json,
    progress_bar,
    say,
    show_table,
)
from mosaic_core.errors import MosaicError
from mosaic_core.persistence import Problem

if TYPE_CHECKING:
    from mosaic_cms.operations.mails import MailView
    from mosaic_cms.product import Product
    from mosaic_core.tenants import TenantContext


def doctor(as_json: AsJson = False) -> None:
    """Check configuration, plugins, databases, revisions, head chains, and what was left over."""
    with progress_bar("Checking", quiet=as_json) as progress:
        problems, tenants = asyncio.run(_examine(progress))
    if as_json:
        shown = [{"subject": p.subject, "what": p.what, "mend": p.mend} for p in problems]
        print_json({"tenants": tenants, "problems": shown})
    elif problems:
        rows = [(p.subject, p.what, p.mend) for p in problems]
        show_table(f"{len(rows)} problems", ("where", "what is wrong", "what to do"), rows)
    else:
        say(f"[green]✓[/] Configuration, plugins and the databases of {tenants} tenants are well.")
    if problems:
        raise typer.Exit(1)


async def _examine(progress: Callable[[str, int, int], None]) -> tuple[list[Problem], int]:
    from mosaic_cms.product import open_product
    from mosaic_core.plugins import examine
    from mosaic_core.settings import load_settings

    try:
        settings = load_settings(config_path())
        refused = [
            Problem(row.name, row.reason, "See above; then run 'mosaic doctor' again.")
            for row in examine(settings.platform.plugins)
            if row.state == "refused"
        ]
        if refused:
            return refused, 0
        async with open_product(settings) as product:
            return await _examine_databases(product, progress)
    except MosaicError as error:
        return [Problem("the deployment", error.message, error.hint)], 0


async def _examine_databases(
    product: Product, progress: Callable[[str, int, int], None]
) -> tuple[list[Problem], int]:
    from mosaic_core.head import PLATFORM
    from mosaic_core.head.log import verify

    directory = product.platform.directory
    problems: list[Problem] = []
    try:
        async with directory.database.session() as session:
            await verify(session, PLATFORM)
    except MosaicError as error:
        problems.append(Problem("the platform database", error.message, error.hint))
    records = await directory.records()
    problems += await _mail(product)
    for number, record in enumerate(records, 1):
        problems += await _examine_tenant(product, record.tenant)
        progress("tenants", number, len(records))
    known = {record.tenant.tenant_id for record in records}
    return problems + await _strays(product, known), len(records)


async def _mail(product: Product) -> list[Problem]:
    """Mail that has nothing to go through, and mail that did not get through for some time."""
    from mosaic_cms.operations.mails import WhichMails, list_mails
    from mosaic_cms.postman import LATE

    views = await list_mails(product.platform_scope(operator()), WhichMails())
    if views and product.platform.mailer is None:
        return [
            Problem(
                "mail",
                f"{len(views)} mails wait, and no plugin that sends mail is selected.",
                "Add mail_smtp to [platform] plugins and set it up; 'mosaic mail list' shows them.",
            )
        ]
    late: dict[str | None, list[MailView]] = {}
    for view in views:
        if view.state == "given up" or view.attempts >= LATE:
            late.setdefault(view.tenant, []).append(view)
    return [
        Problem(
            f"mail of {tenant or 'the platform'}",
            f"{len(found)} mails did not get out; the last: {found[-1].error}",
            "'mosaic mail list' shows them; mend what is named, then 'mosaic mail retry'.",
        )
        for tenant, found in late.items()
    ]


async def _strays(product: Product, known: set[str]) -> list[Problem]:
    problems: list[Problem] = []
    for name, persistence in product.platform.strategies().items():
        try:
            problems += await persistence.strays(known)
        except MosaicError as error:
            problems.append(Problem(name, error.message, error.hint))
    return problems


async def _examine_tenant(product: Product, tenant: TenantContext) -> list[Problem]:
    from mosaic_core.head import TENANT
    from mosaic_core.head.log import content_of, rebuild, verify

    where = f"tenant {tenant.slug}"
    try:
        persistence = product.platform.persistence(tenant)
        found = await persistence.check(tenant)
        if found:
            return [Problem(f"{where}: {p.subject}", p.what, p.mend) for p in found]
        async with persistence.session(tenant) as session:
            await verify(session, TENANT)
            if await rebuild(session, TENANT) != await content_of(
                session, product.platform.schema.metadata
            ):
                return [
                    Problem(
                        where,
                        "Its tables do not hold what its change log says.",
                        "Something else wrote to the database: compare with a backup.",
                    )
                ]
    except MosaicError as error:
        return [Problem(where, error.message, error.hint)]
    return []
