"""What holds for every test."""

from tests.network.fixture import stays_on_this_machine, watched

__all__ = ["stays_on_this_machine", "watched"]
