"""``mosaic bundle``: what needs a file and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mosaic_cms.cli.running import AsJson, print_json, progress_bar, reporting, say, show_table
from mosaic_core.errors import BundleLocked

if TYPE_CHECKING:
    from mosaic_cms.operations.bundles import BundleReport

app = typer.Typer(no_args_is_help=True)
IdentityOption = Annotated[
    Path | None, typer.Option(help="The file with the age identity of an encrypted bundle.")
]


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The bundle.")],
    identity: IdentityOption = None,
    as_json: AsJson = False,
) -> None:
    """Check that a bundle is whole and as it was written; no database is needed."""
    from mosaic_cms.operations.bundles import report_of
    from mosaic_core import bundle

    with reporting(as_json=as_json), progress_bar("Checking", quiet=as_json) as progress:
        checked = bundle.check(file, identity=identity_in(identity), progress=progress)
    report = report_of(file, checked.manifest, checked.seal)
    if as_json:
        print_json(report)
        return
    manifest = checked.manifest
    facts = {
        "tenant": f"{manifest.tenant.name} ({manifest.tenant.slug}, {manifest.tenant.tier})",
        "made": f"{manifest.made_at:%Y-%m-%d %H:%M} UTC by {manifest.made_by}",
        "revision": manifest.revision,
        "head": f"version {manifest.head.version}, {manifest.head.digest[:16]}…",
        **{name: f"{count:,}" for name, count in report.rows.items() if count},
        "changes": f"{report.changes:,}",
        "files": f"{report.files:,}, {report.size:,} bytes",
    }
    show_table(str(file), ("", ""), list(facts.items()))
    say(f"[green]✓[/] It is whole: {told(report)}.")


def identity_in(file: Path | None) -> str | None:
    """The age identity that a file has, as age-keygen writes it; None without a file.

    Raises:
        BundleLocked: there is none in it.
    """
    if file is None:
        return None
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BundleLocked(f"The identity file {file.name!r} cannot be read.") from error
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise BundleLocked(f"The identity file {file.name!r} has no identity.")
    return found[0]


def told(report: BundleReport) -> str:
    """What is in a bundle, in a few words."""
    rows = sum(report.rows.values())
    return (
        f"{rows:,} rows, {report.changes:,} changes and {report.files:,} files at version "
        f"{report.version}"
    )
