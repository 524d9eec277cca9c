"""Webhooks: where events are sent, the history of deliveries, a test, and what was given up sent again."""

from __future__ import annotations

import secrets
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, StringConstraints

from dashclaw._json import compact

from ..clock import stamp
from ..event_names import EVENTS, family_of
from ..feed import last_event
from ..inputs import Flag, Input, Page, Short, from_text
from ..operations import Invocation, Operation
from ..payloads import Format, format_for
from ..problems import conflict, invalid, not_found
from ..sending import Outcome, send, why_not_target
from ..store import activity
from ..store import webhooks as rows
from .signals import TYPES

if TYPE_CHECKING:
    from ..runtime import Runtime
    from ..store.engine import Tx

ALL = "all"
GIVE_UP = timedelta(hours=24)
_HIDDEN = "•" * 28
_WARNING = "Store this secret now: it is not shown again. It signs every delivery."
_SHOWN = (
    "id",
    "org_id",
    "url",
    "events",
    "format",
    "active",
    "failure_count",
    "retry_at",
    "disabled_at",
    "disabled_reason",
    "last_triggered_at",
    "metadata",
    "created_by",
    "created_at",
    "updated_at",
)
_KEPT = ("payload", "lease", "org_id")


def _as_list(value: Any) -> Any:
    """One name stands for a list of it; JSON text is read."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [value]
    return from_text(value)


Events = Annotated[list[Short], Field(min_length=1, max_length=100), BeforeValidator(_as_list)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class WebhookInput(Input):
    """A new webhook; without a `format` the host of the URL decides."""

    url: Url
    events: Events = [ALL]
    format: Format | None = None


class WebhookChange(Input):
    """What of a webhook can change; `skip_missed` goes on with what happens from now."""

    url: Url | None = None
    events: Events | None = None
    format: Format | None = None
    active: Flag | None = None
    skip_missed: Flag = False


class Removal(Input):
    """Which webhook to remove."""

    id: Short | None = None


class DeliveryPage(Page):
    """Filters of the history."""

    default: ClassVar[int] = 20

    status: Literal["pending", "retrying", "success", "failed"] | None = None


class Tried(NamedTuple):
    """A test delivery that was made before its transaction."""

    delivery: dict[str, Any]
    outcome: Outcome


def listing(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Webhooks, newest first; of their secrets only the last four characters."""
    query: Page = call.query
    found, total = rows.hooks.page(tx, call.caller.org_id, size=query.size, offset=query.offset)
    more = query.offset + len(found) < total
    page = {"total": total, "limit": query.size, "offset": query.offset, "has_more": more}
    return {"webhooks": [shown(row) for row in found], **page}


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A webhook as everybody may see it."""
    return {**{name: row.get(name) for name in _SHOWN}, "secret": _HIDDEN + row["secret"][-4:]}


def create(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Add a webhook, which is told of what happens from now on; its secret is in this answer only."""
    body: WebhookInput = call.body
    unseen = _known(tx, call, body.events)
    row = {
        "id": f"wh_{uuid.uuid4()}",
        "org_id": call.caller.org_id,
        "url": _target(call, body.url),
        "secret": secrets.token_hex(32),
        "events": list(dict.fromkeys(body.events)),
        "format": body.format or format_for(body.url),
        "active": True,
        "failure_count": 0,
        "metadata": call.body.unknown or None,
        "created_by": call.caller.actor_id,
        "created_at": tx.stamp,
        "updated_at": tx.stamp,
    }
    _announce(tx, call, "created", row)
    rows.hooks.add(tx, {**row, "cursor": last_event(tx, call.caller.org_id)})
    return _answer({**shown(row), "secret": row["secret"]}, call, unseen, secret_warning=_WARNING)


def change(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Change a webhook; switched on again, it goes on where it stopped unless `skip_missed` says otherwise."""
    row = _found(tx, call, call.params["webhook_id"])
    given = call.body.given()
    skip = given.pop("skip_missed", False)
    if "url" in given:
        _target(call, given["url"])
        given.setdefault("format", format_for(given["url"]))
    unseen = _known(tx, call, given.get("events", []))
    if given.get("active"):
        given |= {"failure_count": 0, "failed_at": None, "retry_at": None}
        given |= {"disabled_at": None, "disabled_reason": None}
    if skip:
        given["cursor"] = last_event(tx, row["org_id"])
    rows.hooks.change(tx, row["org_id"], row["id"], {**given, "updated_at": tx.stamp})
    after = _found(tx, call, row["id"])
    _announce(tx, call, "updated", after)
    return _answer(shown(after), call, unseen)


def remove(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Remove a webhook; what it waits for is given up."""
    if call.query.id is None:
        raise invalid("id", "names the webhook to remove")
    row = _found(tx, call, call.query.id)
    rows.close_all(tx, row["org_id"], row["id"], "the webhook was removed")
    rows.hooks.delete(tx, row["org_id"], row["id"])
    _announce(tx, call, "deleted", row)
    return {"success": True, "deleted": row["id"]}


def history(tx: Tx, call: Invocation) -> dict[str, Any]:
    """The deliveries of a webhook, newest first."""
    query: DeliveryPage = call.query
    row = _found(tx, call, call.params["webhook_id"])
    found, total = rows.history(tx, row["org_id"], row["id"], query.status, query.size, query.offset)
    more = query.offset + len(found) < total
    page = {"total": total, "limit": query.size, "offset": query.offset, "has_more": more}
    return {"deliveries": [_wire(delivery) for delivery in found], **page}


def try_out(runtime: Runtime, call: Invocation) -> Tried:
    """Send a test now, signed like any other delivery; only then does the transaction begin."""
    with runtime.store.read() as tx:
        row = _found(tx, call, call.params["webhook_id"])
    now = runtime.clock()
    signal = {
        "type": "test",
        "severity": "amber",
        "label": "Test of a webhook",
        "detail": "Somebody asked DashClaw to send this test",
        "help": "Nothing needs to be done",
        "agent_id": None,
    }
    payload = {"event": "test", "org_id": row["org_id"], "timestamp": stamp(now), "data": signal, "signals": [signal]}
    delivery = {
        "id": f"wd_{uuid.uuid4()}",
        "org_id": row["org_id"],
        "webhook_id": row["id"],
        "event_type": "test",
        "payload": compact(payload),
        "created_at": stamp(now),
        "give_up_at": stamp(now),
        "attempts": 1,
    }
    return Tried(delivery, send(runtime.settings, now, row, delivery["id"], payload))


def note_test(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Keep how a test went; a failed one is an answer like any other and counts for nothing."""
    delivery, outcome = call.prepared
    _found(tx, call, delivery["webhook_id"])
    row = {
        **delivery,
        "status": "success" if outcome.error is None else "failed",
        "response_status": outcome.status,
        "response_body": outcome.body,
        "error": outcome.error,
        "attempted_at": delivery["created_at"],
        "duration_ms": outcome.duration_ms,
    }
    rows.deliveries.add(tx, row)
    data = {"webhook_id": delivery["webhook_id"], "delivery_id": delivery["id"], "success": outcome.error is None}
    tx.emit(call.caller, "webhook.tested", "webhook", delivery["webhook_id"], data)
    return {
        "success": outcome.error is None,
        "response_status": outcome.status,
        "error": outcome.error,
        "duration_ms": outcome.duration_ms,
        "delivery_id": delivery["id"],
    }


def resend(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Send again what was given up: one delivery, or all of the webhook."""
    row = _found(tx, call, call.params["webhook_id"])
    delivery_id = call.params.get("delivery_id")
    if delivery_id is not None:
        _resendable(tx, row, delivery_id)
    if not row["active"]:
        raise conflict("The webhook is disabled; switch it on first", "WEBHOOK_DISABLED")
    count = rows.reopen(tx, row["org_id"], row["id"], delivery_id, stamp(tx.now + GIVE_UP))
    data = {"webhook_id": row["id"], "delivery_id": delivery_id, "count": count}
    tx.emit(call.caller, "webhook.resent", "webhook", row["id"], data)
    return {"success": True, "queued": count}


def _resendable(tx: Tx, row: dict[str, Any], delivery_id: str) -> None:
    found = rows.deliveries.find(tx, row["org_id"], delivery_id)
    if found is None or found["webhook_id"] != row["id"]:
        raise not_found("delivery", delivery_id)
    if found["status"] != "failed":
        raise conflict(f"Only a delivery that was given up is sent again; this one is {found['status']}")


def _wire(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _KEPT}


def _target(call: Invocation, url: str) -> str:
    if (wrong := why_not_target(call.runtime.settings, url)) is not None:
        raise invalid("url", wrong)
    return url


def _known(tx: Tx, call: Invocation, names: list[str]) -> list[str]:
    """Names that no event here ever had, but one may get; raises `Problem` 400 for one that no event can have."""
    unseen = []
    for name in names:
        if name == ALL or name in TYPES or name in EVENTS or activity.seen(tx, call.caller.org_id, name):
            continue
        if family_of(name) is None:
            known = ", ".join((ALL, *TYPES))
            sentence = f"{name!r} is no event: use {known}, or the name of an event such as action.created"
            raise invalid("events", sentence)
        unseen.append(name)
    return unseen


def _answer(row: dict[str, Any], call: Invocation, unseen: list[str], **more: Any) -> dict[str, Any]:
    warnings = [*call.body.warnings(), *(f"no event named {name!r} is known; is it misspelt?" for name in unseen)]
    return {"webhook": row, **more, **({"warnings": warnings} if warnings else {})}


def _found(tx: Tx, call: Invocation, webhook_id: str) -> dict[str, Any]:
    row = rows.hooks.find(tx, call.caller.org_id, webhook_id)
    if row is None:
        raise not_found("webhook", webhook_id)
    return row


def _announce(tx: Tx, call: Invocation, change: str, row: dict[str, Any]) -> None:
    # The path of a chat service's URL is a secret; the events tell the host only.
    parts = urlsplit(row["url"])
    data = {name: row[name] for name in ("id", "events", "format", "active")}
    data["host"] = parts.hostname
    tx.emit(call.caller, f"webhook.{change}", "webhook", row["id"], data)


_AT = "/api/webhooks/{webhook_id}"

OPERATIONS = (
    Operation(
        "get_webhooks", "GET", "/api/webhooks", listing, "List webhooks", "webhooks", query=Page, role="readonly"
    ),
    Operation(
        "create_webhook",
        "POST",
        "/api/webhooks",
        create,
        "Add a webhook",
        "webhooks",
        body=WebhookInput,
        status=201,
        role="admin",
        keeps_answer=False,
    ),
    Operation(
        "delete_webhook",
        "DELETE",
        "/api/webhooks",
        remove,
        "Remove a webhook",
        "webhooks",
        query=Removal,
        role="admin",
    ),
    Operation("update_webhook", "PATCH", _AT, change, "Change a webhook", "webhooks", body=WebhookChange, role="admin"),
    Operation(
        "test_webhook",
        "POST",
        f"{_AT}/test",
        note_test,
        "Send a test",
        "webhooks",
        role="admin",
        prepare=try_out,
        slow=True,
    ),
    Operation(
        "get_webhook_deliveries",
        "GET",
        f"{_AT}/deliveries",
        history,
        "List deliveries",
        "webhooks",
        query=DeliveryPage,
        role="readonly",
    ),
    Operation(
        "resend_delivery",
        "POST",
        f"{_AT}/deliveries/{{delivery_id}}/resend",
        resend,
        "Send a delivery again",
        "webhooks",
        role="admin",
    ),
    Operation(
        "resend_webhook",
        "POST",
        f"{_AT}/resend",
        resend,
        "Send all that was given up again",
        "webhooks",
        role="admin",
    ),
)
