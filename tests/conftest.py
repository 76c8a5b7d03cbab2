"""What tests of several folders share, started once in a session."""

from tests.azurite import azurite

__all__ = ["azurite"]
