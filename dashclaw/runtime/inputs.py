"""The building blocks of every input: lenient in spelling, strict in type, nothing lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from .body import is_text, read_json
from .clock import moment, stamp
from .problems import Problem, invalid


def _flag(value: Any) -> Any:
    # Published clients and stored rows spell booleans as 1/0, query strings as words.
    return (
        {1: True, 0: False, "1": True, "0": False, "true": True, "false": False}.get(value, value)
        if isinstance(value, (int, str))
        else value
    )


def from_text(value: Any) -> Any:
    """Read what published clients send as JSON text; it is held to the rules of a body."""
    return read_json(value) if isinstance(value, str) else value


def no_bool(value: Any) -> Any:
    """Refuse a boolean where a number is asked for."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not a boolean")
    return value


def normal_time(field: str, text: str | None) -> str | None:
    """A time as it is stored; raises `Problem` 400 for what is no ISO-8601 time."""
    if text is None:
        return None
    try:
        return stamp(moment(text))
    except (ValueError, OverflowError):
        raise invalid(field, "must be an ISO-8601 time, for example 2026-01-31T12:00:00Z") from None


# A constraint stands before its validator: in the other order the OpenAPI document would not know it.
Flag = Annotated[bool, BeforeValidator(_flag)]
Score = Annotated[int, Field(ge=0, le=100), BeforeValidator(no_bool)]
Count = Annotated[int, Field(ge=0, le=2**53), BeforeValidator(no_bool)]
Amount = Annotated[float, Field(ge=0, le=1e12), BeforeValidator(no_bool)]
Short = Annotated[str, StringConstraints(max_length=128)]
Name = Annotated[str, StringConstraints(max_length=256)]
Line = Annotated[str, StringConstraints(max_length=1000)]
Goal = Annotated[str, StringConstraints(max_length=2000)]
Prose = Annotated[str, StringConstraints(max_length=4000)]
Systems = Annotated[list[str], Field(max_length=50), BeforeValidator(from_text)]
Items50 = Annotated[list[Any], Field(max_length=50), BeforeValidator(from_text)]
Items100 = Annotated[list[Any], Field(max_length=100), BeforeValidator(from_text)]


_BUILDING = threading.Lock()

# What a body said of its agent where a token proved another one; kept like an unknown field.
CLAIMED = "claimed_agent_id"


class Input(BaseModel):
    """One request's values. Absent and null mean the same; unknown fields are kept in `unknown`."""

    # Of a hundred models most programs use few, and building them takes longer than loading everything else.
    model_config = ConfigDict(extra="allow", str_strip_whitespace=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if item is not None}
        return value

    @property
    def unknown(self) -> dict[str, Any]:
        """The fields that the model does not name."""
        return self.model_extra or {}

    def given(self) -> dict[str, Any]:
        """The named fields that were sent."""
        fields = type(self).model_fields
        return {name: getattr(self, name) for name in self.model_fields_set if name in fields}

    def warnings(self) -> list[str]:
        """One sentence per unknown field, so that a misspelt one does not pass unseen."""
        return [_warning(name, value) for name, value in sorted(self.unknown.items())]


def _warning(name: str, value: Any) -> str:
    if name == CLAIMED:
        return f"agent_id {value!r} was only claimed; {name} keeps it in metadata"
    return f"unknown field {name!r} was kept in metadata and not interpreted"


class NoInput(Input):
    """A request that carries nothing of interest."""


class Page(Input):
    """`limit` and `offset` of a list; a limit above the cap is cut, not refused."""

    cap: ClassVar[int] = 200
    default: ClassVar[int] = 50

    limit: Annotated[int, Field(ge=0, le=2**31)] | None = None
    offset: Annotated[int, Field(ge=0, le=2**53)] = 0

    @property
    def size(self) -> int:
        """The page size in force."""
        return min(self.default if self.limit is None else self.limit, self.cap)


def read_query(model: type[Input], values: Mapping[str, str]) -> Any:
    """Validate the values of a query; raises `Problem` 400 as `read_input` does."""
    if not values:
        return _asked_nothing(model)
    for name, text in values.items():
        if not is_text(text):
            raise invalid(name, "holds a NUL or half a surrogate pair, which is not text")
    return read_input(model, dict(values))


@lru_cache(maxsize=256)
def _asked_nothing(model: type[Input]) -> Any:
    return read_input(model, {})


def built(model: type[Input]) -> type[Input]:
    """The model, ready to be used by several threads."""
    if not model.__pydantic_complete__:
        # Not every release of pydantic keeps another thread from a model that is half built.
        with _BUILDING:
            model.model_rebuild()
    return model


def read_input(model: type[Input], values: dict[str, Any]) -> Any:
    """Validate `values`; raises `Problem` 400 with one sentence per wrong field."""
    try:
        return built(model).model_validate(values)
    except ValidationError as error:
        fields = [
            {"field": ".".join(str(part) for part in found["loc"]) or "body", "message": found["msg"]}
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise Problem(
            400,
            "VALIDATION_FAILED",
            "Validation failed",
            details=[f"{field['field']}: {field['message']}" for field in fields],
            fields=fields,
        ) from None
