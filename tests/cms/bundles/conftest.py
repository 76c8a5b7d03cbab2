"""Tests of bundles that go into every kind of home have the ground of those that move."""

from tests.cms.moves.conftest import ground, made_ground

__all__ = ["ground", "made_ground"]
