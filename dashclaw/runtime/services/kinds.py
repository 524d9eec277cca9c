"""Kinds of records that agents write down: checked, masked, stored and listed the same way.

The table of a kind says which fields there are; the model that validates them, the row and the answer follow from it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, StringConstraints, create_model
from sqlalchemy import Integer

from dashclaw._json import compact

from ..inputs import Flag, Input, Page, Short, from_text, no_bool
from ..operations import Invocation, Operation
from ..problems import not_found
from ..redaction import redact_fields
from ..store.journal import Journal
from .loops import answer_with_warnings, filters_of, paging

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Table

    from ..identity import Caller
    from ..store.engine import Tx
    from ..store.tables.fields import Given

# Longer values are read where they are kept; the log of events does not repeat them.
_LONGEST_IN_EVENTS = 5000

Tag = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Metadata = Annotated[dict[str, Any], BeforeValidator(from_text)]
Fill = Callable[["Tx", Mapping[str, Any], Mapping[str, Any] | None], dict[str, Any]]
"""Returns the columns that follow from what was given and, when it is saved again, from the known record."""


class AgentPage(Page):
    """A list that can be narrowed to one agent."""

    agent_id: Short | None = None


class Kind:
    """One kind of record.

    `name` is the record's key in answers, `plural` that of a list, `resource` its name in events. `key` names the
    fields by which a record is known when it is saved again. Lists begin with what is highest in the columns `first`,
    then newest.
    """

    def __init__(
        self,
        name: str,
        prefix: str,
        table: Table,
        *,
        plural: str = "",
        resource: str = "",
        key: tuple[str, ...] = (),
        first: tuple[str, ...] = (),
        fill: Fill | None = None,
    ) -> None:
        self.name = name
        self.plural = plural or name + "s"
        self.resource = resource or name
        self.table = table
        self.rows = Journal(table)
        self.body = input_of(table)
        self._prefix = prefix
        self._blank = {column.name: _blank(column) for column in table.columns}
        self._key = key
        self._first = first
        self._fill = fill
        self._roomy = frozenset(column.name for column in table.columns if _is_roomy(column))

    def store(self, tx: Tx, caller: Caller, body: Input) -> dict[str, Any]:
        """Store a record the way its kind is: saved again by its key, or always a new one."""
        return (self.save if self._key else self.add)(tx, caller, body)

    def add(self, tx: Tx, caller: Caller, body: Input, **more: Any) -> dict[str, Any]:
        """Store a new record; the answer has it, its id and what was masked. `more` are columns beside the body's."""
        given = {name: getattr(body, name) for name in type(body).model_fields}
        values, security = self._masked(caller, body, given)
        return self._insert(tx, caller, body, {**values, **more}, security)

    def save(self, tx: Tx, caller: Caller, body: Input) -> dict[str, Any]:
        """Store a record, or change the known one: what is left out keeps its value."""
        values, security = self._masked(caller, body, body.given())
        known = self.rows.saved(tx, caller.org_id, self._digest(values))
        if known is None:
            return self._insert(tx, caller, body, {**self._defaults(body), **values}, security)
        changes = {**values, **self._filled(tx, values, known), "updated_at": tx.stamp}
        changes["agent_id"] = values["agent_id"] or known["agent_id"]
        changes["metadata"] = with_unknown(known, values["metadata"])
        return self._answer(self.change(tx, caller, known, changes), body, security)

    def change(
        self, tx: Tx, caller: Caller, known: Mapping[str, Any], changes: Mapping[str, Any], what: str = "updated"
    ) -> dict[str, Any]:
        """Change columns of a record and say so; returns the row."""
        row = {**known, **changes}
        self.rows.change(tx, caller.org_id, row["id"], changes)
        self.announce(tx, caller, what, row)
        return row

    def announce(self, tx: Tx, caller: Caller, what: str, row: Mapping[str, Any]) -> None:
        """Emit the event of a change, without long values."""
        data = {name: value for name, value in self.wire(row).items() if name not in self._roomy or _is_short(value)}
        tx.emit(caller, f"{self.resource}.{what}", self.resource, row["id"], data, row.get("agent_id"))

    def one(self, tx: Tx, caller: Caller, record_id: str) -> dict[str, Any]:
        """The row of one record; raises `Problem` 404."""
        row = self.rows.find(tx, caller.org_id, record_id)
        if row is None:
            raise not_found(self.name, record_id)
        return row

    def page(
        self,
        tx: Tx,
        caller: Caller,
        query: Page,
        filters: Mapping[str, Any],
        where: Sequence[ColumnElement[bool]] = (),
    ) -> dict[str, Any]:
        """A page of records; `filters` are columns and their values."""
        found, total = self.rows.matching(
            tx, caller.org_id, filters, size=query.size, offset=query.offset, first=self._first, where=where
        )
        return {self.plural: [self.wire(row) for row in found], **paging(tx, query, len(found), total)}

    def top(self, tx: Tx, org_id: str, filters: Mapping[str, Any], size: int) -> tuple[list[dict[str, Any]], int]:
        """The first records of the list, and how many match."""
        found, total = self.rows.matching(tx, org_id, filters, size=size, first=self._first)
        return [self.wire(row) for row in found], total

    def wire(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A record as it is answered."""
        return {**{name: value for name, value in row.items() if name != "digest"}, "metadata": row["metadata"] or {}}

    def creating(self, name: str, path: str, summary: str, category: str) -> Operation:
        """The operation that stores a record."""

        def run(tx: Tx, call: Invocation) -> dict[str, Any]:
            return self.store(tx, call.caller, call.body)

        return Operation(name, "POST", path, run, summary, category, body=self.body, status=201)

    def listing(self, name: str, path: str, summary: str, category: str, query: type[Page] = AgentPage) -> Operation:
        """The operation that lists the records; every further field of `query` is a column."""
        names = tuple(field for field in query.model_fields if field not in Page.model_fields)

        def run(tx: Tx, call: Invocation) -> dict[str, Any]:
            return self.page(tx, call.caller, call.query, filters_of(call.query, names))

        return Operation(name, "GET", path, run, summary, category, query=query, role="readonly")

    def _masked(self, caller: Caller, body: Input, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        metadata = {**(values.get("metadata") or {}), **body.unknown} or None
        given = {**values, "agent_id": values.get("agent_id") or caller.agent_id, "metadata": metadata}
        return redact_fields(given, [name for name in given if name != "agent_id"])

    def _defaults(self, body: Input) -> dict[str, Any]:
        return {name: field.default for name, field in type(body).model_fields.items() if not field.is_required()}

    def _filled(self, tx: Tx, values: Mapping[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any]:
        return {} if self._fill is None else self._fill(tx, values, known)

    def _digest(self, values: Mapping[str, Any]) -> str:
        return hashlib.sha256(compact([values[name] for name in self._key]).encode()).hexdigest()

    def _insert(
        self, tx: Tx, caller: Caller, body: Input, values: Mapping[str, Any], security: Mapping[str, Any]
    ) -> dict[str, Any]:
        row = {
            **self._blank,
            **values,
            "org_id": caller.org_id,
            "id": f"{self._prefix}_{os.urandom(12).hex()}",
            "created_at": tx.stamp,
            **self._filled(tx, values, None),
        }
        if self._key:
            row.update(digest=self._digest(values), updated_at=tx.stamp)
        self.rows.add(tx, row)
        self.announce(tx, caller, "created", row)
        return self._answer(row, body, security)

    def _answer(self, row: Mapping[str, Any], body: Input, security: Mapping[str, Any]) -> dict[str, Any]:
        answer = {self.name: self.wire(row), f"{self.name}_id": row["id"], "security": security}
        return answer_with_warnings(answer, body)


def with_unknown(known: Mapping[str, Any], unknown: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The metadata of a record after a change that brought these unknown fields."""
    return {**(known["metadata"] or {}), **(unknown or {})} or None


def stamped(field: str, length: int | None = None) -> Fill:
    """Fill a field that was not given with the time, or with the first so many characters of it."""

    def fill(tx: Tx, given: Mapping[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any]:
        return {} if known is not None else {field: given.get(field) or tx.stamp[:length]}

    return fill


def input_of(table: Table) -> type[Input]:
    """The model that validates what callers give for a table's fields."""
    name = "".join(word.capitalize() for word in table.name.split("_")) + "Input"
    return create_model(name, __base__=Input, __doc__=f"A record of {table.name}.", **fields_of(table))


def fields_of(table: Table) -> dict[str, Any]:
    """The fields of that model: a type and a default each."""
    found: dict[str, Any] = {"agent_id": (Short | None, None), "metadata": (Metadata | None, None)}
    for column in table.columns:
        given: Given | None = column.info.get("given")
        if given is None:
            continue
        form = _form(given)
        if given.required:
            found[column.name] = (form, ...)
        else:
            names = AliasChoices(column.name, given.also) if given.also else None
            optional = form | None if given.default is None else form
            found[column.name] = (optional, Field(given.default, validation_alias=names))
    return found


def _is_roomy(column: Column[Any]) -> bool:
    given: Given | None = column.info.get("given")
    is_long = given is not None and given.form == "text" and given.highest > _LONGEST_IN_EVENTS
    return is_long or bool(column.info.get("json"))


def _is_short(value: Any) -> bool:
    return not value or len(value if isinstance(value, str) else compact(value)) <= _LONGEST_IN_EVENTS


def _blank(column: Column[Any]) -> Any:
    """What stands in a column that nobody filled."""
    if column.server_default is None:
        return None
    text = str(column.server_default.arg)  # type: ignore[attr-defined]
    value = int(text) if isinstance(column.type, Integer) else text
    return bool(value) if column.info.get("flag") else value


def _form(given: Given) -> Any:
    if given.form == "text":
        least = 1 if given.required else None
        return Annotated[str, StringConstraints(min_length=least, max_length=int(given.highest))]
    if given.form == "whole":
        return Annotated[int, Field(ge=int(given.lowest), le=int(given.highest)), BeforeValidator(no_bool)]
    if given.form == "number":
        return Annotated[float, Field(ge=given.lowest, le=given.highest), BeforeValidator(no_bool)]
    if given.form == "tags":
        return Annotated[list[Tag], Field(max_length=50), BeforeValidator(from_text)]
    return Flag if given.form == "flag" else Annotated[Any, BeforeValidator(_read)]


def _read(value: Any) -> Any:
    """Published clients send lists and objects as JSON text; other text is meant as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return from_text(value)
    except ValueError:
        return value
