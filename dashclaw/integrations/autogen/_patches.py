"""What was put in the place of attributes of agents, and how to take it away again."""

from __future__ import annotations

import weakref
from typing import Any

_NOTHING = object()


class Patches:
    """Attributes that were replaced, of objects and classes; it keeps no object alive."""

    def __init__(self) -> None:
        self._key = f"_dashclaw_{id(self):x}"
        self._changed: weakref.WeakSet[Any] = weakref.WeakSet()

    def __contains__(self, thing: Any) -> bool:
        return self._key in getattr(thing, "__dict__", ())

    def add(self, thing: Any) -> None:
        """Remember an object, of which nothing may be replaced."""
        self._put(thing, self._key, [])
        self._changed.add(thing)

    def replace(self, thing: Any, name: str, value: Any) -> None:
        """Put `value` in the place of an attribute."""
        if thing not in self:
            self.add(thing)
        thing.__dict__[self._key].append((name, value, thing.__dict__.get(name, _NOTHING)))
        self._put(thing, name, value)

    def things(self) -> list[Any]:
        """Return what still lives of what was changed."""
        return list(self._changed)

    def undo(self) -> None:
        """Put everything back, except what somebody else has replaced since."""
        for thing in self.things():
            for name, value, before in reversed(thing.__dict__[self._key]):
                if thing.__dict__.get(name) is value:
                    self._put(thing, name, before)
            self._put(thing, self._key, _NOTHING)
        self._changed.clear()

    @staticmethod
    def _put(thing: Any, name: str, value: Any) -> None:
        # Past what models of pydantic allow for their attributes; classes have no other way than theirs.
        put, remove = (setattr, delattr) if isinstance(thing, type) else (object.__setattr__, object.__delattr__)
        if value is _NOTHING:
            remove(thing, name)
        else:
            put(thing, name, value)


class StandIn:
    """Stands for an object: it is of its class and has its attributes, except for some."""

    def __init__(self, real: Any, **instead: Any) -> None:
        vars(self).update(instead, _dashclaw_real=real)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._dashclaw_real)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_dashclaw_real"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._dashclaw_real, name, value)
