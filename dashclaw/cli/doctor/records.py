"""What the records say: keys, agents, webhooks, decisions in doubt, the chain of evidence."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

from dashclaw.errors import PermissionDeniedError

from .files import evidence_key
from .finding import Finding, Mend
from .ground import Ground, Patient, age

_UNUSED_DAYS = 90
_UNSEEN_DAYS = 7
_ALL = 200
_LINK_SECONDS = 1.0


def keys(patient: Patient) -> Iterator[Finding]:
    """API keys: none, no operator's, revoked but still configured, unused for long."""
    try:
        org = patient.ask("/api/orgs")["organizations"][0]
        found = patient.ask(f"/api/orgs/{quote(org['id'], safe='')}/keys", limit=_ALL)["keys"]
    except PermissionDeniedError:
        yield Finding("keys", "note", "not looked at: that takes an operator's key")
        return
    if org["settings"].get("kill_switch"):
        why = "Every action of every agent is blocked"
        yield Finding("kill switch", "warning", "is on", why, "Switch it off when the danger is over")
    active = [key for key in found if key["revoked_at"] is None]
    yield from _revoked_in_use(found)
    if not found:
        yield Finding("keys", "ok", "none: a server makes its first ones when it starts")
    elif not any(key["role"] == "admin" for key in active) and not os.environ.get("DASHCLAW_ADMIN_KEY"):
        why = "Over the server nobody can approve, configure or make keys"
        yield Finding(
            "keys", "warning", "no operator's key is in force", why, "dashclaw keys create --role admin --db FILE"
        )
    else:
        yield Finding("keys", "ok", f"{len(active)} in force")
    for key in active:
        days = age(key["last_used_at"] or key["created_at"], patient.now)
        if days > _UNUSED_DAYS:
            what = f"{key['id']} ({key['label'] or key['role']}) was not used for {days:.0f} days"
            todo = f"dashclaw keys revoke {key['id']}"
            yield Finding("keys", "note", what, "A key that nobody uses can only be stolen", todo)


def _revoked_in_use(found: list[dict[str, Any]]) -> Iterator[Finding]:
    for variable in ("DASHCLAW_API_KEY", "DASHCLAW_ADMIN_KEY"):
        given = os.environ.get(variable) or ""
        for key in found:
            if key["revoked_at"] is not None and given.startswith(key["key_prefix"]):
                what = f"{variable} begins like {key['id']}, which was revoked"
                yield Finding(
                    "keys", "error", what, "Every call with it is refused", "Put a key that is in force there"
                )


def agents(patient: Patient) -> Iterator[Finding]:
    """Agents that say they are there and were not heard for long."""
    found = patient.ask("/api/agents", limit=_ALL)["agents"]
    silent = [
        row for row in found if row["status"] != "offline" and age(row["last_heartbeat_at"], patient.now) > _UNSEEN_DAYS
    ]
    for row in silent[:10]:
        days = age(row["last_heartbeat_at"], patient.now)
        what = f"{row['agent_id']} was not seen for {days:.0f} days and never said that it ends"
        yield Finding("agents", "note", what, "It may have crashed, or act without asking", "See whether it still runs")
    if not silent:
        yield Finding("agents", "ok", f"{len(found)} known, none lost")


def webhooks(patient: Patient) -> Iterator[Finding]:
    """Webhooks that were switched off after failures, or fail now."""
    found = patient.ask("/api/webhooks", limit=_ALL)["webhooks"]
    failing = [row for row in found if row.get("disabled_at") or row.get("failure_count")]
    for row in failing:
        off = row.get("disabled_at")
        what = f"{row['id']} " + (f"was switched off: {row.get('disabled_reason')}" if off else "fails")
        if not off:
            what += f", {row['failure_count']} times in a row"
        todo = f"dashclaw webhooks deliveries {row['id']}"
        yield Finding(
            "webhooks", "error" if off else "warning", what, "Who is told by it does not hear of events", todo
        )
    if not failing:
        yield Finding("webhooks", "ok", f"{len(found)}, none fails")


def decisions(patient: Patient) -> Iterator[Finding]:
    """Decisions for which something could not be evaluated."""
    found = patient.ask("/api/guard", limit=_ALL)["decisions"]
    doubtful = [row for row in found if row["degraded"]]
    if not doubtful:
        yield Finding("decisions", "ok", f"the last {len(found)} rest on all that their policies ask for")
        return
    [(reason, _)] = Counter((row["reasons"] or ["no reason"])[-1] for row in doubtful).most_common(1)
    what = f"{len(doubtful)} of the last {len(found)} are makeshifts: {reason}"
    why = "A rule or a remote check could not be had, and the configured fallback stood in for it"
    yield Finding("decisions", "warning", what, why, "Put right what the reason names")


def evidence(patient: Patient) -> Iterator[Finding]:
    """The chain: events that nobody links, checkpoints without their key."""
    state = patient.ask("/api/evidence")
    if state["unlinked"]:
        # What was just recorded is linked within half a second.
        time.sleep(_LINK_SECONDS)
        state = patient.ask("/api/evidence")
    if state["unlinked"]:
        why = "Until an event is linked, a change to it cannot be noticed"
        database = patient.ground.database
        mend = Mend("Link them now?", partial(_link, database)) if database else None
        todo = "dashclaw doctor --fix" if mend else "See the log of the server"
        yield Finding("evidence", "warning", f"{state['unlinked']} events are not in the chain", why, todo, mend)
    else:
        yield Finding("evidence", "ok", f"{state['size']} events, all in the chain")
    yield from _key(patient.ground, state)


def _key(ground: Ground, state: dict[str, Any]) -> Iterator[Finding]:
    path = evidence_key(ground)
    if path is None or state["checkpoint"] is None:
        return
    if path.exists():
        yield Finding("evidence key", "ok", str(path))
        return
    why = "The next checkpoint would be signed by a new key, which nobody has a reason to trust"
    todo = f"Put {path.name} back from your backup, or name it with DASHCLAW_EVIDENCE_KEY"
    yield Finding("evidence key", "error", f"{path} is missing, although checkpoints were signed", why, todo)


def _link(database: str) -> None:
    from dashclaw.runtime.evidence.sequencer import link_all
    from dashclaw.runtime.store import orgs

    from ..storage import opened

    with opened(database) as store:
        with store.read() as tx:
            org_ids = orgs.every_id(tx)
        for org_id in org_ids:
            link_all(store, org_id)
