"""`dashclaw doctor`: what is wrong here, why it matters, what to do; a module per thing that is looked at."""

from .command import add

__all__ = ["add"]
