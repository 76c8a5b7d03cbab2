"""Migrations that older code cannot live with, unless they say so.

While a fleet is migrated, code of the release before serves it. See docs/migrations.md.
"""

import sys

from mosaic_cms.product import platform_schema, tenant_schema
from mosaic_core.database.compatibility import incompatibilities


def main() -> int:
    histories = (platform_schema(), tenant_schema().history)
    found = [fault for history in histories for fault in incompatibilities(history)]
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
