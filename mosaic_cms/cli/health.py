"""``mosaic doctor``: what is wrong, and how to mend it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mosaic_cms.cli.issuers import examine_sign_ins
from mosaic_cms.cli.running import (
    AsJson,
    config_path,
    counted,
    operator,
    print_json,
    progress_bar,
    say,
    show_table,
)
from mosaic_cms.cli.strays import remove_strays
from mosaic_core.errors import MosaicError
from mosaic_core.problem import Problem

if TYPE_CHECKING:
    from mosaic_cms.operations.mails import MailView
    from mosaic_cms.product import Product
    from mosaic_core.tenants import TenantContext


#: For so long a move may stand still before somebody is told.
_STALLED = timedelta(minutes=2)
#: Tenants that one line names.
_NAMED = 5


@dataclass(slots=True)
class _Found:
    """What an examination found; what was put right is no problem any more."""

    tenants: int = 0
    problems: list[Problem] = field(default_factory=list)
    mended: list[Problem] = field(default_factory=list)


def doctor(
    as_json: AsJson = False,
    mend: Annotated[
        bool, typer.Option("--mend", help="Put right what the platform notes about its tenants.")
    ] = False,
    strays: Annotated[
        bool,
        typer.Option(
            "--remove-strays",
            help="Do nothing but remove databases of no tenant, left by what was killed.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
) -> None:
    """Check the deployment, and say how to mend what is wrong.

    It looks at configuration, plugins, databases, revisions, head chains, the platform's notes
    about its tenants, and what was left over."""
    if strays:
        remove_strays(as_json=as_json, yes=yes)
        return
    with progress_bar("Checking", quiet=as_json) as progress:
        found = asyncio.run(_examine(progress, mend=mend))
    if as_json:
        shown = [{"subject": p.subject, "what": p.what, "mend": p.mend} for p in found.problems]
        mended = [{"subject": p.subject, "what": p.what} for p in found.mended]
        told = {"tenants": found.tenants, "problems": shown}
        print_json({**told, "mended": mended} if mend else told)
    else:
        _tell(found)
    if found.problems:
        raise typer.Exit(1)


def _tell(found: _Found) -> None:
    if found.mended:
        rows = [(p.subject, p.what) for p in found.mended]
        show_table(f"{len(rows)} mended", ("where", "what was wrong"), rows)
    if found.problems:
        problems = [(p.subject, p.what, p.mend) for p in found.problems]
        columns = ("where", "what is wrong", "what to do")
        show_table(counted(len(problems), "problem"), columns, problems)
    else:
        say(
            "[green]✓[/] Configuration, plugins and the databases of "
            f"{counted(found.tenants, 'tenant')} are well."
        )


async def _examine(progress: Callable[[str, int, int], None], *, mend: bool) -> _Found:
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
            return _Found(problems=refused)
        async with open_product(settings) as product:
            product.themes.check()
            _ = product.identity.secrets
            return await examine_databases(product, progress, mend=mend)
    except MosaicError as error:
        return _Found(problems=[Problem("the deployment", error.message, error.hint)])


async def examine_databases(
    product: Product, progress: Callable[[str, int, int], None], *, mend: bool
) -> _Found:
    from mosaic_cms.strays import find
    from mosaic_core.head import PLATFORM
    from mosaic_core.head.log import verify

    directory = product.platform.directory
    found = _Found()
    where = "the platform database"
    try:
        for problem in await directory.database.check():
            found.problems.append(replace(problem, subject=f"{where}: {problem.subject}"))
        async with directory.database.session() as session:
            await verify(session, PLATFORM)
    except MosaicError as error:
        found.problems.append(Problem(where, error.message, error.hint))
    records = await directory.records()
    found.problems += await _mail(product)
    found.problems += await _cache(product)
    found.problems += await _moves(product)
    found.problems += await examine_sign_ins(product)
    found.tenants = len(records)
    for number, record in enumerate(records, 1):
        wrong = await _examine_tenant(product, record.tenant)
        found.problems += wrong
        if not wrong:  # else nobody can say what is to be noted of it
            try:
                noted = await _examine_notes(product, record.tenant, mend=mend)
            except MosaicError as error:
                where = f"tenant {record.tenant.slug}"
                found.problems.append(Problem(where, error.message, error.hint))
            else:
                (found.mended if mend else found.problems).extend(noted)
        progress("tenants", number, len(records))
    found.problems += [stray.problem for stray in await find(product.platform)]
    found.problems += await _left_by_plugins(product, [record.tenant for record in records])
    return found


async def _examine_notes(product: Product, tenant: TenantContext, *, mend: bool) -> list[Problem]:
    how = "Run 'mosaic doctor --mend'; it changes nothing in the tenant."
    wrong = await product.reminders.compare(tenant, mend=mend)
    return [Problem(f"tenant {tenant.slug}", what, how) for what in wrong]


async def _mail(product: Product) -> list[Problem]:
    """Mail that has nothing to go through, and mail that did not get through for some time."""
    from mosaic_cms.operations.mails import WhichMails, list_mails
    from mosaic_cms.postman import LATE

    views = await list_mails(product.platform_scope(operator()), WhichMails())
    if views and product.platform.mailer is None:
        return [
            Problem(
                "mail",
                f"{counted(len(views), 'mail')} not sent yet, and no plugin that sends mail is "
                "selected.",
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
            f"{counted(len(found), 'mail')} did not get out; the last: {found[-1].error}",
            "'mosaic mail list' shows them; mend what is named, then 'mosaic mail retry'.",
        )
        for tenant, found in late.items()
    ]


async def _cache(product: Product) -> list[Problem]:
    """The cache that instances share, when it does not answer."""
    from mosaic_core.shared_cache import WatchedCache

    cache = product.platform.shared
    if isinstance(cache, WatchedCache):
        try:
            await cache.require()
        except MosaicError as error:
            return [Problem("the cache", error.message, error.hint)]
    return []


async def _moves(product: Product) -> list[Problem]:
    """Moves that a process began which is not there any more, and that no other went on with."""
    platform = product.platform
    problems = []
    for move in await platform.moving.stalled(older_than=_STALLED):
        tenant = platform.directory.tenant(move.tenant_id)
        if tenant is not None:
            why = f" The last try: {move.error}" if move.error else ""
            problems.append(
                Problem(
                    f"tenant {tenant.slug}",
                    f"Its move to the {move.to_tier} tier stands at {move.step!s} since "
                    f"{move.changed_at:%Y-%m-%d %H:%M} UTC, and nobody goes on with it.{why}",
                    f"Start 'mosaic serve', which does, or run 'mosaic tenant move {tenant.slug} "
                    f"--to {move.to_tier}'.",
                )
            )
    return problems


async def _left_by_plugins(product: Product, tenants: Sequence[TenantContext]) -> list[Problem]:
    """Tables of plugins that are not selected."""
    platform, found = product.platform, dict[str, list[str]]()
    for tenant in tenants:
        with contextlib.suppress(MosaicError):  # what cannot be read was told before
            revision = await platform.persistence(tenant).revision(tenant)
            for plugin in platform.schema.history.strangers(revision):
                found.setdefault(plugin, []).append(tenant.slug)
    return [
        Problem(
            f"plugin {plugin}",
            f"It is not selected, and {len(slugs)} tenants have its tables: "
            f"{', '.join(slugs[:_NAMED])}{', …' if len(slugs) > _NAMED else ''}. They are left "
            "alone; such a tenant is neither moved nor exported, since that would leave them out.",
            f"Add {plugin!r} to [platform] plugins again, and run 'mosaic migrate'.",
        )
        for plugin, slugs in sorted(found.items())
    ]


async def _examine_tenant(product: Product, tenant: TenantContext) -> list[Problem]:
    from mosaic_core.head import TENANT
    from mosaic_core.head.log import content_of, in_shape, rebuild, verify

    where = f"tenant {tenant.slug}"
    try:
        persistence = product.platform.persistence(tenant)
        found = await persistence.check(tenant)
        if found:
            return [Problem(f"{where}: {p.subject}", p.what, p.mend) for p in found]
        async with persistence.session(tenant) as session:
            await verify(session, TENANT)
            metadata = product.platform.schema.metadata
            logged = in_shape(await rebuild(session, TENANT), metadata)
            if logged != await content_of(session, metadata):
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
