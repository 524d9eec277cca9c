"""Links for people who decide from an e-mail or a chat of their own."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..approvers import folded
from ..clock import stamp
from ..decision_links import LONGEST, PATH, token_of
from ..inputs import Input, Name
from ..operations import Invocation, Operation
from ..people import caller_of
from ..problems import conflict, invalid, not_found
from ..store import actions, people
from ..store import decision_links as rows
from .approvals import refusal
from .loops import answer_with_warnings

if TYPE_CHECKING:
    from ..store.engine import Tx


class LinkInput(Input):
    """For whom the link is (an e-mail address, or the id of a person), and how many seconds it works."""

    person: Name
    expires_seconds: Annotated[int, Field(ge=60, le=int(LONGEST.total_seconds()))] = 3600


def create(tx: Tx, call: Invocation) -> dict[str, Any]:
    """Make a link with which one person decides about one waiting action; it is in this answer only."""
    body: LinkInput = call.body
    row = actions.lock(tx, call.caller.org_id, call.params["action_id"])
    if row is None:
        raise not_found("action", call.params["action_id"])
    person = _person(tx, call, body.person)
    asked = call._replace(caller=caller_of(person))
    if (refused := refusal(tx, asked, row, "allow")) and (refused := refusal(tx, asked, row, "deny")):
        raise refused
    until = min(stamp(tx.now + timedelta(seconds=body.expires_seconds)), row["approval_expires_at"])
    link = {
        "id": f"link_{uuid.uuid4()}",
        "org_id": row["org_id"],
        "action_id": row["action_id"],
        "person_id": person["id"],
        "seen": row["updated_at"],
        "expires_at": until,
        "used_at": None,
        "created_by": call.caller.actor_id,
        "created_at": tx.stamp,
    }
    rows.LINKS.add(tx, link)
    told = {name: link[name] for name in ("id", "action_id", "person_id", "expires_at")}
    told["person"] = person["email"]
    tx.emit(call.caller, "decision_link.created", "decision_link", link["id"], told, row["agent_id"])
    return answer_with_warnings({"link": {**told, "path": f"{PATH}/{token_of(tx, link['id'])}"}}, body)


def _person(tx: Tx, call: Invocation, name: str) -> dict[str, Any]:
    found = people.by_email(tx, folded(name)) if "@" in name else people.by_id(tx, name)
    if found is None or found["org_id"] != call.caller.org_id:
        raise invalid("person", f"{name!r:.80} is nobody here; add the person first: dashclaw people add")
    if found["disabled_at"] is not None:
        raise conflict("This person is disabled; enable the person first", "PERSON_DISABLED")
    return found


OPERATIONS = (
    Operation(
        "create_decision_link",
        "POST",
        "/api/actions/{action_id}/links",
        create,
        "Make a link with which one person decides once",
        "approvals",
        body=LinkInput,
        status=201,
        role="admin",
        keeps_answer=False,
    ),
)
