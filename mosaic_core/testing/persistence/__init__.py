"""The contract of persistence, as tests. Subclass :class:`PersistenceContract`, set ``provider``.

The tests bring tables of their own (:mod:`mosaic_core.testing.tables`) beside the kernel's, and
write as the product does: through the head.
"""

from __future__ import annotations

from mosaic_core.testing.persistence.life import LifeContract
from mosaic_core.testing.persistence.moving import MovingContract
from mosaic_core.testing.persistence.past import PastContract
from mosaic_core.testing.persistence.search import SearchContract
from mosaic_core.testing.persistence.sessions import SessionContract

__all__ = ["PersistenceContract"]


class PersistenceContract(
    LifeContract, SessionContract, PastContract, MovingContract, SearchContract
):
    """What every persistence strategy does."""
