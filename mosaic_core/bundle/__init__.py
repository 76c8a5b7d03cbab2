"""The bundle: all of a tenant in one open, verifiable file.

Export, backup and clone are the same code: :func:`export` writes a file from any home of a tenant,
:func:`load` makes a database of it in any other, and :func:`check` needs neither. The format is
described in ``docs/bundle.md``, so that anybody can write a reader.
"""

from mosaic_core.bundle.checking import Checked, check
from mosaic_core.bundle.exporting import Exported, Source, export
from mosaic_core.bundle.form import FORMAT, HeadFacts, Manifest, Seal, TenantFacts
from mosaic_core.bundle.loading import Loaded, Target, load
from mosaic_core.bundle.reading import Bundle, manifest_of, open_bundle

__all__ = [
    "FORMAT",
    "Bundle",
    "Checked",
    "Exported",
    "HeadFacts",
    "Loaded",
    "Manifest",
    "Seal",
    "Source",
    "Target",
    "TenantFacts",
    "check",
    "export",
    "load",
    "manifest_of",
    "open_bundle",
]
