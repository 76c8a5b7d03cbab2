"""Fixtures for the tests of plugins; pytest loads this wherever MOSAIC is installed.

So it is light: a project that uses none of these fixtures imports nothing of MOSAIC but this file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mosaic_core.provider import PlatformServices
    from mosaic_core.tenants import TenantContext

# The suites speak in asserts: their failures are to show the values, as a test's own do.
pytest.register_assert_rewrite(
    "mosaic_core.testing.cache",
    "mosaic_core.testing.isolation",
    "mosaic_core.testing.mail",
    "mosaic_core.testing.persistence",
    "mosaic_core.testing.plugin_tables",
    "mosaic_core.testing.resolution",
    "mosaic_core.testing.storage",
)


@pytest.fixture
def mosaic_platform_services(tmp_path: Path) -> PlatformServices:
    """What the platform would give to a plugin: an empty data folder, hosts, tables, tiers."""
    from mosaic_core.testing.services import make_services

    return make_services(tmp_path)


@pytest.fixture
def make_tenant() -> Callable[..., TenantContext]:
    """Makes a tenant of a tier of ``mosaic_platform_services``, by default an unlimited one."""
    from mosaic_core.testing import services

    def make(**values: Any) -> TenantContext:
        return services.make_tenant(**values)

    return make
