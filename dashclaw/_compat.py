"""Stand-ins for typing names that Python 3.7 lacks; type checkers see the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Generic, Literal, ParamSpec, Protocol, TypedDict  # novm
else:
    try:
        from typing import Literal, TypedDict  # novm
    except ImportError:

        class Literal:
            """Accepts any values."""

            def __class_getitem__(cls, _: Any) -> Any:
                return str

        class TypedDict(dict):
            """A dict whose keys only type checkers know; called with a name and fields, it is a type in their eyes."""

            def __init__(self, *_: Any, **values: Any) -> None:
                super().__init__(values)

            def __init_subclass__(cls, total: bool = True) -> None:
                super().__init_subclass__()

    class Generic:
        """Accepts any parameters."""

        def __class_getitem__(cls, _: Any) -> Any:
            return cls

    Protocol = Generic

    def ParamSpec(name: str) -> Any:  # noqa: N802
        """Stand for a parameter specification."""
        return name


__all__ = ["Generic", "Literal", "ParamSpec", "Protocol", "TypedDict"]
