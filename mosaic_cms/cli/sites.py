"""``mosaic site`` and ``mosaic render``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosaic_cms.cli.running import (
    AsJson,
    SiteOption,
    counted,
    operator,
    perform_at,
    print_json,
    progress_bar,
    run,
    say,
    show_table,
    site_scope,
)

if TYPE_CHECKING:
    from mosaic_cms.product import Product

app = typer.Typer(no_args_is_help=True)
BasedOn = Annotated[
    str | None, typer.Option(help="The revision that you saw, as 'site show --json' has it.")
]
TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's slug.")]


@app.command("list")
def list_all(tenant: TenantOption, as_json: AsJson = False) -> None:
    """List a tenant's sites."""
    views = perform_at("sites.list", tenant, {}, as_json=as_json, named=False)
    if as_json:
        print_json(views)
        return
    rows = [(v.key, v.title, " ".join((v.language, *v.languages)), v.theme) for v in views]
    show_table(counted(len(rows), "site"), ("key", "title", "languages", "theme"), rows)


@app.command("show")
def show(site: SiteOption, as_json: AsJson = False) -> None:
    """Show a site's settings."""
    _shown(perform_at("sites.show", site, {}, as_json=as_json), as_json=as_json)


@app.command("set")
def set_up(
    site: SiteOption,
    title: Annotated[str | None, typer.Option(help="Its title.")] = None,
    tagline: Annotated[str | None, typer.Option(help="A line below the title.")] = None,
    language: Annotated[str | None, typer.Option(help="Its own language, such as en.")] = None,
    languages: Annotated[
        str | None, typer.Option(help="The others, with commas; '' for none.")
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
    theme: Annotated[str | None, typer.Option(help="A theme's name.")] = None,
    theme_setting: Annotated[
        list[str] | None, typer.Option(help="One of the theme's own, as in palette=cobalt.")
    ] = None,
    footer: Annotated[str | None, typer.Option(help="Markdown.")] = None,
    api_public: Annotated[
        bool | None,
        typer.Option(
            "--api-public/--api-closed", help="Whether everybody may read it over the API."
        ),
    ] = None,
    api_origin: Annotated[
        list[str] | None,
        typer.Option(help="A host whose pages may read it, as in https://app.example."),
    ] = None,
    based_on: BasedOn = None,
    as_json: AsJson = False,
) -> None:
    """Change a site's settings; what is left out stays."""
    given: dict[str, Any] = {
        "title": title,
        "tagline": tagline,
        "language": language,
        "time_zone": time_zone,
        "theme": theme,
        "footer": footer,
        "api_public": api_public,
        "api_origins": api_origin or None,
        "based_on": based_on,
    }
    if languages is not None:
        given["languages"] = [tag.strip() for tag in languages.split(",") if tag.strip()]
    if theme_setting:
        seen = perform_at("sites.show", site, {}, as_json=as_json)
        pairs = [setting.partition("=") for setting in theme_setting]
        changed = {name: value for name, _, value in pairs}
        given["theme_settings"] = seen.theme_settings | changed
        given["based_on"] = based_on or seen.revision
    view = perform_at("sites.configure", site, given, as_json=as_json, seen=("sites.show", {}))
    _shown(view, as_json=as_json)


@app.command("create")
def create(
    key: Annotated[str, typer.Argument(help="What domains and commands call it.")],
    tenant: TenantOption,
    title: Annotated[str | None, typer.Option(help="Its title; the key when left out.")] = None,
    language: Annotated[str, typer.Option(help="Its own language.")] = "en",
    theme: Annotated[str, typer.Option(help="A theme's name.")] = "iznik",
    time_zone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    as_json: AsJson = False,
) -> None:
    """Make a site with a published home page."""
    given = {
        "key": key,
        "title": title or key,
        "language": language,
        "theme": theme,
        "time_zone": time_zone,
    }
    view = perform_at("sites.create", tenant, given, as_json=as_json, named=False)
    if as_json:
        print_json(view)
    else:
        say(f"[green]✓[/] The site {view.key} is made: {tenant}/{view.key}.")


@app.command("delete")
def delete(
    site: Annotated[str, typer.Argument(help="slug/key: the tenant's and the site's.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a site for good, with its pages, their versions, and its files."""
    tenant, _, key = site.partition("/")
    if not yes:
        typer.confirm(f"Delete the site {key!r} of {tenant!r} for good?", abort=True, err=True)
    given = {"site": key}
    done = perform_at("sites.delete", tenant, given, as_json=as_json, named=False, title="Deleting")
    if as_json:
        print_json(done)
    else:
        say(
            f"[green]✓[/] {done.key} is deleted: {counted(done.pages, 'page')}, "
            f"{counted(done.files, 'file')}."
        )


@app.command("terms")
def terms(
    site: SiteOption,
    kind: Annotated[str | None, typer.Option(help="tag or category.")] = None,
    rename: Annotated[
        tuple[str, str] | None, typer.Option(help="A term's name, and its new one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List a site's tags and categories, or rename one on all its pages."""
    if rename is not None:
        given = {"kind": kind or "tag", "old": rename[0], "new": rename[1]}
        done = perform_at("terms.rename", site, given, as_json=as_json, title="Renaming")
        if as_json:
            print_json(done)
        else:
            say(f"[green]✓[/] {done.pages} pages have {done.title} now; {done.published} are live.")
        return
    views = perform_at("terms.list", site, {"kind": kind}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [(v.kind, v.title, v.slug, str(v.pages), str(v.published)) for v in views]
    show_table(counted(len(rows), "term"), ("kind", "title", "slug", "pages", "live"), rows)


def render(
    site: Annotated[
        str | None,
        typer.Option("--site", "-s", help="slug, or slug/key for one site; every tenant's if not."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make all that visitors see anew; until a page is ready they see it as it was."""

    async def work(product: Product) -> dict[str, Any]:
        from mosaic_core.tenants import TenantStatus

        if site is not None:
            scopes = [site_scope(product, site)]
        else:
            records = await product.platform.directory.records()
            tenants = [found.tenant for found in records]
            active = [one for one in tenants if one.status is TenantStatus.ACTIVE]
            scopes = [(product.scope(one, operator()), None) for one in active]
        done = {}
        with progress_bar("Rendering", quiet=as_json) as progress:
            for number, (scope, key) in enumerate(scopes, 1):
                watched = dataclasses.replace(scope, progress=progress)
                done[scope.tenant.slug] = await product.actions.perform(
                    "sites.render", watched, {"site": key}
                )
                progress("tenants", number, len(scopes))
        return done

    results = run(work, as_json=as_json)
    left = sum(result.left for result in results.values())
    if as_json:
        print_json(results)
    else:
        pages = sum(result.pages for result in results.values())
        whose = counted(len(results), "tenant")
        say(f"[green]✓[/] {counted(pages, 'page')} of {whose}: made again.")
        if left:
            say(f"[red]✗[/] {left} pages could not be; the log says why.")
    if left:
        raise typer.Exit(1)


def _shown(view: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    facts = view.model_dump(mode="json")
    show_table(view.title, ("", ""), [(key, str(value)) for key, value in facts.items()])
